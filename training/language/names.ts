/** Words and names for the slots of the templates. A tenth of every list is held out: training never sees it. */

import type { Chance } from './random.ts'
import { hash } from './random.ts'
import type { Sources } from './sources.ts'

export type Language = 'en' | 'zh'

/** `train` draws from the names that training may see, `held` from the others. */
export type Side = 'train' | 'held'

/** True for names that belong to the held-out tenth. */
export function isHeld(name: string): boolean {
  return hash(name.toLowerCase()) % 10 === 0
}

/** Chinese cities, districts and counties, written down for this project. */
const ZH_CITIES =
  '北京 上海 广州 深圳 天津 重庆 成都 杭州 武汉 西安 南京 苏州 长沙 郑州 青岛 大连 宁波 厦门 福州 济南 合肥 昆明 沈阳 哈尔滨 长春 石家庄 太原 南昌 贵阳 南宁 兰州 海口 三亚 银川 西宁 拉萨 乌鲁木齐 呼和浩特 无锡 常州 徐州 南通 扬州 温州 嘉兴 绍兴 金华 台州 烟台 潍坊 洛阳 开封 珠海 佛山 东莞 中山 惠州 汕头 桂林 柳州 泉州 漳州 大理 丽江 遵义 绵阳 宜昌 襄阳 岳阳 株洲 芜湖 黄山 九江 赣州 唐山 保定 大同 包头 鞍山 吉林 大庆 香港 澳门 台北 高雄 东京 大阪 京都 首尔 曼谷 新加坡 伦敦 巴黎 柏林 罗马 马德里 莫斯科 纽约 洛杉矶 旧金山 芝加哥 波士顿 西雅图 多伦多 悉尼 墨尔本 开罗 迪拜 孟买 新德里 维也纳 日内瓦 阿姆斯特丹 布鲁塞尔 雅典 利马 河内 吉隆坡 雅加达 马尼拉'.split(
    ' ',
  )
const ZH_SURNAMES =
  '王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾肖田董潘袁蔡蒋余于杜叶程魏苏吕丁任沈'
const ZH_GIVEN =
  '伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉兰建国文辉力宇浩然子涵雨欣梓轩思远若晨天佑嘉怡欣悦志强晓东小红海燕春梅'
const ZH_PLACE =
  '安白宝昌长城川大丹德东丰抚阜港高谷关广桂海汉河衡红湖华淮黄吉济嘉江金锦晋荆景靖九喀凯克莱兰乐离丽连凉林临岭柳龙庐洛绿马茂湄蒙绵南宁牛平浦祁庆清曲泉荣沙山陕上邵石双松苏宿遂塔泰滕通同铜渭文乌梧武西溪咸湘新兴秀宣雅延盐扬阳姚伊宜银营永玉源岳云湛张昭漳镇中舟珠淄遵州市县镇岛'

const ONSETS = [
  'b',
  'br',
  'c',
  'ch',
  'd',
  'dr',
  'f',
  'fl',
  'g',
  'gl',
  'h',
  'j',
  'k',
  'kr',
  'l',
  'm',
  'n',
  'p',
  'pl',
  'qu',
  'r',
  's',
  'sh',
  'sk',
  'st',
  't',
  'th',
  'tr',
  'v',
  'w',
  'y',
  'z',
  '',
]
const VOWELS = ['a', 'e', 'i', 'o', 'u', 'ai', 'ea', 'ee', 'ia', 'io', 'oa', 'oo', 'ou', 'y']
const CODAS = [
  '',
  '',
  '',
  'b',
  'ck',
  'd',
  'f',
  'g',
  'l',
  'll',
  'm',
  'n',
  'nd',
  'ng',
  'nt',
  'p',
  'r',
  'rn',
  's',
  'st',
  't',
  'x',
  'z',
]

export interface Names {
  /** City names, real or made up. */
  city(chance: Chance, language: Language): string
  /** First names of people. */
  person(chance: Chance, language: Language): string
  /** An English word in small letters, or a Chinese word. */
  word(chance: Chance, language: Language): string
  /** A word that does not exist, in small letters (or Chinese characters that make no word). */
  pseudo(chance: Chance, language: Language): string
  /** Things people buy or review. */
  thing(chance: Chance, language: Language): string
  /** A short Chinese or English sentence. */
  sentence(chance: Chance, language: Language): string
  /** Held-out or training member of any list, by the same rule as the others. */
  choose<T extends string>(chance: Chance, list: readonly T[]): T
}

/** The names of one side. */
export function makeNames(sources: Sources, side: Side): Names {
  const mine = (list: readonly string[]): string[] =>
    [...new Set(list)].filter(name => name && isHeld(name) === (side === 'held'))
  const cities = mine(englishCities(sources))
  const people = mine(strings(sources.corpora('humans/firstNames')))
  const words = mine(englishWords(sources))
  const zhCities = mine(ZH_CITIES)
  const common = mine(sources.pairs.flatMap(([, zh]) => zh.match(/[\u4e00-\u9fff]{2}/gu) ?? []))
  const characters = [...new Set(sources.pairs.flatMap(([, zh]) => zh.match(/[\u4e00-\u9fff]/gu) ?? []))]
  const sentences = {
    en: mine(sources.pairs.map(([en]) => en)).filter(s => s.split(' ').length <= 8 && !s.includes('"')),
    zh: mine(sources.pairs.map(([, zh]) => zh)).filter(s => s.length <= 12 && !/[“”"]/.test(s)),
  }
  const things = { en: mine(englishThings(sources)), zh: side === 'held' ? ZH_HELD_THINGS : ZH_THINGS }
  const again = (make: () => string): string => {
    for (;;) {
      const name = make()
      if (isHeld(name) === (side === 'held')) return name
    }
  }
  const pseudo = (chance: Chance, language: Language): string =>
    again(() =>
      language === 'zh'
        ? Array.from({ length: chance.between(2, 3) }, () => chance.pick(characters)).join('')
        : syllables(
            chance,
            chance.weighted([
              [1, 2],
              [2, 5],
              [3, 2],
            ]),
          ),
    )
  return {
    pseudo,
    choose: (chance, list) => chance.pick(list.filter(name => isHeld(name) === (side === 'held'))),
    city(chance, language) {
      if (language === 'zh') {
        if (chance.maybe(0.45)) return chance.pick(zhCities)
        return again(() =>
          Array.from(
            {
              length: chance.weighted([
                [2, 6],
                [3, 3],
                [4, 1],
              ]),
            },
            () => chance.pick([...ZH_PLACE]),
          ).join(''),
        )
      }
      if (chance.maybe(0.5)) return chance.pick(cities)
      const name = capital(pseudo(chance, 'en'))
      return chance.maybe(0.12)
        ? `${chance.pick(['New', 'Saint', 'Port', 'North', 'Los', 'San', 'El', 'Fort'])} ${name}`
        : name
    },
    person(chance, language) {
      if (language === 'zh')
        return again(() => chance.pick([...ZH_SURNAMES]) + sampleOf(chance, ZH_GIVEN, chance.between(1, 2)))
      return chance.maybe(0.6) ? chance.pick(people) : capital(pseudo(chance, 'en'))
    },
    word: (chance, language) => chance.pick(language === 'zh' ? common : words),
    thing: (chance, language) => chance.pick(things[language]),
    sentence: (chance, language) => chance.pick(sentences[language]),
  }
}

export function capital(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1)
}

const ZH_THINGS =
  '手机 电脑 耳机 相机 电影 书 餐厅 酒店 咖啡 面条 火锅 外卖 衣服 鞋子 裙子 背包 手表 键盘 鼠标 显示器 冰箱 洗衣机 空调 电视 游戏 软件 课程 老师 服务 快递 客服 房间 早餐 蛋糕 水果 牛奶 茶 啤酒 玩具 沙发 床垫 台灯 雨伞 自行车 汽车 旅行 景点 演出 音乐 小说'.split(
    ' ',
  )

const ZH_HELD_THINGS = ['台历', '水壶', '行李箱', '花瓶', '望远镜', '出租车']

function syllables(chance: Chance, count: number): string {
  let out = ''
  for (let i = 0; i < count; i++)
    out += chance.pick(ONSETS) + chance.pick(VOWELS) + (i + 1 === count || chance.maybe(0.3) ? chance.pick(CODAS) : '')
  return out.length < 3 ? out + chance.pick(['lo', 'ran', 'mek', 'tis']) : out
}

function sampleOf(chance: Chance, characters: string, count: number): string {
  return Array.from({ length: count }, () => chance.pick([...characters])).join('')
}

/** All strings inside a JSON value, descriptions and sources left out. */
export function strings(value: unknown): string[] {
  if (typeof value === 'string') return [value]
  if (Array.isArray(value)) return value.flatMap(strings)
  if (value !== null && typeof value === 'object') {
    return Object.entries(value).flatMap(([key, inner]) => (/descri|source|url|link/i.test(key) ? [] : strings(inner)))
  }
  return []
}

function englishCities(sources: Sources): string[] {
  const us = sources.corpora('geography/us_cities') as { cities: { city: string }[] }
  const all = [
    ...us.cities.map(({ city }) => city),
    ...strings(sources.corpora('geography/english_towns_cities')),
    ...sources.capitals,
  ]
  return all.filter(name => /^[A-Z][A-Za-z]+( [A-Z][A-Za-z]+){0,2}$/.test(name))
}

function englishWords(sources: Sources): string[] {
  const lists = [
    'words/common',
    'words/nouns',
    'words/adjs',
    'words/adverbs',
    'animals/common',
    'foods/fruits',
    'objects/objects',
  ]
  return lists.flatMap(path => strings(sources.corpora(path))).filter(word => /^[a-z]{2,12}$/.test(word))
}

function englishThings(sources: Sources): string[] {
  const lists = [
    'objects/objects',
    'technology/appliances',
    'foods/fruits',
    'foods/sandwiches',
    'objects/clothing',
    'music/instruments',
  ]
  const own =
    'movie film book restaurant hotel phone laptop camera service course game album show play soup coffee dinner room staff app website headset charger sofa bike trip tour museum concert pizza burger salad cake tea product seller delivery support'.split(
      ' ',
    )
  return [...own, ...own, ...lists.flatMap(path => strings(sources.corpora(path)))].filter(word =>
    /^[a-z ]{3,16}$/.test(word),
  )
}
