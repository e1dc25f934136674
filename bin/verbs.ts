import { type ParseArgsOptionsConfig, parseArgs } from 'node:util'
import type { Static, TSchema } from 'typebox'
import { systemClock } from '../src/lib/clock.ts'
import { type Asked, type Call, type Query, withCalls } from './calling.ts'
import { Refused, UsageError } from './run.ts'
import { configHere } from './surroundings.ts'

/** Options by name: with a text, with one or several texts, or without any. */
type Options = Readonly<Record<string, 'text' | 'texts' | 'flag'>>
type NamesOf<Known extends Options, Kind> = {
  [Name in keyof Known]: Known[Name] extends Kind ? Name : never
}[keyof Known] &
  string

/** What a verb is run with. */
export interface Told<Known extends Options = Record<never, never>> {
  text(name: NamesOf<Known, 'text'>): string | undefined
  /** Undefined when the option was not given. */
  texts(name: NamesOf<Known, 'texts'>): string[] | undefined
  flag(name: NamesOf<Known, 'flag'>): boolean
  /** As many as the verb takes. */
  words: readonly string[]
  call: Call
  /** Writes to standard output: the value as JSON where that is asked for, otherwise the text. */
  print(value: unknown, text: () => string): void
  /** A sentence beside what was asked for, on standard error; not with `--json`. */
  note(sentence: string): void
  nowMs: number
}

/** What can be done: `parlance <command> <verb> …`. */
export interface Verb {
  run(name: string, args: string[]): Promise<void>
}

interface Declared<Known extends Options> {
  /** What must follow it, such as `ID`. */
  takes?: readonly string[]
  options?: Known
  /** `server`: it is the same for all organisations, so none can be chosen. */
  of?: 'organization' | 'server'
  run(told: Told<Known>): Promise<void>
}

/** Declares a verb. Options that it does not name are refused. */
export function verb<const Known extends Options>(declared: Declared<Known>): Verb {
  const { takes = [], options = {}, of = 'organization' } = declared
  const place: Options = of === 'server' ? {} : { organization: 'text' }
  const all: Options = { 'data-dir': 'text', json: 'flag', ...place, ...options }
  return {
    async run(name, given) {
      const args = withNumbers(given, all)
      const { values, positionals: words } = parseArgs({ args, allowPositionals: true, options: configOf(all) })
      if (words.length !== takes.length) throw new UsageError(`Use it so: \`parlance ${[name, ...takes].join(' ')}\`.`)
      const text = (option: string) => {
        const value = values[option]
        return typeof value === 'string' ? value : undefined
      }
      const config = configHere({ data_dir: text('data-dir') })
      const json = values.json === true
      await withCalls(config, text('organization'), call =>
        declared.run({
          text,
          texts(option) {
            const value = values[option]
            return Array.isArray(value) ? value.map(String) : undefined
          },
          flag: option => values[option] === true,
          words,
          call,
          print(value, shown) {
            process.stdout.write(json ? `${JSON.stringify(value, undefined, 2)}\n` : shown())
          },
          note(sentence) {
            if (!json) process.stderr.write(`${sentence}\n`)
          },
          nowMs: systemClock.now(),
        }),
      ).catch(organizationUnknown(text('organization')))
    },
  }
}

/** Words that begin as negative numbers are no options: they are told what is wrong with them as numbers. */
function withNumbers(args: readonly string[], options: Options): string[] {
  const isNumber = (arg: string | undefined) => arg !== undefined && /^-[\d.]/.test(arg)
  const isOption = (arg: string | undefined) =>
    arg?.startsWith('--') === true && (options[arg.slice(2)] ?? 'flag') !== 'flag'
  const words = args.filter((arg, place) => isNumber(arg) && !isOption(args[place - 1]))
  const others = args.flatMap((arg, place) => {
    if (isNumber(arg)) return []
    return isOption(arg) && isNumber(args[place + 1]) ? [`${arg}=${args[place + 1]}`] : [arg]
  })
  return words.length === 0 ? others : [...others, ...(others.includes('--') ? [] : ['--']), ...words]
}

/** For `catch`: where to look for organisations. */
const organizationUnknown =
  (asked: string | undefined) =>
  (error: unknown): never => {
    if (asked !== undefined && error instanceof Refused && error.status === 404 && error.message.includes(`'${asked}'`))
      throw new UsageError(`There is no organisation '${asked}'. \`parlance organizations list\` shows them.`)
    throw error
  }

const configOf = (options: Options): ParseArgsOptionsConfig =>
  Object.fromEntries(
    Object.entries(options).map(([name, kind]) => [
      name,
      { type: kind === 'flag' ? 'boolean' : 'string', multiple: kind === 'texts' },
    ]),
  )

/** A command made of verbs. @param usual the one that is meant when none is named */
export const command =
  (name: string, verbs: Readonly<Record<string, Verb>>, usual: string) =>
  async (args: string[]): Promise<number> => {
    const [first] = args
    const isNamed = first !== undefined && !first.startsWith('-')
    const asked = isNamed ? first : usual
    const found = Object.hasOwn(verbs, asked) ? verbs[asked] : undefined
    if (found === undefined)
      throw new UsageError(
        `There is no \`${name} ${asked}\`: use ${Object.keys(verbs)
          .join(', ')
          .replace(/, (\w+)$/, ' or $1')}.`,
      )
    await found.run(`${name} ${asked}`, isNamed ? args.slice(1) : args)
    return 0
  }

/** At most so many pages of a hundred. */
const pagesMax = 1000

/** Everything in a list, page by page. */
export async function everyItem<Item, Reply extends TSchema>(
  call: Call,
  id: string,
  asked: Asked<Reply> & { itemsOf(page: Static<Reply>): { data: Item[]; last_id: string | null; has_more: boolean } },
): Promise<Item[]> {
  const items: Item[] = []
  let after: string | undefined
  for (let page = 0; page < pagesMax; page++) {
    const query: Query = { ...asked.query, limit: 100, after }
    const { data, last_id: last, has_more: hasMore } = asked.itemsOf(await call(id, { ...asked, query }))
    items.push(...data)
    if (!hasMore || last === null) return items
    after = last
  }
  throw new Error(`There are more than ${pagesMax * 100} entries: ask the API for them, page by page.`)
}
