import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { type AddressInfo, isIP } from 'node:net'
import { dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { request } from 'undici'
import { type Product, startProduct } from '../support/product.ts'
import { startUpstream, type Upstream } from '../support/upstream.ts'

const run = promisify(execFile)
const checkout = fileURLToPath(new URL('../..', import.meta.url))
const page = await readFile(join(checkout, 'docs', 'upstreams.md'), 'utf8')

/** Commands with what they print. */
const examples = [...page.matchAll(/```console\n([\s\S]*?)```/g)].flatMap(([, block = '']) =>
  block
    .split(/^\$ /m)
    .slice(1)
    .map(example => {
      const end = example.search(/(?<!\\)\n/)
      return { command: example.slice(0, end).replaceAll('\\\n', ''), prints: example.slice(end + 1).trimEnd() }
    }),
)

/** What is another one each time: how long something takes, and when. */
const changing = /\b\d+ ms\b|\b\d{4}-\d{2}-\d{2} \d{2}:\d{2}\b|(?<=(?:ok|failed) {2,})\d+/g
/** The servers of the test speak plain HTTP. */
const overTls = ', over TLS with a certificate that is trusted'
const same = (text: string) => text.trimEnd().replace(overTls, '').replaceAll(changing, '…').replaceAll(/ {2,}/g, '  ')

/** What stands on the page for the address of a server, where the server of the test is named, and the header for its key. */
const servers = [
  { page: 'https://api.openai.com/v1', written: '--kind openai', key: 'authorization' },
  { page: 'https://contoso.openai.azure.com', written: '--base-url https://contoso.openai.azure.com', key: 'api-key' },
  { page: 'http://10.0.0.5:8000/v1', written: '--base-url http://10.0.0.5:8000/v1', key: undefined },
  { page: 'http://127.0.0.1:11434/v1', written: '--kind ollama', key: undefined },
] as const
const models = [
  ['gpt-4o', 'gpt-4o-mini', 'text-embedding-3-small'],
  ['gpt-4o-mini', 'chat-eu'],
  ['Qwen/Qwen3-32B'],
  ['llama3.1:8b', 'qwen3:4b'],
]

/** A server that takes a key in its own way, knows Azure's paths too, and passes everything on to the fake one. */
async function startFront(fake: Upstream, header: string | undefined, host: string) {
  const server = createServer(async (incoming, response) => {
    const { url = '', headers } = incoming
    const method = incoming.method === 'POST' ? 'POST' : 'GET'
    const given = header === undefined ? fake.key : headers[header]?.toString().replace(/^Bearer /, '')
    const path = url.replace(/^\/openai\/deployments\/[^/]+|^\/openai|^\/v1/, '').replace(/\?.*$/, '')
    const answer = await request(fake.baseUrl + path, {
      method,
      headers: { authorization: `Bearer ${given}`, 'content-type': 'application/json' },
      body: method === 'POST' ? incoming : null,
    })
    response.writeHead(answer.statusCode, { 'content-type': String(answer.headers['content-type'] ?? 'text/plain') })
    await pipeline(answer.body, response)
  })
  server.listen(0, host)
  await once(server, 'listening')
  return {
    origin: `http://${host}:${(server.address() as AddressInfo).port}`,
    close() {
      server.close()
      server.closeAllConnections()
    },
  }
}

describe('the page about upstreams', { timeout: 240_000 }, () => {
  const fakes: Upstream[] = []
  const fronts: { page: string; written: string; address: string; origin: string; close(): void }[] = []
  let product: Product
  before(async () => {
    for (const [place, { page: told, written, key }] of servers.entries()) {
      const fake = await startUpstream()
      fake.models = models[place]
      const front = await startFront(fake, key, isIP(new URL(told).hostname) === 0 ? 'localhost' : '127.0.0.1')
      fakes.push(fake)
      fronts.push({ ...front, page: told, written, address: front.origin + (told.endsWith('/v1') ? '/v1' : '') })
    }
    product = await startProduct()
  })
  after(async () => {
    await product?.stop()
    for (const front of fronts) front.close()
    for (const fake of fakes) await fake.close()
  })

  test('holds examples', () => assert.ok(examples.length >= 15, String(examples.length)))

  for (const { command, prints } of examples)
    test(`prints what it says: ${command.slice(0, 100)}`, async () => {
      const parlance = `parlance() { '${process.execPath}' '${join(checkout, 'bin', 'parlance.cjs')}' "$@"; }`
      const meant = fronts.reduce((text, { written, address }) => {
        const named = `${written.replace(/ ?--base-url .*/, '')} --base-url ${address}`
        return text.replace(written, named)
      }, command)
      const { stdout } = await run('bash', ['-c', `${parlance}; ${meant}`], {
        cwd: product.dataDir,
        env: {
          PATH: `${dirname(process.execPath)}:${process.env.PATH}`,
          HOME: product.dataDir,
          PARLANCE_DATA_DIR: product.dataDir,
          OPENAI_API_KEY: fakes[0]!.key,
          AZURE_OPENAI_API_KEY: fakes[1]!.key,
          BASE_URL: `${product.url}/v1`,
          API_KEY: product.key,
        },
        // The page shows a test that fails, too.
      }).catch((error: { stdout: string }) => error)
      const told = fronts.reduce(
        (text, { address, origin, page: there }) =>
          text
            .replaceAll(address, there)
            .replaceAll(origin, new URL(there).origin)
            .replace('localhost has', 'api.openai.com has'),
        stdout,
      )
      assert.equal(same(told), same(prints))
    })
})
