/** Reads the raw data sets into texts and pairs of texts that mean nearly the same. Needs `xz` and `unzip` on the path. */
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

export interface Pair {
  readonly source: string
  readonly a: string
  readonly b: string
  /** Pairs of one group mean the same: they are never negatives of one another. */
  readonly group: string
}

export interface Utterance {
  readonly source: string
  readonly text: string
  readonly intent: string
}

export interface Synset {
  readonly id: string
  readonly members: readonly string[]
  readonly definition: readonly string[]
  readonly example: readonly string[]
}

/** Utterances with intents: English from BANKING77, CLINC150 and HWU64; Chinese from CrossWOZ (intent = set of dialogue acts). */
export function readUtterances(data: string): Utterance[] {
  const found: Utterance[] = []
  for (const file of ['train.csv.xz', 'test.csv.xz']) {
    for (const [text, category] of readCsv(unpack(join(data, 'banking77', file))).slice(1)) {
      if (text !== undefined && category !== undefined) found.push({ source: 'banking77', text, intent: category })
    }
  }
  const clinc: Record<string, [string, string][]> = JSON.parse(unpack(join(data, 'clinc150', 'data_full.json.xz')))
  for (const part of ['train', 'val', 'test']) {
    for (const [text, intent] of clinc[part] ?? []) found.push({ source: 'clinc150', text, intent })
  }
  for (const line of lines(unpack(join(data, 'hwu64', 'hwu64.jsonl.xz')))) {
    const { text, intent }: { text: string; intent: string } = JSON.parse(line)
    found.push({ source: 'hwu64', text, intent })
  }
  for (const turn of readCrosswoz(data)) {
    if (turn.acts !== '') found.push({ source: 'crosswoz', text: turn.text, intent: turn.acts })
  }
  return found
}

/** English sentences with their Chinese translations. */
export function readTatoeba(data: string): { en: string; zh: string }[] {
  return lines(unpack(join(data, 'tatoeba-en-zh', 'cmn.txt.xz'))).flatMap(line => {
    const [en, zh] = line.split('\t')
    return en && zh ? [{ en, zh }] : []
  })
}

export function readWordnet(data: string): Synset[] {
  return lines(unpack(join(data, 'wordnet', 'synsets.jsonl.xz'))).map((line, i) => ({
    ...(JSON.parse(line) as Omit<Synset, 'id'>),
    id: `synset ${i}`,
  }))
}

/** The other pairs: command descriptions in two languages, neighbouring sentences and turns, questions and answers, capitals. */
export function readNeighbours(data: string): Pair[] {
  return [
    ...readTldr(data),
    ...readBooks(data),
    ...readDialogues(data),
    ...readProblems(data),
    ...readInstructions(data),
    ...readSmallTalk(data),
    ...readCountries(data),
  ]
}

/** Texts without a partner that only feed the word statistics. */
export function readPlainTexts(data: string): string[] {
  const texts: string[] = []
  for (const file of readdirSync(join(data, 'taskmaster')).filter(name => name.endsWith('.json.xz'))) {
    const dialogues: { utterances: { text: string }[] }[] = JSON.parse(unpack(join(data, 'taskmaster', file)))
    for (const dialogue of dialogues) for (const { text } of dialogue.utterances) texts.push(text)
  }
  for (const line of lines(unpack(join(data, 'goemotions', 'train.tsv.xz')))) texts.push(line.split('\t')[0] ?? '')
  return texts
}

function readTldr(data: string): Pair[] {
  const pages = (file: string) => unpack(join(data, 'tldr', file)).split(/^(?=# )/mu)
  const english = new Map<string, { about: string; examples: Map<string, string> }>()
  const found: Pair[] = []
  for (const page of pages('en.txt.xz')) {
    const read = readPage(page)
    if (!english.has(read.name)) english.set(read.name, read)
    const texts = [...read.examples.values()]
    texts.forEach((text, i) => {
      found.push({ source: 'tldr', a: `${read.name}: ${read.about}`, b: text, group: `tldr ${read.name}` })
      const command = [...read.examples.keys()][i]
      if (command) found.push({ source: 'tldr', a: text, b: command, group: `tldr ${read.name}` })
    })
  }
  for (const page of pages('zh.txt.xz')) {
    const read = readPage(page)
    const twin = english.get(read.name)
    if (!twin) continue
    found.push({ source: 'tldr-zh', a: twin.about, b: read.about, group: `tldr ${read.name}` })
    for (const [command, text] of read.examples) {
      const other = twin.examples.get(command)
      if (other) found.push({ source: 'tldr-zh', a: other, b: text, group: `tldr ${read.name} ${command}` })
    }
  }
  return found
}

function readPage(page: string): { name: string; about: string; examples: Map<string, string> } {
  const rows = page.split('\n')
  const name = (rows[0] ?? '').replace(/^# /, '')
  const about = (rows.find(row => row.startsWith('> ')) ?? '').slice(2)
  const examples = new Map<string, string>()
  let text = ''
  for (const row of rows) {
    if (row.startsWith('- ')) text = row.slice(2)
    // Placeholders are worded in the page's language: only what stands around them identifies the example.
    else if (row.startsWith('`') && text !== '')
      examples.set(row.replace(/\{\{.*?\}\}/gu, '').replaceAll('`', ''), text)
  }
  return { name, about, examples }
}

function readBooks(data: string): Pair[] {
  const found: Pair[] = []
  for (const file of readdirSync(join(data, 'standardebooks')).sort()) {
    if (!/\.txt(\.xz)?$/.test(file) || file === 'SOURCE.txt') continue
    const path = join(data, 'standardebooks', file)
    const text = file.endsWith('.xz') ? unpack(path) : readFileSync(path, 'utf8')
    const sentences = (text.match(/[^.!?\n]{15,}[.!?]+/gu) ?? []).map(one => one.trim())
    sentences.forEach((a, i) => {
      const b = sentences[i + 1]
      if (b) found.push({ source: 'standardebooks', a, b, group: `${file} ${i}` })
    })
  }
  return found
}

function readDialogues(data: string): Pair[] {
  const found: Pair[] = []
  for (const file of readdirSync(join(data, 'kdconv')).filter(name => name.endsWith('.json.xz'))) {
    const dialogues: { messages: { message: string }[] }[] = JSON.parse(unpack(join(data, 'kdconv', file)))
    dialogues.forEach(({ messages }, d) => {
      messages.forEach(({ message: a }, i) => {
        const b = messages[i + 1]?.message
        if (b) found.push({ source: 'kdconv', a, b, group: `${file} ${d}` })
      })
    })
  }
  const turns = readCrosswoz(data)
  turns.forEach((turn, i) => {
    const next = turns[i + 1]
    if (next?.dialogue === turn.dialogue) {
      found.push({ source: 'crosswoz', a: turn.text, b: next.text, group: `crosswoz ${turn.dialogue}` })
    }
  })
  return found
}

interface Turn {
  readonly dialogue: string
  readonly text: string
  readonly acts: string
}

function readCrosswoz(data: string): Turn[] {
  const turns: Turn[] = []
  for (const [archive, member] of [
    ['val.json.zip', 'val.json'],
    ['test.json.zip', 'test.json'],
  ] as const) {
    const path = join(data, 'crosswoz', archive)
    const json = execFileSync('unzip', ['-p', path, member], { encoding: 'utf8', maxBuffer: 1 << 28 })
    const dialogues: Record<string, { messages: { content: string; dialog_act: string[][] }[] }> = JSON.parse(json)
    for (const [id, { messages }] of Object.entries(dialogues)) {
      for (const { content, dialog_act: acts } of messages) {
        const named = new Set(acts.map(act => act.slice(0, 3).join(' ')))
        turns.push({ dialogue: `${member} ${id}`, text: content, acts: [...named].sort().join(' + ') })
      }
    }
  }
  return turns
}

function readProblems(data: string): Pair[] {
  return lines(unpack(join(data, 'gsm8k', 'train.jsonl.xz'))).map((line, i) => {
    const { question, answer }: { question: string; answer: string } = JSON.parse(line)
    return { source: 'gsm8k', a: question, b: answer.replace(/<<.*?>>/gu, ''), group: `gsm8k ${i}` }
  })
}

function readInstructions(data: string): Pair[] {
  const found: Pair[] = []
  for (const file of ['seed_tasks.jsonl', 'user_oriented_instructions.jsonl']) {
    for (const line of lines(readFileSync(join(data, 'self-instruct-seeds', file), 'utf8'))) {
      const task: { instruction: string; instances: { input: string; output: string }[] } = JSON.parse(line)
      for (const { input, output } of task.instances.slice(0, 3)) {
        const text = `${input} ${output}`.slice(0, 600)
        found.push({ source: 'self-instruct-seeds', a: task.instruction, b: text, group: task.instruction })
      }
    }
  }
  return found
}

function readSmallTalk(data: string): Pair[] {
  const found: Pair[] = []
  for (const file of readdirSync(join(data, 'chatterbot'))
    .filter(name => name.endsWith('.yml'))
    .sort()) {
    let question = ''
    for (const row of readFileSync(join(data, 'chatterbot', file), 'utf8').split('\n')) {
      const first = /^- - (.+)$/u.exec(row)?.[1]
      const answer = /^ {2}- (.+)$/u.exec(row)?.[1]
      if (first) question = first
      else if (answer && question)
        found.push({ source: 'chatterbot', a: question, b: answer, group: `${file} ${question}` })
    }
  }
  return found
}

function readCountries(data: string): Pair[] {
  const table = (fact: string): Record<string, string>[] =>
    JSON.parse(readFileSync(join(data, 'country-json', `country-by-${fact}.json`), 'utf8'))
  const found: Pair[] = []
  const add = (country: string | undefined, value: unknown, phrase: string) => {
    if (!country || typeof value !== 'string' || value === '') return
    found.push({ source: 'country-json', a: country, b: value, group: `country ${country}` })
    found.push({ source: 'country-json', a: `${phrase} ${country}`, b: value, group: `country ${country}` })
  }
  for (const row of table('capital-city')) add(row.country, row.city, 'capital city of')
  for (const row of table('currency-name')) add(row.country, row.currency_name, 'currency of')
  for (const row of table('region-in-world')) add(row.country, row.location, 'region of')
  return found
}

function unpack(path: string): string {
  return execFileSync('xz', ['-dc', path], { encoding: 'utf8', maxBuffer: 1 << 28 })
}

function lines(text: string): string[] {
  return text.split('\n').filter(line => line.trim() !== '')
}

function readCsv(text: string): string[][] {
  const rows: string[][] = []
  let row: string[] = []
  for (const match of text.matchAll(/("(?:[^"]|"")*"|[^,\r\n]*)(,|\r?\n|$)/gu)) {
    const field = match[1] ?? ''
    row.push(field.startsWith('"') ? field.slice(1, -1).replaceAll('""', '"') : field)
    if (match[2] === ',') continue
    if (row.length > 1) rows.push(row)
    row = []
    if (match[2] === '') break
  }
  return rows
}
