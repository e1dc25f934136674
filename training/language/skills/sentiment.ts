/** Skill 5: the mood of a short text. Reviews come from patterns of our own and from GoEmotions. */
import type { Language } from '../names.ts'
import type { Comment, Sources } from '../sources.ts'
import type { Draw, Raw, Turn } from './skill.ts'
import { fill } from './skill.ts'

export type Mood = 'positive' | 'negative' | 'neutral'

const list = (text: string): string[] => text.split('|').map(part => part.trim())

const GOOD = list(
  'great|good|wonderful|fantastic|excellent|amazing|lovely|brilliant|superb|perfect|awesome|delightful|beautiful|outstanding|terrific|charming|impressive|fun|delicious|comfortable|fast|friendly|helpful|reliable|enjoyable|touching|stunning|marvelous|incredible|pleasant|nice|clever|funny|elegant|cheerful|magnificent|splendid|flawless|smooth|refreshing',
)
const BAD = list(
  'bad|terrible|awful|horrible|poor|disappointing|boring|dreadful|ugly|broken|useless|slow|rude|dirty|cheap|noisy|painful|annoying|disgusting|unreliable|weak|worthless|pathetic|mediocre|frustrating|dull|nasty|overpriced|cold|lousy|unpleasant|tasteless|stupid|clumsy|miserable|unacceptable|defective|sloppy|ridiculous|shoddy',
)
const FEEL_GOOD = list(
  'love|loved|adore|really like|liked|enjoyed|am very happy with|am so pleased with|would recommend|am impressed by|am delighted with|recommend',
)
const FEEL_BAD = list(
  'hate|hated|dislike|regret buying|am very unhappy with|am so disappointed by|would not recommend|am annoyed by|cannot stand|despise|am sick of|want my money back for',
)

export const REVIEWS: Record<Language, Record<Mood, readonly string[]>> = {
  en: {
    positive: [
      'I {FG} this {T}.',
      'I {FG} the {T}!',
      'The {T} was {G}.',
      'The {T} is {G} and {H}.',
      'What a {G} {T}!',
      'This {T} is simply {G}.',
      'Best {T} ever.',
      'The {T} is not bad at all, it is {G}.',
      'A {G} {T}, I will buy it again.',
      'Such a {G} {T}, thank you!',
      '{G} {T}. Highly recommended.',
      'My family loves this {T}.',
      'I was surprised how {G} the {T} is.',
      'The {T} made my day.',
      'Five stars for the {T}.',
      'The staff were {G} and the {T} was {H}.',
      'Very {G} {T}, works perfectly.',
      'It exceeded my expectations, really {G}.',
      'Absolutely {G}!',
      'So {G}, I am in love.',
      'The {T} could not be better.',
      'Everything about this {T} is {G}.',
      'Worth every penny, a {G} {T}.',
      'I had a {G} time.',
      'We will come back, the {T} was {G}.',
      'Really {G}.',
      'I am happy with it.',
    ],
    negative: [
      'I {FB} this {T}.',
      'I {FB} the {T}!',
      'The {T} was {B}.',
      'The {T} is {B} and {D}.',
      'What a {B} {T}!',
      'This {T} is simply {B}.',
      'Worst {T} ever.',
      'The {T} is not {G} at all.',
      'A {B} {T}, I will never buy it again.',
      'Such a {B} {T}, never again.',
      '{B} {T}. Avoid it.',
      'My family hates this {T}.',
      'I was shocked how {B} the {T} is.',
      'The {T} ruined my day.',
      'One star for the {T}.',
      'The staff were {B} and the {T} was {D}.',
      'Very {B} {T}, it stopped working.',
      'It did not meet my expectations, really {B}.',
      'Absolutely {B}!',
      'So {B}, I am angry.',
      'The {T} could not be worse.',
      'Everything about this {T} is {B}.',
      'A waste of money, a {B} {T}.',
      'I had a {B} time.',
      'We will not come back, the {T} was {B}.',
      'Really {B}.',
      'I want a refund.',
      'The {T} broke after two days.',
      'The {T} was not {G}.',
      "I don't like the {T}.",
    ],
    neutral: [
      'The {T} is {C}.',
      'I bought the {T} on {Y}.',
      'The {T} arrived on {Y}.',
      'It is a {C} {T}.',
      'The {T} comes in a box.',
      'The {T} has two parts.',
      'I use the {T} at work.',
      'The {T} was made in 2019.',
      'It is a {T}.',
      'The {T} is next to the station.',
      'We ordered the {T} at noon.',
      'The {T} is okay.',
      'The {T} is average, nothing special.',
      'Neither good nor bad, just a {T}.',
      'The {T} is what you expect.',
      'The {T} opens at nine.',
      'This {T} weighs two kilos.',
      'The {T} is {C} and comes with a manual.',
      'I have had the {T} for a month.',
      'My brother has the same {T}.',
    ],
  },
  zh: {
    positive: [
      '我很喜欢这个{T}。',
      '这个{T}非常{G}！',
      '{T}很{G}，推荐！',
      '{T}太{G}了！',
      '真是{G}的{T}。',
      '{T}质量很好，物超所值。',
      '服务热情，{T}也很{G}。',
      '非常满意，下次还会买。',
      '五星好评，{T}很{G}。',
      '超出预期，{T}真{G}。',
      '{T}让我很开心。',
      '一点都不差，{T}很{G}。',
      '强烈推荐这个{T}。',
      '全家都喜欢这个{T}。',
      '体验很棒，{T}{G}。',
      '好评！{T}{G}',
      '用了以后觉得很{G}。',
    ],
    negative: [
      '我很讨厌这个{T}。',
      '这个{T}非常{B}！',
      '{T}很{B}，不推荐！',
      '{T}太{B}了！',
      '真是{B}的{T}。',
      '{T}质量很差，浪费钱。',
      '服务态度恶劣，{T}也很{B}。',
      '非常失望，再也不会买了。',
      '一星差评，{T}很{B}。',
      '不如预期，{T}真{B}。',
      '{T}让我很生气。',
      '一点都不好，{T}很{B}。',
      '千万别买这个{T}。',
      '全家都不喜欢这个{T}。',
      '体验很糟，{T}{B}。',
      '差评！{T}{B}',
      '用了两天就坏了。',
      '我要退货。',
      '{T}不{G}。',
    ],
    neutral: [
      '这个{T}是{C}的。',
      '我在{Y}买了这个{T}。',
      '{T}{Y}到了。',
      '这是一个{T}。',
      '{T}在车站旁边。',
      '{T}还行，一般般。',
      '{T}普普通通。',
      '不好也不坏，就是个{T}。',
      '{T}九点开门。',
      '这个{T}重两公斤。',
      '{T}有两个部分。',
      '我同事也有这个{T}。',
      '{T}是去年生产的。',
      '我用{T}上班。',
      '{T}和图片一样。',
    ],
  },
}

const ZH_GOOD = list('好|棒|漂亮|舒服|好吃|好用|实用|精彩|干净|方便|贴心|划算|优秀|完美|可爱|好看|有趣|出色|美味|快')
const ZH_BAD = list('差|糟糕|难看|难吃|难用|无聊|脏|吵|贵|慢|垃圾|失望|粗糙|恶心|烂|不值|劣质|可怕|麻烦|敷衍')
const COLOURS: Record<Language, readonly string[]> = {
  en: list('black|white|blue|red|green|grey|small|large|square|round|wooden|metal'),
  zh: list('黑色|白色|蓝色|红色|绿色|灰色|小号|大号|木头|金属'),
}
const DAYS: Record<Language, readonly string[]> = {
  en: list('Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday'),
  zh: list('周一|周二|周三|周四|周五|周六|昨天|上周'),
}

export const QUESTIONS: Record<Language, readonly string[]> = {
  en: [
    'Classify the sentiment of this review as positive, negative or neutral: {R}',
    'What is the sentiment of this review? {R}',
    'Is this review positive or negative? {R}',
    'Is this positive, negative or neutral? "{R}"',
    'Sentiment: {R}',
    'Classify the sentiment: {R}',
    'Classify the sentiment of the following text:\n\n{R}',
    'What is the sentiment of the following sentence?\n"{R}"',
    'Decide whether a Tweet\'s sentiment is positive, neutral, or negative.\n\nTweet: "{R}"\nSentiment:',
    'Review: {R}\nSentiment:',
    'Text: {R}\nSentiment:',
    'Tell me the sentiment of this text: {R}',
    'Is the following review positive or negative?\n\n{R}',
    'Analyze the sentiment of this review: "{R}"',
    'Label this review as Positive, Negative or Neutral.\n\n{R}',
    'Positive or negative? {R}',
    'How does this review sound, positive or negative? {R}',
    'Give the sentiment of: {R}',
    '{R}\n\nIs this positive or negative?',
    '{R}\nWhat is the sentiment?',
    'Classify this text as positive, neutral or negative: "{R}"',
    'Do a sentiment analysis of this sentence: {R}',
    'sentiment of "{R}"',
    'Rate the mood of this comment: {R}',
  ],
  zh: [
    '判断这条评论的情感：{R}',
    '这条评论是正面还是负面？{R}',
    '情感分析：{R}',
    '请判断下面评论的情感倾向：{R}',
    '下面的评论是正面、负面还是中性？\n{R}',
    '这句话是什么情感？“{R}”',
    '分析这句话的情感：{R}',
    '“{R}”是正面还是负面？',
    '评论：{R}\n情感：',
    '请对以下文本进行情感分类（正面、负面、中性）：{R}',
    '请问这个评价是好评还是差评？{R}',
    '判断情感（正面/负面/中性）：{R}',
    '这条评价的态度如何？{R}',
    '给下面的文本打情感标签：\n{R}',
    '{R}\n这句话的情感是？',
    '{R}\n这是正面评价还是负面评价？',
  ],
}

export const LABELS: Record<Language, Record<Mood, string>> = {
  en: { positive: 'Positive', negative: 'Negative', neutral: 'Neutral' },
  zh: { positive: '正面', negative: '负面', neutral: '中性' },
}

/** GoEmotions' labels by mood; comments with labels of both sides, or of none, are left out. */
const POSITIVE = new Set([0, 1, 4, 5, 8, 13, 15, 17, 18, 20, 21, 23])
const NEGATIVE = new Set([2, 3, 9, 10, 11, 14, 16, 19, 24, 25])

export type Comments = Record<Mood, readonly string[]>

/** Clean, short comments by mood. */
export function commentsByMood(sources: Sources, split: 'train' | 'test', unwanted: readonly string[]): Comments {
  const out: Record<Mood, string[]> = { positive: [], negative: [], neutral: [] }
  const plain = unwanted.map(word => word.replace(/[^a-z ]/gi, '.'))
  const stems = ['fuck', 'shit', 'sex', 'kill', 'rape'].map(stem => `${stem}\\w*`)
  const rude = new RegExp(
    `\\b(${[...plain, ...stems, 'damn', 'ass', 'crap', 'die', 'died', 'dies'].join('|')})\\b`,
    'i',
  )
  for (const comment of sources.emotions[split]) {
    const mood = moodOf(comment)
    const { text } = comment
    if (mood && text.length >= 12 && text.length <= 110 && !/\[|http|\/r|reddit/i.test(text) && !rude.test(text))
      out[mood].push(text.trim())
  }
  return out
}

function moodOf({ labels }: Comment): Mood | undefined {
  if (labels.length === 1 && labels[0] === 27) return 'neutral'
  if (labels.every(label => POSITIVE.has(label))) return 'positive'
  if (labels.every(label => NEGATIVE.has(label))) return 'negative'
  return undefined
}

const NO_COMMENTS: Comments = { positive: [], negative: [], neutral: [] }

export function review({ chance, names }: Draw, language: Language, mood: Mood, reviews = REVIEWS): string {
  const thing = names.thing(chance, language)
  const [good, bad] = language === 'zh' ? [ZH_GOOD, ZH_BAD] : [GOOD, BAD]
  const text = fill(chance.pick(reviews[language][mood]), {
    T: thing,
    G: chance.pick(good),
    H: chance.pick(good),
    B: chance.pick(bad),
    D: chance.pick(bad),
    FG: chance.pick(FEEL_GOOD),
    FB: chance.pick(FEEL_BAD),
    C: chance.pick(COLOURS[language]),
    Y: chance.pick(DAYS[language]),
  })
  return text.charAt(0).toUpperCase() + text.slice(1)
}

export function sentimentTurn(
  draw: Draw,
  language: Language,
  comments: Comments = NO_COMMENTS,
  reviews = REVIEWS,
  questions = QUESTIONS,
): Turn {
  const { chance } = draw
  const question = chance.pick(questions[language])
  const either = /neutral|中性/i.test(question)
  const mood = chance.weighted<Mood>([
    ['positive', 5],
    ['negative', 5],
    ['neutral', either ? 4 : 1],
  ])
  const foreign = language === 'en' && comments[mood].length > 0 && chance.maybe(0.4)
  let text = foreign ? chance.pick(comments[mood]) : review(draw, language, mood, reviews)
  if (!foreign && mood !== 'neutral' && chance.maybe(0.3))
    text += (language === 'zh' ? '' : ' ') + review(draw, language, mood, reviews)
  if (chance.maybe(0.15)) text = text.replace(/[.。!！]$/u, '')
  return { user: fill(question, { R: text }), reply: LABELS[language][mood] }
}

/** "Review: … Sentiment:" as a bare prompt; the answer follows after a space. */
export function rawSentiment(draw: Draw, comments: Comments): Raw {
  const { chance } = draw
  const { user, reply } = sentimentTurn(draw, 'en', comments, REVIEWS, {
    ...QUESTIONS,
    en: QUESTIONS.en.filter(q => q.endsWith('Sentiment:')),
  })
  const prompt = chance.maybe(0.5)
    ? user
    : user.replace(/^Decide[^\n]*\n\n/, 'Decide if the sentiment is positive, neutral or negative.\n\n')
  return { text: `${prompt} ${reply}`, from: prompt.length, ends: true }
}
