import { PriceDeleted, PriceList, PriceObject } from '../../src/operations/organization/prices/prices.ts'
import type { UsdPrice } from '../../src/platform/prices/usd.ts'
import { Refused, UsageError } from '../run.ts'
import { table } from '../table.ts'
import { dollars, minute, moment, plain, usd } from '../values.ts'
import { command, type Told, verb } from '../verbs.ts'

export const help = `parlance prices: what models cost, beside the prices in parlance.yaml. Zero is a price.

  prices list              Prices that were set here.
  prices set MODEL         Set what a model costs. It takes the place of the price in the settings.
      --input USD          A million tokens of the input, --output USD of the output,
                           --cached-input USD of input that came from a cache.
      --image SIZE=USD     An image; once for each size and quality: 1024x1024=0.04,
                           "1024x1024 hd=0.08", any=0.02.
      --audio-minute USD   Or --audio-second; --speech for a million characters that are read out;
                           --storage-gb-day; --code-session; --call.
      --from WHEN          From this date or moment on. Default: now.
  prices remove MODEL      That of the settings counts again.

  With each: --json, --data-dir FOLDER.
`

/** Options with one amount, and what they are called in a price. */
const amounts = {
  input: 'input',
  output: 'output',
  'cached-input': 'cached_input',
  'audio-second': 'audio_second',
  'audio-minute': 'audio_minute',
  speech: 'speech',
  'storage-gb-day': 'storage_gb_day',
  'code-session': 'code_session',
  call: 'call',
} as const satisfies Record<string, keyof UsdPrice>

const setOptions = {
  ...({
    input: 'text',
    output: 'text',
    'cached-input': 'text',
    'audio-second': 'text',
    'audio-minute': 'text',
  } as const),
  ...({ speech: 'text', 'storage-gb-day': 'text', 'code-session': 'text', call: 'text' } as const),
  ...({ image: 'texts', from: 'text' } as const),
}

export const run = command(
  'prices',
  {
    list: verb({ of: 'server', run: list }),
    set: verb({ takes: ['MODEL'], options: setOptions, of: 'server', run: set }),
    remove: verb({ takes: ['MODEL'], of: 'server', run: remove }),
  },
  'list',
)

async function list({ call, print }: Told): Promise<void> {
  const { data } = await call('organization.prices.list', { reply: PriceList })
  print(data, () => (data.length === 0 ? 'No prices were set here; those of parlance.yaml count.\n' : shown(data)))
}

async function set({ call, text, texts, words: [model], print }: Told<typeof setOptions>): Promise<void> {
  const price: Record<string, number | Record<string, number>> = {}
  for (const [option, name] of entriesOf(amounts)) {
    const amount = text(option)
    if (amount !== undefined) price[name] = usd(`--${option}`, amount)
  }
  const images = texts('image')
  if (images !== undefined) price.image = Object.fromEntries(images.map(imagePrice))
  if (Object.keys(price).length === 0)
    throw new UsageError('What does it cost? Name it, such as --input 0.15 --output 0.6; 0 makes it free.')
  const from = text('from')
  const effective = from === undefined ? {} : { effective_at: Math.floor(moment('--from', from) / 1000) }
  const row = await call('organization.prices.update', { body: { model, price, ...effective }, reply: PriceObject })
  print(row, () => shown([row]))
}

const entriesOf = <Name extends string, Value>(record: Readonly<Record<Name, Value>>): [Name, Value][] => {
  const names: [Name, Value][] = []
  for (const name in record) names.push([name, record[name]])
  return names
}

/** `1024x1024=0.04` */
function imagePrice(text: string): [string, number] {
  const split = text.lastIndexOf('=')
  if (split < 1) throw new UsageError(`--image is a size and its price, such as 1024x1024=0.04, not '${text}'.`)
  return [text.slice(0, split).trim(), usd('--image', text.slice(split + 1))]
}

async function remove({ call, words: [model = ''], print }: Told): Promise<void> {
  const gone = await call('organization.prices.delete', { query: { model }, reply: PriceDeleted }).catch(
    (error: unknown) => {
      if (error instanceof Refused && error.status === 404)
        throw new UsageError(
          `No price was set here for '${plain(model)}'. \`parlance prices list\` shows those that were.`,
        )
      throw error
    },
  )
  print(gone, () => `The price of ${plain(model)} is that of the settings again.\n`)
}

function shown(rows: readonly PriceObject[]): string {
  const row = ({ model, effective_at: from, price }: PriceObject) => [
    plain(model),
    minute(from),
    price === null ? 'cannot be read' : inWords(price),
  ]
  return table([['MODEL', 'FROM', 'USD'], ...rows.map(row)])
}

/** `input 0.15, output 0.60, image any 0.02` */
function inWords({ image = {}, ...others }: UsdPrice): string {
  const parts = Object.entries(others).map(([name, amount]) => `${name.replaceAll('_', ' ')} ${dollars(amount)}`)
  const images = Object.entries(image).map(([size, amount]) => `image ${plain(size)} ${dollars(amount)}`)
  return [...parts, ...images].join(', ')
}
