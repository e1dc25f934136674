/**
 * How fast are texts turned into tokens, beside gpt-tokenizer and tiktoken (WebAssembly)?
 *
 *   taskset -c 1 node --expose-gc bench/tokens.ts [folder]
 *
 * The folder holds `english.txt`, `code.txt` and `chinese.txt`, some megabytes of natural text each; without it the first two are
 * the README files and sources of the installed packages, and Chinese is left out. Each text is cut into parts and every part is
 * given to each library once, in alternating order, so that no cache can know it; numbers are medians over the parts, by processor
 * time, because it is less disturbed by other work than the clock. Prints rows for results.md.
 */
import { execFileSync } from 'node:child_process'
import { globSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire, stripTypeScriptTypes } from 'node:module'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { get_encoding } from 'tiktoken'
import { getEncoding, loadEncoding } from '../src/tokens/index.ts'

const require = createRequire(import.meta.url)
const root = fileURLToPath(new URL('..', import.meta.url))
const names = ['cl100k_base', 'o200k_base'] as const
type Name = (typeof names)[number]

const partCount = 12
/** The first parts warm up the compiler. */
const warmCount = 4
const chunkUnits = 4_000

async function main(folder: string | undefined): Promise<void> {
  await lag()
  speed(folder === undefined ? installedTexts() : textsIn(folder))
  hostile()
  start()
}

interface GptTokenizer {
  encode(text: string, options: { disallowedSpecial: Set<string> }): number[]
}

function libraries(name: Name): Map<string, (text: string) => number> {
  const ours = getEncoding(name)
  const gptTokenizer: GptTokenizer = require(`gpt-tokenizer/cjs/encoding/${name}`)
  const tiktoken = get_encoding(name)
  const disallowedSpecial = new Set<string>()
  return new Map([
    ['parlance', (text: string) => ours.encodeOrdinary(text).length],
    ['gpt-tokenizer', (text: string) => gptTokenizer.encode(text, { disallowedSpecial }).length],
    ['tiktoken', (text: string) => tiktoken.encode_ordinary(text).length],
  ])
}

function speed(texts: Map<string, string>): void {
  console.log(
    '\n| encoding | text | MB | parlance MB/s | gpt-tokenizer MB/s | tiktoken MB/s | times the faster of them |',
  )
  console.log('|---|---|---|---|---|---|---|')
  for (const [textName, text] of texts) {
    for (const name of names) {
      const rates = new Map<string, number[]>()
      const each = [...libraries(name)]
      for (const [i, part] of cut(text, Math.ceil(text.length / partCount)).entries()) {
        const chunks = cut(part, chunkUnits)
        const bytes = Buffer.byteLength(part)
        const counts = new Set<number>()
        for (const [library, count] of i % 2 === 0 ? each : each.toReversed()) {
          let tokens = 0
          const ms = processorMs(() => {
            for (const chunk of chunks) tokens += count(chunk)
          })
          counts.add(tokens)
          if (i >= warmCount) rates.set(library, [...(rates.get(library) ?? []), bytes / ms / 1000])
        }
        if (counts.size !== 1) throw new Error(`the libraries disagree on ${textName} in ${name}: ${[...counts]}`)
      }
      const [ours = 0, second = 0, third = 0] = [...rates.values()].map(median)
      const row = [ours, second, third].map(rate => rate.toFixed(1))
      const megabytes = (Buffer.byteLength(text) / 1e6).toFixed(1)
      console.log(`| ${[name, textName, megabytes, ...row, (ours / Math.max(second, third)).toFixed(1)].join(' | ')} |`)
    }
  }
}

function hostile(): void {
  console.log('\n| encoding | run of | parlance, 1 MB, ms | gpt-tokenizer, 10 kB, ms | tiktoken, 10 kB, ms |')
  console.log('|---|---|---|---|---|')
  for (const name of names) {
    const others = [...libraries(name)].flatMap(([library, count]) => (library === 'parlance' ? [] : [count]))
    for (const unit of ['a', ' ', '的', '^', 'ab']) {
      const run = (sizeBytes: number) => unit.repeat(Math.floor(sizeBytes / Buffer.byteLength(unit)))
      const ours = getEncoding(name)
      const large = median([1, 2, 3].map(() => processorMs(() => ours.count(run(1_000_000)))))
      const small = others.map(count => processorMs(() => count(run(10_000))))
      console.log(`| ${[name, JSON.stringify(unit), ...[large, ...small].map(ms => ms.toFixed(1))].join(' | ')} |`)
    }
    const random = randomLetters(1_000_000)
    console.log(`| ${name} | random letters | ${processorMs(() => getEncoding(name).count(random)).toFixed(1)} | | |`)
  }
}

/** How long the event loop is held at most while hostile megabytes are counted in slices and a table is loaded. By the clock. */
async function lag(): Promise<void> {
  console.log('\n| in slices | event loop held at most, ms |')
  console.log('|---|---|')
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  const held = async (label: string, work: () => Promise<unknown>) => {
    await setTimeout(20)
    delay.reset()
    await work()
    await setTimeout(5)
    console.log(`| ${label} | ${(delay.max / 1e6).toFixed(1)} |`)
  }
  await held('loading p50k_edit', () => loadEncoding('p50k_edit'))
  await held('loading o200k_base', () => loadEncoding('o200k_base'))
  const encoding = await loadEncoding('o200k_base')
  const random = randomLetters(1_000_000)
  await held('1 MB of random letters', () => encoding.countInSlices(random))
  await held('1 MB of "的"', () => encoding.countInSlices('的'.repeat(333_333)))
  await held('10 MB of spaces', () => encoding.countInSlices(' '.repeat(10_000_000)))
  await held('10 MB of English', () => encoding.countInSlices('The quick brown fox jumps. '.repeat(370_000)))
  delay.disable()
}

/** Start and memory in processes of their own; ours as the JavaScript that is shipped. */
function start(): void {
  console.log('\n| library | encoding | import ms | first tokens ms | memory MB |')
  console.log('|---|---|---|---|---|')
  const folder = mkdtempSync(join(root, 'node_modules', '.bench-tokens-'))
  try {
    const index = emit(folder)
    for (const name of ['r50k_base', 'p50k_base', ...names]) {
      const loads: [string, string, string][] = [
        ['parlance', index, `module.getEncoding('${name}').encode('hello world')`],
        ['gpt-tokenizer', require.resolve(`gpt-tokenizer/cjs/encoding/${name}`), `module.encode('hello world')`],
        ['tiktoken', require.resolve('tiktoken'), `module.get_encoding('${name}').encode('hello world')`],
      ]
      for (const [library, path, first] of loads) {
        const runs = [1, 2, 3, 4, 5].map(() => startOnce(folder, path, first))
        const columns = (['import', 'first', 'memory'] as const).map(key =>
          median(runs.map(run => run[key])).toFixed(1),
        )
        console.log(`| ${[library, name, ...columns].join(' | ')} |`)
      }
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

interface Start {
  import: number
  first: number
  memory: number
}

function startOnce(folder: string, path: string, first: string): Start {
  const script = join(folder, 'start.mjs')
  writeFileSync(
    script,
    `const ms = () => { const { user, system } = process.cpuUsage(); return (user + system) / 1000 }
     gc(); const before = process.memoryUsage().rss; const at = ms()
     const loaded = await import(${JSON.stringify(path)}); const module = loaded.default?.encode || loaded.default?.get_encoding ? loaded.default : loaded
     const then = ms(); ${first}; const done = ms(); gc()
     console.log(JSON.stringify({ import: then - at, first: done - then, memory: (process.memoryUsage().rss - before) / 1e6 }))`,
  )
  return JSON.parse(execFileSync(process.execPath, ['--expose-gc', script], { encoding: 'utf8' }))
}

/** Writes the folder as JavaScript. @returns the path of its index */
function emit(folder: string): string {
  for (const [from, to] of [
    ['src/tokens', 'tokens'],
    ['src/lib', 'lib'],
  ] as const) {
    execFileSync('mkdir', ['-p', join(folder, to)])
    for (const file of readdirSync(join(root, from))) {
      if (!file.endsWith('.ts') || file.endsWith('.test.ts')) continue
      const code = stripTypeScriptTypes(readFileSync(join(root, from, file), 'utf8')).replace(/\.ts'/g, ".js'")
      writeFileSync(join(folder, to, file.replace(/\.ts$/, '.js')), code)
    }
  }
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
  return join(folder, 'tokens', 'index.js')
}

const textsIn = (folder: string) =>
  new Map(['english', 'code', 'chinese'].map(name => [name, readFileSync(join(folder, `${name}.txt`), 'utf8')]))

function installedTexts(): Map<string, string> {
  const read = (pattern: string) =>
    globSync(pattern, { cwd: root })
      .sort()
      .map(path => readFileSync(join(root, path), 'utf8'))
      .join('\n')
      .slice(0, 3_000_000)
  return new Map([
    ['english', read('node_modules/*/README.md')],
    ['code', read('node_modules/{fastify,undici,kysely}/{lib,dist/esm}/**/*.js')],
  ])
}

function cut(text: string, units: number): string[] {
  const parts: string[] = []
  for (let at = 0; at < text.length; at += units) parts.push(text.slice(at, at + units))
  return parts
}

function randomLetters(length: number): string {
  let state = 1
  const letters = Array.from({ length }, () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    return String.fromCharCode(97 + ((state >>> 16) % 26))
  })
  return letters.join('')
}

function processorMs(work: () => void): number {
  const before = process.cpuUsage()
  work()
  const { user, system } = process.cpuUsage(before)
  return Math.max(user + system, 1) / 1000
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
}

await main(process.argv[2])
