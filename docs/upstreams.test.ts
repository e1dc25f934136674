import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { type Kind, kinds } from '../src/engines/upstream/kinds/index.ts'

const code = (text: string) => `\`${text}\``
const list = (names: readonly string[] = []) => names.map(code).join(', ')

/** A kind as its line of the page says it. */
function lineOf({ name, baseUrl, hosts, abilities, oneChoice, renames = {}, ignores = {}, adds = {} }: Kind): string {
  const { '/chat/completions': chat = [], '/completions': completions = [] } = ignores
  const renamed = Object.entries(renames).map(([from, to]) => `${code(from)} is ${code(to)}`)
  const carried = Object.entries(adds).map(([field, value]) => `carries ${code(`${field}: ${JSON.stringify(value)}`)}`)
  const refused = chat.map(one => (typeof one === 'string' ? code(one) : `${code(one.name)} (some)`))
  const text = completions.filter(one => !chat.includes(one)).map(one => code(typeof one === 'string' ? one : one.name))
  const cells = [
    code(name),
    baseUrl === undefined ? '' : code(baseUrl),
    list(hosts),
    abilities === undefined ? 'all' : abilities.join(', '),
    oneChoice ? 'emulated' : 'native',
    [...renamed, ...carried].join(', '),
    [...refused, ...(text.length > 0 ? [`completions: ${text.join(', ')}`] : [])].join(', '),
  ]
  return `| ${cells.join(' | ')} |`.replaceAll(/ {2,}/g, ' ')
}

test('the page has one line for each kind of upstream, with all that is different about it', async () => {
  const page = await readFile(new URL('upstreams.md', import.meta.url), 'utf8')
  const [, section = ''] = /^## Kinds\n([\s\S]*?)^## /m.exec(page) ?? []
  const lines = section.split('\n').filter(line => line.startsWith('| `'))
  assert.deepEqual(
    lines,
    [...kinds.values()].map(kind => lineOf(kind)),
  )
})
