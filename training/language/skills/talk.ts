/** Skill 3: small talk. Each intent has its ways of asking and a few answers; the answers are the model's own words. */
import type { Language } from '../names.ts'
import type { Sources } from '../sources.ts'
import type { Draw, Turn } from './skill.ts'
import { casual, casualZh, lowerFirst, typo } from './skill.ts'

export type Intent =
  | 'hello'
  | 'thanks'
  | 'bye'
  | 'mood'
  | 'who'
  | 'human'
  | 'can'
  | 'maker'
  | 'test'
  | 'ping'
  | 'there'
  | 'nice'

interface Talk {
  readonly asks: Record<Language, readonly string[]>
  readonly replies: Record<Language, readonly string[]>
}

const words = (text: string): string[] => text.split('|').map(part => part.trim())

export const TALK: Record<Intent, Talk> = {
  hello: {
    asks: {
      en: words(
        "Hello|Hi|Hey|Hello there|Hi there|Hey there|Good morning|Good afternoon|Good evening|Hello!|Hi!|Greetings|Howdy|Yo|Hello, how can you help|Hi, nice to meet you|Hello my friend|Hello world|Hiya|Hello again|hi bot|hello computer|Morning|Hello, assistant|Hey you|Hi everyone|Good day|Hello Parlance|hey hey|Hallo|Say hi|Hello, I am new here|Hi, I have a question|Hello, can we talk?|Hi, let's chat",
      ),
      zh: words(
        '你好|您好|嗨|哈喽|你好呀|你好啊|早上好|下午好|晚上好|大家好|早|早安|你好！|嘿|你好，机器人|你好，很高兴认识你|你好，我是新来的|您好，请问|哈啰|你好哇|中午好|你好，我有个问题|我们聊聊吧',
      ),
    },
    replies: {
      en: [
        'Hello! How can I help you today?',
        'Hi! What can I do for you?',
        'Hello! Nice to meet you. How can I help?',
      ],
      zh: ['你好！有什么可以帮你的吗？', '你好！很高兴见到你，我能帮你做什么？'],
    },
  },
  thanks: {
    asks: {
      en: words(
        'Thanks|Thank you|Thanks a lot|Thank you very much|Thank you so much|Many thanks|thx|ty|Thanks!|Great, thanks|Thanks for your help|Thank you for helping|Cheers, thanks|Thanks, that helps|I appreciate it|That was helpful, thank you|OK thanks|Perfect, thank you|Much appreciated|Thanks, you are great|Cool, thanks|Thank you, bot|Wonderful, thanks a million',
      ),
      zh: words(
        '谢谢|谢谢你|多谢|非常感谢|谢谢您|谢谢啦|谢了|感谢|太感谢了|好的，谢谢|谢谢你的帮助|十分感谢|感谢你|辛苦了，谢谢|多谢了|谢谢，很有用|感谢你的帮忙|万分感谢',
      ),
    },
    replies: {
      en: ["You're welcome!", "You're welcome! Happy to help."],
      zh: ['不客气！', '不客气，很高兴能帮到你。'],
    },
  },
  bye: {
    asks: {
      en: words(
        'Bye|Goodbye|Bye bye|See you|See you later|Good night|Bye!|See you tomorrow|Talk to you later|Take care|Farewell|I have to go|I am leaving now, bye|Later!|Goodbye for now|Ok bye|So long|Have a nice day|Have a good one|That is all, goodbye|cya|Until next time',
      ),
      zh: words(
        '再见|拜拜|回见|晚安|明天见|我走了|下次见|回头见|再会|好的，再见|我要走了，再见|先这样，拜拜|改天聊|下回见|886|就到这里吧，再见|祝你愉快，再见|待会儿见',
      ),
    },
    replies: {
      en: ['Goodbye! Have a nice day.', 'Bye! See you next time.'],
      zh: ['再见！祝你愉快。', '再见，下次见！'],
    },
  },
  mood: {
    asks: {
      en: words(
        "How are you?|How are you doing?|How are you today?|How is it going?|How do you do?|What's up?|How are things?|Are you ok?|How have you been?|How do you feel?|How's everything?|How are you feeling today?|Hi, how are you?|Hello, how are you?|Hey, how are you doing?|Everything alright?|You good?|How's your day?|How was your day?|Sup|Hello! How are you today?",
      ),
      zh: words(
        '你好吗|你好吗？|最近怎么样？|你怎么样？|过得怎么样？|今天怎么样？|你今天好吗？|近来可好？|心情怎么样？|你还好吗？|你好，最近好吗？|一切都好吗？|最近还好吧？|你感觉怎么样？|今天过得如何？|嗨，你好吗？',
      ),
    },
    replies: {
      en: [
        'I am doing well, thank you! How can I help you?',
        'All is well here, thanks for asking. What can I do for you?',
      ],
      zh: ['我很好，谢谢！有什么可以帮你的吗？', '一切都好，谢谢关心。我能帮你做什么？'],
    },
  },
  who: {
    asks: {
      en: words(
        "Who are you?|What are you?|What is your name?|Tell me about yourself|Introduce yourself|Which model are you?|What model is this?|What should I call you?|Who am I talking to?|Are you ChatGPT?|Are you GPT-4?|What kind of model are you?|Do you have a name?|Please introduce yourself.|Who is this?|What's your name?|Are you a large language model?|Who is speaking?|Can you tell me who you are?|Can you tell me your name?|Describe yourself|What version are you?|Which AI are you?|What exactly are you?|Hi, who are you?|Hello, what is your name?|What is Parlance?|Are you OpenAI?|How big are you?|How many parameters do you have?|Are you smart?",
      ),
      zh: words(
        '你是谁？|你是谁|你是什么？|你叫什么名字？|你叫什么|介绍一下你自己|自我介绍一下|你是什么模型？|你是哪个模型|请介绍一下自己|我在和谁说话？|怎么称呼你？|你的名字是什么？|你是ChatGPT吗？|你是GPT吗|你是什么东西|请问你是谁？|能介绍一下你自己吗？|你有名字吗？|这是什么模型？|您是哪位？|你好，你是谁？|你是大模型吗？|你有多大？|你是什么版本？',
      ),
    },
    replies: {
      en: [
        'I am parlance-tiny-1, the small language model built into Parlance.',
        'I am the small demo model built into Parlance. I know only a few simple skills.',
      ],
      zh: [
        '我是 parlance-tiny-1，Parlance 内置的小型语言模型。',
        '我是 Parlance 内置的小型演示模型，只会几种简单的技能。',
      ],
    },
  },
  human: {
    asks: {
      en: words(
        'Are you a robot?|Are you human?|Are you a bot?|Are you real?|Are you a real person?|Are you an AI?|Are you a machine?|Am I talking to a person?|Are you a computer?|Is this a bot?|Is there a human?|Are you alive?',
      ),
      zh: words(
        '你是机器人吗？|你是人吗？|你是真人吗？|你是AI吗？|你是人工智能吗？|你是人还是机器？|我在和真人聊天吗？|你是程序吗？|你是电脑吗？|你是活的吗？',
      ),
    },
    replies: {
      en: ['I am not a person. I am a small language model running inside Parlance.'],
      zh: ['我不是真人，我是运行在 Parlance 里的小型语言模型。'],
    },
  },
  can: {
    asks: {
      en: words(
        'What can you do?|What can you do for me?|How can you help me?|What are you able to do?|What are your skills?|Help|Help me|What do you know?|Can you help me?|What can I ask you?|What are you good at?|What can I do here?|List your abilities|What are your capabilities?|How do you work?|What can I use you for?|What do you do?|Tell me what you can do|Show me what you can do|What are your limits?|What is this for?|How can you be useful?|Hi, what can you do?',
      ),
      zh: words(
        '你会什么？|你能做什么？|你会做什么|你能帮我做什么？|你有什么功能？|帮助|你有什么本领？|我能问你什么？|你能干什么？|你能干嘛|你擅长什么？|你可以做什么？|怎么用你？|你有哪些能力？|帮帮我|你能帮我吗？|你懂什么？|告诉我你能做什么|你的功能有哪些？|你有什么用？',
      ),
    },
    replies: {
      en: [
        'I can chat a little, count, continue number sequences, repeat text, judge the mood of short reviews and call simple tools. For anything more, connect a larger model to Parlance.',
      ],
      zh: [
        '我可以简单聊天、数数、续写数列、重复文字、判断短评的情感，还能调用简单的工具。要做更多，请在 Parlance 里接入更大的模型。',
      ],
    },
  },
  maker: {
    asks: {
      en: words(
        'Who made you?|Who created you?|Who built you?|Who trained you?|Where do you come from?|Who is your creator?|Who owns you?|Who developed you?|Who programmed you?|How were you made?|Were you made by OpenAI?|Which company made you?',
      ),
      zh: words(
        '谁创造了你？|谁开发了你？|你是谁做的？|谁训练了你？|你从哪里来？|你是哪家公司的？|你的开发者是谁？|你是谁开发的？|你是OpenAI做的吗？|谁造了你？|你怎么来的？',
      ),
    },
    replies: {
      en: ['I was trained by the Parlance project as a small built-in demo model.'],
      zh: ['我是由 Parlance 项目训练的小型内置演示模型。'],
    },
  },
  test: {
    asks: {
      en: words(
        'test|Test|testing|This is a test|Testing, testing|test 123|Test message|Just testing|just a test|Testing 1 2 3|is this working|Does this work?|Is this on?|It works?|test test|Check|Are you working?|I am testing you|Only a test',
      ),
      zh: words(
        '测试|测试一下|试试|测试测试|这是一个测试|能用吗|能用吗？|试一下|测试消息|好用吗？|在工作吗？|只是测试|我在测试你',
      ),
    },
    replies: { en: ['It works! I received your message.'], zh: ['可以用！我收到了你的消息。'] },
  },
  ping: {
    asks: { en: ['ping', 'Ping', 'ping!', 'PING', 'Ping?'], zh: ['ping', 'ping一下', 'Ping！'] },
    replies: { en: ['pong'], zh: ['pong'] },
  },
  there: {
    asks: {
      en: words(
        'Are you there?|Anyone there?|Is anybody there?|You there?|Hello? Are you there?|Can you hear me?|Is someone there?|Still there?|Are you online?|Are you awake?|Do you read me?|Are you listening?',
      ),
      zh: words(
        '在吗|在吗？|你在吗？|有人吗？|还在吗？|你在不在|在不在？|你在线吗？|喂|听得到吗？|有人在吗|你还在吗？',
      ),
    },
    replies: { en: ['Yes, I am here. How can I help you?'], zh: ['在的，有什么可以帮你的吗？'] },
  },
  nice: {
    asks: {
      en: words(
        'You are great|Well done|Good job|Nice|Great|Awesome|Good bot|I like you|That is nice|You are funny|Cool|Very good|Excellent|You are amazing|I love you|That was great|Nice work|Amazing|ok|okay|Ok.|Alright|Got it|I see|Sounds good',
      ),
      zh: words(
        '你真棒|干得好|不错|很好|太好了|你真聪明|厉害|真厉害|我喜欢你|好的|好|嗯|明白了|知道了|做得好|真不错|你很有趣|可以|行|好吧',
      ),
    },
    replies: { en: ['Great! Let me know if you need anything else.'], zh: ['好的！还需要什么，请告诉我。'] },
  },
}

const WEIGHTS: readonly (readonly [Intent, number])[] = [
  ['hello', 5],
  ['thanks', 3],
  ['bye', 3],
  ['mood', 3],
  ['who', 4],
  ['human', 1.5],
  ['can', 3],
  ['maker', 1.5],
  ['test', 1.5],
  ['ping', 0.5],
  ['there', 1.5],
  ['nice', 2],
]

/** Intents of public sets that mean one of ours: more ways of asking, in English. */
const CLINC: Readonly<Record<string, Intent>> = {
  thank_you: 'thanks',
  goodbye: 'bye',
  are_you_a_bot: 'human',
  what_is_your_name: 'who',
  what_can_i_ask_you: 'can',
  who_made_you: 'maker',
}

/** Utterances of other people by intent. */
export function foreignAsks(sources: Sources, split: 'train' | 'test'): Partial<Record<Intent, string[]>> {
  const out: Partial<Record<Intent, string[]>> = {}
  for (const [text, intent] of sources.clinc[split]) {
    const ours =
      intent === 'greeting'
        ? /\bhow\b|\bare you\b|going|doing|what's up/.test(text)
          ? 'mood'
          : 'hello'
        : CLINC[intent]
    if (ours) out[ours] = [...(out[ours] ?? []), text]
  }
  return out
}

/** Intents that people also ask after a greeting or with a small addition. */
const OPEN_INTENTS = new Set<Intent>(['mood', 'who', 'human', 'can', 'maker', 'there'])
const BEFORE: Record<Language, readonly string[]> = {
  en: words(
    'Hi, |Hello, |Hey, |Hello! |Good morning, |Ok, |So, |And |Tell me, |Excuse me, |Sorry, |Just curious: |One question: ',
  ).map(text => `${text} `),
  zh: ['你好，', '嗨，', '请问', '那', '嘿，', '告诉我，', '我想知道，', '问一下，', '您好，', '好奇一下，', '对了，'],
}
const AFTER: Record<Language, readonly string[]> = {
  en: [
    ' please',
    ' my friend',
    ' assistant',
    ' bot',
    ' exactly',
    ' really',
    ' then',
    ' now',
    ' today',
    ' by the way',
    ' I wonder',
  ],
  zh: ['呀', '啊', '呢', '，请告诉我', '啦'],
}

const FRIENDLY: Record<Language, readonly string[]> = {
  en: [' my friend', ' assistant', ' bot', ' then', ' now', ' everyone', ' dear'],
  zh: ['呀', '啊', '啦', '哦', '，朋友', '，助手'],
}

export function talkTurn({ chance }: Draw, language: Language, foreign: Partial<Record<Intent, string[]>> = {}): Turn {
  const intent = chance.weighted(WEIGHTS)
  const { asks, replies } = TALK[intent]
  const others = language === 'en' ? foreign[intent] : undefined
  let ask = others && chance.maybe(0.3) ? chance.pick(others) : chance.pick(asks[language])
  if (chance.maybe(0.25)) {
    const mark = /[?？]$/u.exec(ask)?.[0] ?? ''
    if (OPEN_INTENTS.has(intent) && chance.maybe(0.6))
      ask = chance.pick(BEFORE[language]) + (language === 'en' ? lowerFirst(ask) : ask)
    else if (OPEN_INTENTS.has(intent)) ask = ask.replace(/[.?!？！。]$/u, '') + chance.pick(AFTER[language]) + mark
    else ask = ask.replace(/[.?!？！。]$/u, '') + chance.pick(FRIENDLY[language])
  }
  if (language === 'en' && ask.length > 4 && chance.maybe(0.05)) ask = typo(chance, ask)
  return {
    user: language === 'zh' ? casualZh(chance, ask) : casualTalk(chance, ask),
    reply: chance.pick(replies[language]),
  }
}

/** Short greetings take marks of their own. */
function casualTalk(chance: Draw['chance'], ask: string): string {
  const marked = /[.?!]$/.test(ask) || !chance.maybe(0.5)
  return casual(chance, marked ? ask : ask + chance.pick(['!', '.', '!!', '', ',', ' :)', '...']))
}
