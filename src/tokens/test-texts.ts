import type { Random } from '../lib/random.ts'

/**
 * Texts for tests and benchmarks, made to find differences: random Unicode, code, Chinese, emoji with joiners, lone surrogates,
 * special tokens as text, runs of white space, base64, numbers, mixed scripts. The same source of chance gives the same texts.
 */
export function generateText(random: Random, lengthMax = 40): string {
  const kind = pick(random, kinds)
  const length = 1 + (random.uint32() % lengthMax)
  let text = ''
  while (text.length < length) text += kind(random)
  return text
}

const pick = <T>(random: Random, from: readonly T[]): T => from[random.uint32() % from.length]!

/** A code unit of any value, so that surrogates mostly stand alone. */
const anyUnit = (random: Random) => String.fromCharCode(random.uint32() & 0xffff)

const anyPoint = (random: Random) => String.fromCodePoint(random.uint32() % 0x110000)

const from = (alphabet: string) => {
  const characters = [...alphabet]
  return (random: Random) => pick(random, characters)
}

const words =
  'the of and to in is you that it he was for on are with as I his they be at one have this from or had by hot word but what some we can out other were all there when up use your how said an each she which do their time if will way about many then them write would like so these her long make thing see him two has look more day could go come did number sound no most people my over know water than call first who may down side been now find any new work part take get place made live where after back little only round man year came show every good me give our under name very through just form sentence great think say help low line differ turn cause much mean before move right boy old too same tell does set three want air well also play small end put home read hand port large spell add even land here must big high such follow act why ask men change went light kind off need house picture try us again animal point mother world near build self earth father antidisestablishmentarianism tokenization naïve façade Übergröße coöperate'.split(
    ' ',
  )

const punctuation = [
  '.',
  ',',
  '!',
  '?',
  ';',
  ':',
  '-',
  '—',
  '…',
  '"',
  "'",
  '(',
  ')',
  '[',
  ']',
  '/',
  '\\',
  '...',
  '!!',
  '§',
  '€',
]
const gaps = [
  ' ',
  ' ',
  ' ',
  '  ',
  '\n',
  '\n\n',
  '\r\n',
  '\t',
  ' \n',
  '\n ',
  '\u00a0',
  '\u3000',
  '\u2028',
  '\u0085',
  '\ufeff',
  '\v',
]
const endings = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d", "'S", "'LL", "'ſ", "'Re", '’s', "'x", "'"]
const code = [
  ...[
    'function ',
    'const ',
    'return ',
    'if (',
    ') {\n',
    '}\n',
    '  ',
    '    ',
    '\t',
    '=> ',
    '===',
    '!==',
    '&&',
    '||',
    '//',
    '/* ',
    ' */',
    '#include <',
  ],
  ...[
    'camelCase',
    'snake_case',
    'CONSTANT_CASE',
    'XMLHttpRequest',
    'i++',
    '0x7fff',
    '1e-9',
    '3.14159',
    '[0]',
    '();\n',
    '"text"',
    "'a'",
    '#{x}',
    '<div>',
    '</div>\n',
    'http://example.com/a?b=c',
    ':=',
    '::',
    '->',
    ';\n\n',
  ],
]
const emoji = ['😀', '👍🏽', '👩‍👩‍👧‍👦', '🏳️‍🌈', '❤️', '🇩🇪', '1️⃣', '\u200d', '\ufe0f', '🏽', '⌛', '𝒳', '🀄']
const specials = [
  '<|endoftext|>',
  '<|fim_prefix|>',
  '<|endofprompt|>',
  '<|im_start|>',
  '<|start|>',
  '<|',
  '|>',
  '<|reserved_200013|>',
]

const latin = from('abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ')
const chinese = from(
  '的一是不了人我在有他这为之大来以个中上们到说国和地也子时道出而要于就下得可你年生自会那后能对着事其里所去行过家十用发天如然作方成者多日都三小军二无同么经法当起与好看学进种将还分此心前面又定见只主没公从，。！？、“”：；（）《》㐀𠀀',
)
const otherScripts = from(
  'абвгдежзийклмнопрстуфхцчшщъыьэюяАБВҚәöüßéñçÅıİǅʰªλΩאבגשםتثجحخदनमस्तेกขคงあいうえおカタカナー漢字한국어조선말ქართულიᏣᎳᎩ\u0301\u0308\u0345',
)
const digits = from('0123456789٠١٢½²ⅷ㉈')
const base64 = from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=')
const symbols = from('!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~·×÷≠→■°')

const kinds: readonly ((random: Random) => string)[] = [
  anyUnit,
  anyPoint,
  random => pick(random, words) + pick(random, gaps),
  random => ` ${pick(random, words)}${random.uint32() % 4 === 0 ? pick(random, punctuation) : ''}`,
  random => pick(random, words) + pick(random, endings),
  random => pick(random, code),
  random => pick(random, code) + pick(random, words),
  chinese,
  random => chinese(random) + (random.uint32() % 6 === 0 ? latin(random) : ''),
  otherScripts,
  random => otherScripts(random) + (random.uint32() % 5 === 0 ? ' ' : ''),
  random => pick(random, emoji),
  random => pick(random, specials) + pick(random, words),
  random => pick(random, gaps),
  random => pick(random, gaps) + (random.uint32() % 3 === 0 ? pick(random, punctuation) : ''),
  base64,
  digits,
  symbols,
  latin,
  // A run of one character, and anything after anything.
  random => pick(random, [latin, chinese, symbols, digits, otherScripts])(random).repeat(1 + (random.uint32() % 9)),
  random => pick(random, [latin, chinese, symbols, digits, otherScripts, anyPoint, base64])(random),
  random =>
    pick(random, [
      pick(random, emoji),
      pick(random, endings),
      pick(random, gaps),
      pick(random, words),
      otherScripts(random),
    ]),
]
