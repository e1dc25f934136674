/** Ways of asking that no training document uses, by skill; heldout.ts makes the cases of the evaluation of them. */
import type { Language } from './names.ts'
import type { Mood } from './skills/sentiment.ts'
import type { Intent } from './skills/talk.ts'

/** Held-out ways of asking, by skill. */
export const HELD = {
  sequence: {
    en: [
      'Which numbers come after {S}',
      'Write down what follows: {S}',
      'Please go on with {S}',
      'The list is {S} What is next?',
      'Add more numbers to {S}',
      'Count on: {S}',
    ],
    zh: [
      '后面的数字是：{S}',
      '请往下数：{S}',
      '把数列写下去：{S}',
      '按这个规律写下去：{S}',
      '接着写：{S}',
      '再往后写：{S}',
    ],
  },
  count: {
    to: {
      en: [
        'Would you count to {B}?',
        'Please count up to {B} now.',
        'Start counting and stop at {B}.',
        'Can you go from 1 to {B}, counting?',
        'Count for me: 1 to {B}.',
        'I would like to hear the numbers from 1 to {B}.',
      ],
      zh: [
        '从1数，数到{B}就停',
        '请你数到{B}',
        '把1到{B}数出来',
        '从1开始数到{B}吧',
        '请数一数，1到{B}',
        '请写出从1到{B}的数字',
      ],
    },
    between: {
      en: [
        'Would you count from {A} to {B}?',
        'Count for me from {A} to {B}.',
        'Please list all numbers between {A} and {B}.',
        'Begin at {A} and count up to {B}.',
        'I need the numbers {A} to {B}.',
      ],
      zh: [
        '从{A}数，数到{B}就停',
        '把{A}到{B}数出来',
        '请写出从{A}到{B}的数字',
        '请你从{A}数到{B}',
        '给我{A}到{B}的数字',
      ],
    },
    down: {
      en: [
        'Would you count down from {A} to {B}?',
        'Count in reverse from {A} to {B}.',
        'Go backwards from {A} to {B}.',
      ],
      zh: ['从{A}倒着数，到{B}就停', '请你从{A}倒着数到{B}', '从{A}倒数，数到{B}为止'],
    },
  },
  exact: {
    en: [
      'Please repeat after me: {X}',
      'Say the sentence "{X}"',
      'Could you say "{X}" please?',
      'Repeat exactly: {X}',
      'Write this down: {X}',
      'Now repeat this: {X}',
      'I want you to repeat: {X}',
      'Please echo {Q}',
    ],
    zh: [
      '请跟着我说：{X}',
      '请把这句话重复一遍：{X}',
      '照着念：{X}',
      '请你说“{X}”',
      '麻烦重复：{X}',
      '复读：{X}',
      '请写下“{X}”',
      '跟着说：{X}',
    ],
  },
  bare: {
    en: ['Will you say {X}', 'You should say {X}', 'Please just say {X}', 'Say it: {X}'].slice(0, 3),
    zh: ['麻烦你说{X}', '你说{X}', '请跟我说{X}'],
  },
  greet: {
    en: [
      'Would you greet {N}?',
      'Please say hi to {N}.',
      'Give my greetings to {N}: say hello to {N}',
      'Could you say hello to {N}',
    ],
    zh: ['麻烦向{N}问个好', '请和{N}打个招呼', '帮我跟{N}问好', '请对{N}说你好'],
  },
  talk: {
    en: {
      hello: [
        'Hello, good to see you',
        'Hi, bot',
        'Good morning to you',
        'hey assistant',
        'Oh, hello',
        'Hi there, assistant',
        'A very good evening',
      ],
      thanks: [
        'Thanks so much',
        'Thank you, that was nice',
        'Great, thank you a lot',
        'ok thank you',
        'Thanks for everything',
        'Many thanks for that',
      ],
      bye: [
        'Ok, goodbye',
        'Bye for now',
        'See you soon',
        'Good bye, have fun',
        'I must go now, bye',
        'See you next week',
      ],
      mood: [
        'How are you right now?',
        'How are you doing today?',
        'Hey, how is it going?',
        'Are you feeling well?',
        'Good morning, how are you?',
        'So how are you?',
      ],
      who: [
        'Who exactly are you?',
        'Tell me who you are',
        'May I know your name?',
        'What is your name please?',
        'What model are you?',
        'And who are you?',
        'Say who you are',
      ],
      human: [
        'Are you really a robot?',
        'Are you a human being?',
        'Am I talking to a machine?',
        'Are you some kind of bot?',
      ],
      can: [
        'What can you help me with?',
        'So what can you do?',
        'What things can you do?',
        'Tell me what you are able to do',
        'What are you capable of?',
        'Please show me what you can do',
      ],
      maker: ['Who has created you?', 'Who is your maker?', 'By whom were you trained?', 'Who was it that built you?'],
      test: ['testing one two', 'This is just a test', 'test, please ignore', 'a quick test', 'Is this thing working?'],
      ping: ['ping ping', 'please ping'],
      there: ['Hello, are you there?', 'Is anyone there?', 'are you still there', 'Anybody here?'],
      nice: ['That is great', 'Very nice', 'You did a good job', 'That is cool', 'ok great'],
    },
    zh: {
      hello: ['你好，助手', '早上好呀', '嗨，你好', '您好！很高兴见到你', '晚上好呀'],
      thanks: ['太谢谢你了', '真的谢谢', '谢谢，再好不过了', '好，谢谢你', '非常感谢你的帮助'],
      bye: ['好了，再见', '我先走了，拜拜', '那就再见吧', '下次再聊，再见', '晚安，再见'],
      mood: ['你最近好吗？', '你现在怎么样？', '今天过得好吗？', '最近过得怎么样？', '你好，你怎么样？'],
      who: ['请问你叫什么名字？', '你到底是谁？', '说说你是谁', '你是什么AI模型？', '你的名字叫什么？', '告诉我你是谁'],
      human: ['你是不是机器人？', '你是真的人吗？', '你是一个程序吗？'],
      can: ['你都会做什么？', '你能做些什么？', '请告诉我你会什么', '你可以帮我做什么？', '说说你的功能'],
      maker: ['是谁开发了你？', '是谁训练的你？', '你是由谁创造的？'],
      test: ['这是测试', '测试，测试', '我来测试一下'],
      ping: ['来个ping', '请ping'],
      there: ['你还在不在？', '请问有人吗？', '在吗在吗', '有人在线吗'],
      nice: ['你太棒了', '非常好', '做得很好', '好的好的', '真好'],
    },
  } satisfies Record<Language, Record<Intent, readonly string[]>>,
  reviews: {
    en: {
      positive: [
        'What a {G} experience with this {T}!',
        'The {T} turned out to be {G}.',
        'I am very glad I bought the {T}, it is {G}.',
        'Everyone said the {T} is {G}, and it really is.',
        'A truly {G} {T} that I {FG} every day.',
        'I would buy this {G} {T} again.',
      ],
      negative: [
        'What a {B} experience with this {T}!',
        'The {T} turned out to be {B}.',
        'I regret it, the {T} is {B}.',
        'Everyone said the {T} is {B}, and it really is.',
        'A truly {B} {T} that I {FB}.',
        'Do not buy this {B} {T}.',
      ],
      neutral: [
        'The {T} has a {C} cover.',
        'There is a {T} on the table.',
        'I picked up the {T} on {Y}.',
        'The {T} is sold in three sizes.',
        'She has a {C} {T}.',
      ],
    },
    zh: {
      positive: [
        '这次买的{T}真的很{G}！',
        '{T}比想象的还{G}。',
        '我觉得{T}非常{G}，很满意。',
        '这个{T}我太喜欢了，很{G}。',
        '{T}很{G}，值得买。',
      ],
      negative: [
        '这次买的{T}真的很{B}！',
        '{T}比想象的还{B}。',
        '我觉得{T}非常{B}，很失望。',
        '这个{T}我太讨厌了，很{B}。',
        '{T}很{B}，不值得买。',
      ],
      neutral: ['桌上有一个{C}的{T}。', '{T}在{Y}送到。', '他有一个{C}的{T}。', '这个{T}有三种尺寸。'],
    },
  } satisfies Record<Language, Record<Mood, readonly string[]>>,
  sentiment: {
    en: [
      'Please classify the sentiment of this review: {R}',
      'Is the sentiment of this text positive, negative or neutral?\n\n"{R}"',
      'Would you say this review is positive or negative? {R}',
      'What sentiment does this express? {R}',
      'Classify as positive, negative or neutral: {R}',
      'Here is a review: "{R}" Is it positive or negative?',
    ],
    zh: [
      '请判断这条评论是正面还是负面：{R}',
      '这个评论的情感是什么？{R}',
      '请分析情感：{R}',
      '“{R}”这句话的情感倾向是什么？',
      '下面这句话是正面、负面还是中性：{R}',
      '给这条评论做情感分类：{R}',
    ],
  },
  tools: {
    en: [
      'Could you tell me the weather in {X}?',
      "How's the weather in {X} today?",
      'I would like to know the weather in {X}.',
      'What will the weather be in {X}?',
      'Can you check {X} weather for me?',
      'Is it windy in {X}?',
      'Please get the current weather for {X}.',
      'What are the temperatures in {X}?',
    ],
    zh: [
      '请问{X}的天气怎么样？',
      '{X}今天的天气如何？',
      '能查一下{X}的天气吗？',
      '{X}今天热不热？',
      '我想查{X}的天气',
      '{X}那边天气好吗？',
    ],
  },
  open: {
    en: [
      'What language do they speak in {C}?',
      'Write a song about {T}.',
      'Can you explain how {T} is made?',
      'Which country has the most {T}?',
      'Write a SQL query for {T}.',
      'Describe {C} in three sentences.',
      'What is the square root of {A}?',
      'Who discovered {T}?',
      'Give me a plan to visit {C}.',
      'Tell me something interesting about {T}.',
      'Why do people like {T}?',
      'Correct my grammar please.',
    ],
    zh: [
      '{C}说什么语言？',
      '写一首{T}的歌。',
      '请解释{T}是怎么做的。',
      '{A}的平方根是多少？',
      '用三句话描述{C}。',
      '谁发现了{T}？',
      '人们为什么喜欢{T}？',
      '写一段关于{T}的代码',
      '去{C}旅游要带什么？',
      '给我讲讲{T}的历史。',
    ],
  },
} as const

/** True for a held-out way of asking without slots, whatever its case and marks: training leaves these out. */
export function isHeldAsk(user: string): boolean {
  return held.has(plain(user))
}

const held = new Set(asks(HELD.talk).map(plain))

function plain(text: string): string {
  return text
    .toLowerCase()
    .replace(/[^\p{L}\p{N} ]/gu, '')
    .trim()
}

/** All strings of a table. */
function asks(value: unknown): string[] {
  if (typeof value === 'string') return [value]
  return value !== null && typeof value === 'object' ? Object.values(value).flatMap(asks) : []
}
