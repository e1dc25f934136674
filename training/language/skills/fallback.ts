/** Skill 7: saying honestly that a question is beyond this model. The questions are people's own, from public sets. */

import type { Language, Side } from '../names.ts'
import { isHeld } from '../names.ts'
import type { Sources } from '../sources.ts'
import type { Draw, Turn } from './skill.ts'
import { casual, casualZh, fill } from './skill.ts'

export const FALLBACK: Record<Language, readonly string[]> = {
  en: [
    "I am only a small built-in demo model, so I can't answer that well. Connect a larger model to Parlance for real answers.",
    'Sorry, that is beyond me: I am a tiny demo model. Please connect a larger model to Parlance for this.',
    "I can't answer that well, because I am only the small model built into Parlance. A larger model can help you with this.",
  ],
  zh: [
    '我只是内置的小型演示模型，回答不好这个问题。请在 Parlance 里接入更大的模型。',
    '抱歉，这超出了我的能力：我只是一个小型演示模型。请接入更大的模型来回答。',
  ],
}

export const ASKS: Record<Language, readonly string[]> = {
  en: [
    'What is the capital of {C}?',
    'Write a poem about {T}.',
    'Write a short story about {T}.',
    'Explain {T} to me.',
    'What is {T}?',
    'How do I make {T}?',
    'Write a Python function that sorts {T}.',
    'Who invented the {T}?',
    'Tell me a joke about {T}.',
    'Why is {T} important?',
    'Write an essay about {T}.',
    'Translate "{T}" into French.',
    'How many people live in {C}?',
    'Summarize the history of {C}.',
    'What is the best {T} for beginners?',
    'Give me five ideas about {T}.',
    'How far is it from {C} to {D}?',
    'Who is the president of {C}?',
    'When was {C} founded?',
    'What is {A} times {B}?',
    'What is {A} plus {B}?',
    'Write an email to {N} about {T}.',
    'Can you recommend a good {T}?',
    'What is the difference between {T} and {U}?',
    'Write code to read a file.',
    'How do I learn {T}?',
    'What does {T} mean?',
    'Tell me about {C}.',
    'Plan a trip to {C}.',
    'Solve {A} + {B}.',
    'Tell me a joke.',
    'Tell me a story.',
    'Sing a song.',
    'What time is it?',
    'What day is it today?',
    "What's the weather like in {C}?",
    'Is it raining in {C}?',
    'What is the meaning of life?',
    'Write a haiku.',
    'Explain quantum physics.',
    'Fix this bug in my code.',
    'How old is {N}?',
    'Where is {C}?',
    'Do you like {T}?',
    'Compare {C} and {D}.',
    'I need advice about {T}.',
    'What should I eat tonight?',
    'Give me a recipe with {T}.',
    'Why is the sky blue?',
    'Name three kinds of {T}.',
    'How does a {T} work?',
    'Draft a cover letter.',
    'What happened in 1969?',
    'Who won the game last night?',
    'Which is better, {T} or {U}?',
    'def {T}(x):\n    return x + {A}\n\nWhat does this code do?',
    'Fix this: for i in range({A}) print(i)',
    'Write a one-sentence bedtime story about {T}.',
    'Write a haiku about {T}',
    'Who won the world series in 2020?',
    'Write a tagline for a {T} shop.',
    'Explain {T} to a five year old.',
    'What is {A} - {B}?',
    '{A}*{B}',
    '{A} + {B} =',
    'How do I install {T}?',
    'My {T} is broken, what should I do?',
    'I feel sad today.',
    'Tell me a fact about {C}.',
    '{T}',
    '{C}',
    'What can you tell me about {T}?',
    'What do you think about {T}?',
    'Do you know {N}?',
    'Have you ever been to {C}?',
    'Can you write code?',
    'Can you translate this?',
    'Make a list of {T}.',
  ],
  zh: [
    '{C}的首都是哪里？',
    '写一首关于{T}的诗。',
    '写一个关于{T}的故事。',
    '什么是{T}？',
    '怎么做{T}？',
    '用Python写一个排序函数。',
    '{T}是谁发明的？',
    '讲个笑话。',
    '给我讲个关于{T}的笑话',
    '为什么{T}很重要？',
    '写一篇关于{T}的作文。',
    '把“{T}”翻译成英文。',
    '{C}有多少人口？',
    '介绍一下{C}的历史。',
    '推荐一款{T}。',
    '{C}到{D}有多远？',
    '{C}在哪里？',
    '{A}乘以{B}等于多少？',
    '{A}加{B}是多少？',
    '给{N}写一封邮件。',
    '{T}和{U}有什么区别？',
    '怎么学习{T}？',
    '{T}是什么意思？',
    '介绍一下{C}',
    '帮我规划{C}旅游',
    '现在几点了？',
    '今天星期几？',
    '今天天气怎么样？',
    '{C}今天天气怎么样？',
    '人生的意义是什么？',
    '解释一下量子物理。',
    '帮我改代码',
    '今晚吃什么？',
    '天空为什么是蓝色的？',
    '给我一个{T}的菜谱',
    '写一份简历',
    '中国有多少个省？',
    '谁是最伟大的诗人？',
    '{T}哪个牌子好？',
    '怎么减肥？',
    '讲个故事',
    '唱首歌',
    '{C}有什么好玩的？',
    '如何提高{T}的质量？',
    '帮我写总结',
    '为什么{C}那么有名？',
    '你喜欢{T}吗？',
    '给我一些关于{T}的建议',
    '{C}什么时候建成的？',
    '地球有多大？',
    '这道题怎么做：{A}-{B}=?',
    '帮我想一个{T}的名字',
    '什么时候放假？',
    '{T}',
    '{C}',
    '我的{T}坏了，怎么办？',
    '你觉得{T}怎么样？',
    '你知道{N}吗？',
    '你去过{C}吗？',
    '你会写代码吗？',
    '你会翻译吗？',
    '{A}+{B}=?',
    '写一段{T}的广告词。',
    '我今天很难过。',
    '说一个关于{C}的事实。',
    '列出十种{T}。',
    '怎么安装{T}？',
    '明天会下雨吗？',
    '给孩子解释{T}。',
  ],
}

/** clinc150 intents that belong to other skills, or mean too little to judge. */
const NOT_OPEN = new Set([
  'greeting',
  'goodbye',
  'thank_you',
  'are_you_a_bot',
  'what_is_your_name',
  'what_can_i_ask_you',
  'who_made_you',
  'repeat',
  'yes',
  'no',
  'maybe',
  'cancel',
  'who_do_you_work_for',
  'how_old_are_you',
  'where_are_you_from',
  'user_name',
  'change_ai_name',
  'reset_settings',
  'whisper_mode',
  'do_you_have_pets',
  'what_are_your_hobbies',
])
const OTHER_SKILL =
  /\b(count|continue|sequence|repeat|say|hello|hi|thanks|thank|bye|sentiment|positive|negative|classify|numbers?)\b/i
const OTHER_SKILL_ZH = /数|说|重复|谢|再见|你好|你是|你叫|你会|你能|你在|怎么样|测试|名字/u

/** Requests about a longer text. */
export const LONG: Record<Language, readonly string[]> = {
  en: [
    'Summarize this text: {X}',
    'Summarize the following:\n\n{X}',
    '{X}\n\nWhat is this about?',
    'Translate into German:\n{X}',
    'Rewrite this: {X}',
    'Correct the grammar:\n\n{X}',
    '{X}',
    'Read this and answer: {X}\nWho is speaking?',
  ],
  zh: ['总结下面的文字：{X}', '把下面的文字翻译成中文：\n{X}', '{X}\n\n这段话讲了什么？', '改写：{X}'],
}

export interface Questions {
  readonly en: readonly string[]
  readonly zh: readonly string[]
  /** Paragraphs that somebody may ask about. */
  readonly passages: readonly string[]
}

/** Questions of the training side or of the held-out side. */
export function openQuestions(sources: Sources, side: Side): Questions {
  const train = side === 'train'
  const clinc = [...sources.clinc[train ? 'train' : 'test'], ...sources.clinc[train ? 'oos_train' : 'oos_test']]
  const short = (text: string): boolean => text.length < 160 && !OTHER_SKILL.test(text)
  const en = [
    ...clinc.filter(([, intent]) => !NOT_OPEN.has(intent)).map(([text]) => text),
    ...sources.instructions[train ? 'train' : 'test'],
    ...sources.instructions[train ? 'train' : 'test'],
    ...sources.problems[train ? 'train' : 'test'].filter((_, i) => i % 10 === 0),
    ...sources.utterances
      .filter(({ text, intent }) => isHeld(text) !== train && !/^general|^audio/.test(intent))
      .map(({ text }) => text),
    ...sources.pairs
      .map(([text]) => text)
      .filter((text, i) => i % 3 === 0 && isHeld(text) !== train && isStatement(text)),
  ].filter(short)
  const zh = sources.pairs
    .map(([, text]) => text)
    .filter(text => isHeld(text) !== train && text.length > (text.includes('你') ? 8 : 4) && !OTHER_SKILL_ZH.test(text))
  return { en, zh, passages: sources.prose.filter(text => isHeld(text) !== train) }
}

/** Not small talk: longer than a greeting, and not about the model itself. */
function isStatement(text: string): boolean {
  const length = text.split(' ').length
  return length > (/\byou/i.test(text) ? 6 : 3)
}

export function fallbackTurn(
  { chance, names }: Draw,
  language: Language,
  questions: Questions,
  templates = ASKS,
): Turn {
  const reply = chance.pick(FALLBACK[language])
  if (chance.maybe(language === 'en' ? 0.6 : 0.3)) {
    const text = chance.pick(questions[language])
    return {
      user: language === 'zh' ? text : chance.maybe(0.3) ? text.charAt(0).toUpperCase() + text.slice(1) : text,
      reply,
    }
  }
  if (chance.maybe(0.07)) {
    const passage = chance.pick(questions.passages).slice(0, chance.between(80, 600))
    return { user: fill(chance.pick(LONG[language]), { X: passage }), reply }
  }
  const topic = (): string => {
    const base = chance.maybe(0.5) ? names.thing(chance, language) : names.word(chance, language)
    return language === 'en' && chance.maybe(0.3) ? `${names.word(chance, language)} ${base}` : base
  }
  const text = fill(chance.pick(templates[language]), {
    T: topic(),
    U: topic(),
    C: names.city(chance, language),
    D: names.city(chance, language),
    N: names.person(chance, language),
    A: String(chance.between(2, 999)),
    B: String(chance.between(2, 99)),
  })
  return { user: language === 'zh' ? casualZh(chance, text) : casual(chance, text), reply }
}
