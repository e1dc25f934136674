/** Skill 6: calling tools. Names of tools, of arguments and of things vary, so that only copying can be right. */

import type { Call, Message, Tool } from '../chat.ts'
import type { Language, Names } from '../names.ts'
import { capital } from '../names.ts'
import type { Chance } from '../random.ts'
import type { Draw } from './skill.ts'
import { casual, casualZh, fill } from './skill.ts'

export interface Scene {
  readonly tools: readonly Tool[]
  readonly messages: readonly Message[]
}

interface Family {
  readonly names: readonly string[]
  readonly args: readonly string[]
  readonly about: readonly string[]
  readonly value: (chance: Chance, names: Names, language: Language) => string
  readonly asks: Record<Language, readonly string[]>
  readonly facts: Record<string, (chance: Chance) => string | number>
}

const list = (text: string): string[] => text.split('|').map(part => part.trim())
/** A city; sometimes as hasty people write it, sometimes with its state. */
function place(chance: Chance, names: Names, language: Language): string {
  const name = names.city(chance, language)
  return language === 'en' && chance.maybe(0.05) ? name.toLowerCase() : name
}

const SIGNS: Record<Language, readonly string[]> = {
  en: list('Aries|Taurus|Gemini|Cancer|Leo|Virgo|Libra|Scorpio|Sagittarius|Capricorn|Aquarius|Pisces|Ophiuchus|Cetus'),
  zh: list('白羊座|金牛座|双子座|巨蟹座|狮子座|处女座|天秤座|天蝎座|射手座|摩羯座|水瓶座|双鱼座|蛇夫座|鲸鱼座'),
}
const STATES = list('CA|NY|TX|WA|MA|FL|IL|OR|CO|GA|UK|France|Japan|Spain')

export const FAMILIES: Record<string, Family> = {
  weather: {
    names: list(
      'get_weather|get_current_weather|weather|fetch_weather|getWeather|weather_lookup|current_weather|lookup_weather|get_forecast|forecast|weather_report|check_weather|find_weather|read_weather|getCurrentWeather|weather_in|get_temperature|query_weather',
    ),
    args: list('city|location|place|town|city_name|where|name|loc|area|target|query|cityName|site'),
    about: list(
      'Get the weather|Get the current weather in a given location|Get current weather for a city|Returns the weather of a place|Weather lookup|查询天气|获取指定城市的天气|Get the forecast for a location|Current temperature for a city',
    ),
    value: place,
    asks: {
      en: list(
        "What's the weather in {X}?|What is the weather like in {X}?|Weather in {X}?|How is the weather in {X}?|Tell me the weather in {X}.|What's the weather like in {X} today?|Is it raining in {X}?|How warm is it in {X}?|Weather for {X}|Please check the weather in {X}.|Will it rain in {X} tomorrow?|What is the temperature in {X}?|Is it cold in {X}?|I need the weather in {X}.|Could you look up the weather for {X}?|weather {X}|Give me the forecast for {X}.|Do I need an umbrella in {X}?|How hot is it in {X} right now?|I'm travelling to {X}, what's the weather?|Is it sunny in {X}?|What's the temperature in {X} today?|Let me know the weather in {X}.|How's the weather looking in {X}?|Any rain in {X}?|Show me the weather for {X}.|Get the weather of {X}|What can you tell me about the weather in {X}?|Compare the weather in {X}.|Weather forecast {X}",
      ),
      zh: list(
        '{X}天气怎么样？|{X}的天气怎么样？|{X}今天天气如何？|查一下{X}的天气|{X}今天下雨吗？|请告诉我{X}的天气。|{X}多少度？|帮我查{X}天气|今天{X}的天气好吗？|{X}冷不冷？|我想知道{X}的天气|{X}现在气温多少？|明天{X}会下雨吗？|{X}天气|我要去{X}，天气怎么样？|告诉我{X}的天气|{X}会下雪吗？|{X}今天有雨吗？|请查询{X}的天气|{X}的气温是多少？|看看{X}的天气|{X}明天天气|你知道{X}的天气吗？',
      ),
    },
    facts: {
      temperature: c => c.between(-15, 40),
      temp: c => c.between(-15, 40),
      condition: c => c.pick(list('sunny|cloudy|rainy|windy|snow|clear|fog|storm')),
      humidity: c => c.between(10, 99),
      unit: c => c.pick(['celsius', 'fahrenheit', 'C']),
      wind: c => c.between(0, 60),
      sky: c => c.pick(list('clear|grey|blue|overcast|sunny')),
      forecast: c => c.pick(list('sunny|light rain|heavy snow|windy')),
    },
  },
  time: {
    names: list('get_time|current_time|get_current_time|local_time|time_in|getTime|clock|what_time|lookup_time'),
    args: list('city|location|place|timezone|where|zone|town'),
    about: list(
      'Get the current time|Local time of a city|Returns the time at a place|查询当地时间|Get the time in a location',
    ),
    value: place,
    asks: {
      en: list(
        'What time is it in {X}?|Time in {X}?|Tell me the time in {X}.|What is the local time in {X}?|Current time in {X}|How late is it in {X}?|Please give me the time in {X}.',
      ),
      zh: list('{X}现在几点？|{X}几点了？|查一下{X}的时间|{X}的当地时间是多少？|告诉我{X}的时间'),
    },
    facts: {
      time: c => `${c.between(0, 23)}:${c.between(10, 59)}`,
      day: c => c.pick(list('Monday|Tuesday|Friday|Sunday')),
    },
  },
  sign: {
    names: list('get_horoscope|horoscope|daily_horoscope|getHoroscope|read_stars'),
    args: list('sign|star_sign|zodiac|name'),
    about: list("Get today's horoscope for an astrological sign.|Horoscope of a sign|查询星座运势"),
    value: (chance, names, language) => names.choose(chance, SIGNS[language]),
    asks: {
      en: list(
        "What is my horoscope? I am an {X}.|What is my horoscope? I am {X}.|Horoscope for {X}|Tell me the horoscope of {X}.|I'm {X}, what do the stars say?",
      ),
      zh: list('{X}今天运势怎么样？|我是{X}，今天运势如何？|查一下{X}的运势'),
    },
    facts: { luck: c => c.pick(list('good|bad|mixed')), number: c => c.between(1, 99) },
  },
  person: {
    names: list(
      'find_person|lookup_contact|get_phone|get_user|find_contact|user_info|contact_lookup|get_email|getUser|search_people',
    ),
    args: list('name|person|user|contact|who|username|full_name|query'),
    about: list(
      'Find a person|Look up a contact|Get the phone number of a person|查询联系人|Get information about a user',
    ),
    value: (chance, names, language) => names.person(chance, language),
    asks: {
      en: list(
        "What is {X}'s phone number?|Find the contact {X}.|Look up {X}.|Who is {X}?|Get the details of {X}.|How can I reach {X}?|Give me the email of {X}.|Search for {X}",
      ),
      zh: list('{X}的电话是多少？|查找联系人{X}|帮我找{X}|{X}是谁？|查一下{X}的信息|怎么联系{X}？'),
    },
    facts: {
      phone: c => `${c.between(200, 999)}-${c.between(1000, 9999)}`,
      age: c => c.between(18, 80),
      team: c => c.pick(list('sales|support|design|legal')),
    },
  },
  item: {
    names: list(
      'get_price|stock_price|lookup_price|find_product|check_stock|get_stock|product_info|search_product|getPrice|price_of',
    ),
    args: list('item|product|symbol|article|name|query|thing|keyword'),
    about: list(
      'Get the price|Price of a product|Check whether an article is in stock|查询商品价格|Search for a product',
    ),
    value: (chance, names, language) =>
      chance.maybe(0.5)
        ? names.pseudo(chance, language)
        : language === 'zh'
          ? names.thing(chance, 'zh')
          : names.word(chance, 'en'),
    asks: {
      en: list(
        'How much is {X}?|What is the price of {X}?|Price of {X}?|Find {X} in the shop.|Is {X} in stock?|What does {X} cost?|Check the price of {X}.',
      ),
      zh: list('{X}多少钱？|查一下{X}的价格|{X}有货吗？|{X}的价格是多少？|帮我查{X}价格'),
    },
    facts: {
      price: c => c.between(1, 999),
      currency: c => c.pick(['USD', 'EUR', 'CNY']),
      stock: c => c.between(0, 200),
    },
  },
}

const WEIGHTS: readonly (readonly [string, number])[] = [
  ['weather', 13],
  ['time', 2],
  ['person', 2],
  ['item', 2],
  ['sign', 0.7],
]
/** The kinds of tools for held-out names: of the few star signs none is held out. */
export const NAMED = WEIGHTS.filter(([key]) => key !== 'sign')

const OUTER = { en: [' and ', ', ', ' and ', ' & '], zh: ['和', '、', '以及', '跟'] } as const

export interface Asked {
  readonly tools: readonly Tool[]
  readonly user: string
  readonly calls: readonly Call[]
}

/** A question that needs one to three calls of one tool, seldom four; `asks` are questions about the weather. */
export function askTool(
  { chance, names }: Draw,
  language: Language,
  asks?: Record<Language, readonly string[]>,
  families = WEIGHTS,
): Asked {
  const key = asks ? 'weather' : chance.weighted(families)
  const family = FAMILIES[key]
  if (!family) throw new RangeError(`no family ${key}`)
  const made = chance.maybe(0.25)
  const name = made ? madeName(chance, names) : chance.pick(family.names)
  const argument = chance.maybe(0.3) ? madeName(chance, names) : chance.pick(family.args)
  const count = chance.weighted([[1, 5], [2, 4], [3, 2.5], ...(key === 'sign' ? [] : [[4, 0.4] as const])])
  const values = new Set<string>()
  for (let tries = 0; values.size < count; tries++) {
    if (tries === 1000) throw new RangeError(`fewer than ${count} values for ${key}`)
    values.add(family.value(chance, names, language))
  }
  if (count === 1 && key === 'weather' && language === 'en' && chance.maybe(0.07)) {
    const [city] = values
    values.clear()
    values.add(`${city}, ${chance.pick(STATES)}`)
  }
  const extra = key === 'weather' && chance.maybe(0.2) ? chance.pick(['unit', 'days'] as const) : undefined
  const unit =
    extra && chance.maybe(0.6)
      ? extra === 'unit'
        ? chance.pick(['celsius', 'fahrenheit'])
        : String(chance.between(2, 14))
      : undefined
  const tool = makeTool(chance, name, argument, family, extra, made)
  const joined = join(chance, [...values], language)
  let user = fill(chance.pick((asks ?? family.asks)[language]), { X: joined })
  if (unit)
    user +=
      language === 'zh'
        ? extra === 'unit'
          ? `用${unit}。`
          : `查${unit}天。`
        : extra === 'unit'
          ? ` In ${unit}, please.`
          : ` For ${unit} days.`
  const value = unit && extra === 'days' ? Number(unit) : unit
  const calls = [...values].map(x => ({
    name,
    arguments: { [argument]: x, ...(extra && value !== undefined ? { [extra]: value } : {}) },
  }))
  const other = !made && chance.maybe(0.12) ? otherTool(chance, key) : undefined
  const tools = other ? chance.shuffle([tool, other]) : [tool]
  const plain = unit ? user : language === 'zh' ? casualZh(chance, user) : casualKeepNames(chance, user, [...values])
  return { tools, user: plain, calls }
}

/** Question, calls and (often) the results with an answer in words. */
export function toolScene(draw: Draw, language: Language): Scene {
  const asked = askTool(draw, language)
  const messages: Message[] = [{ role: 'user', content: asked.user }, callMessage(asked.calls)]
  if (draw.chance.maybe(0.3)) messages.push(...resultMessages(draw, asked.calls, language))
  return { tools: asked.tools, messages }
}

export function callMessage(calls: readonly Call[]): Message {
  return { role: 'assistant', content: null, tool_calls: calls.map(call => ({ type: 'function', function: call })) }
}

/** What the tool answers for each call, and what the model says about it: every value of the result, in order. */
export function resultMessages({ chance }: Draw, calls: readonly Call[], language: Language): Message[] {
  const facts = FAMILIES[chance.pick(Object.keys(FAMILIES))]?.facts ?? {}
  const keys = chance.sample(
    Object.keys(facts),
    chance.weighted([
      [1, 4],
      [2, 4],
      [3, 1],
    ]),
  )
  const plain = chance.maybe(0.25)
  const results = calls.map(call => {
    const subject = String(Object.values(call.arguments)[0])
    const values = keys.map(key => [key, facts[key]?.(chance) ?? 0] as const)
    const content = plain
      ? values.map(([, value]) => String(value)).join(', ')
      : JSON.stringify(Object.fromEntries(values))
    const words = plain ? content : values.map(([key, value]) => `${key} ${value}`).join(', ')
    return {
      subject,
      words,
      content: plain || chance.maybe(0.4) ? content : content.replace(/":/g, '": ').replace(/,"/g, ', "'),
    }
  })
  const parts = results.map(({ subject, words }) =>
    language === 'zh' ? `${subject}：${words}` : `${subject}: ${words}`,
  )
  const reply = language === 'zh' ? `结果如下。${parts.join('；')}。` : `Here is the result. ${parts.join('; ')}.`
  return [...results.map(({ content }): Message => ({ role: 'tool', content })), { role: 'assistant', content: reply }]
}

/** One tool, or two, for conversations that do not need them. */
export function idleTools({ chance, names }: Draw): Tool[] {
  const key = chance.pick(Object.keys(FAMILIES))
  const family = FAMILIES[key]
  if (!family) return []
  const tool = makeTool(
    chance,
    chance.pick(family.names),
    chance.maybe(0.2) ? madeName(chance, names) : chance.pick(family.args),
    family,
    undefined,
    false,
  )
  return chance.maybe(0.12) ? [tool, otherTool(chance, key)] : [tool]
}

/** A tool description as clients write them, longer or shorter. */
export function makeTool(
  chance: Chance,
  name: string,
  argument: string,
  family: Family,
  extra: 'unit' | 'days' | undefined,
  made: boolean,
): Tool {
  const described = chance.maybe(0.45)
  const main: Record<string, unknown> = { type: 'string' }
  if (chance.maybe(0.38))
    main.description = chance.pick([
      'The city',
      'The city and state, e.g. San Francisco, CA',
      'The city and state, e.g. San Francisco, CA',
      'City and country e.g. Bogotá, Colombia',
      'City name',
      '城市名称',
      'Name of the place',
      'The name to look up',
      'e.g. Berlin',
    ])
  const properties: Record<string, unknown> = { [argument]: main }
  if (extra === 'unit')
    properties.unit = chance.maybe(0.8) ? { type: 'string', enum: ['celsius', 'fahrenheit'] } : { type: 'string' }
  if (extra === 'days') properties.days = { type: 'integer' }
  const parameters: Record<string, unknown> = {
    type: 'object',
    properties,
    ...(chance.maybe(0.85) ? { required: [argument] } : {}),
    ...(chance.maybe(0.12) ? { additionalProperties: false } : {}),
  }
  const head: { name: string; description?: string } = { name }
  if (described)
    head.description =
      made && chance.maybe(0.3) ? `${capital(name)}.` : chance.pick(family.about) + chance.pick(['', '.', ''])
  return { type: 'function', function: { ...head, parameters, ...(chance.maybe(0.06) ? { strict: true } : {}) } }
}

function otherTool(chance: Chance, key: string): Tool {
  const other = FAMILIES[chance.pick(Object.keys(FAMILIES).filter(name => name !== key))]
  if (!other) throw new RangeError('no other family')
  return makeTool(chance, chance.pick(other.names), chance.pick(other.args), other, undefined, false)
}

function madeName(chance: Chance, names: Names): string {
  const parts = Array.from({ length: chance.between(1, 2) }, () => names.pseudo(chance, 'en'))
  return chance.maybe(0.7) ? parts.join('_') : parts.map((part, i) => (i ? capital(part) : part)).join('')
}

function join(chance: Chance, values: readonly string[], language: Language): string {
  if (values.length === 1) return values[0] ?? ''
  if (language === 'zh') return values.slice(0, -1).join('、') + chance.pick(OUTER.zh) + (values.at(-1) ?? '')
  const comma = values.length > 2 && chance.maybe(0.5) ? ', and ' : chance.pick(OUTER.en)
  return values.slice(0, -1).join(', ') + comma + (values.at(-1) ?? '')
}

/** As casual(), but the names keep their letters: the call has to spell them as the user did. */
function casualKeepNames(chance: Chance, text: string, values: readonly string[]): string {
  const out = casual(chance, text)
  return values.every(value => out.includes(value)) ? out : text
}
