import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, beforeEach, describe as group, test } from 'node:test'
import { Agent, EnvHttpProxyAgent, MockAgent } from 'undici'
import { bytesOf, tinyModel } from '../../../test/models/make.ts'
import { text } from '../../gguf/types.ts'
import { describe, type Serving, serve, sha256, startHub } from './hub.fixture.ts'
import { type PullOptions, pull } from './index.ts'

const tiny = tinyModel({ storage: 'Q8_0' })
const model = bytesOf(tiny)
const half = Math.floor(model.length / 2)
const html = Buffer.from(`<!doctype html><title>Sign in</title>${'<p>no model here</p>'.repeat(50_000)}`)
const dispatcher = new Agent()
const folders: string[] = []
let folder = ''
let notes: string[] = []

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'parlance-pull-'))
  folders.push(folder)
  notes = []
})
after(async () => {
  await dispatcher.close()
  for (const one of folders) await rm(one, { recursive: true })
})

const plenty = { freeDiskBytes: async () => 1e12, memoryBytes: () => 1e12 }

function options(hubUrl: string, source: string, more: Partial<PullOptions> = {}): PullOptions {
  return {
    source,
    folder,
    hubUrl,
    force: false,
    dispatcher,
    room: plenty,
    version: '0',
    idleMs: 5000,
    signal: new AbortController().signal,
    pid: process.pid,
    wait: async () => {},
    note: sentence => notes.push(sentence),
    reached: () => {},
    ...more,
  }
}

/** Serves each request after another way; the last way for all that follow. */
function oneByOne(ways: (Serving | number)[], bytes = model) {
  let at = 0
  return startHub((request, response) => {
    const way = ways[Math.min(at++, ways.length - 1)]!
    if (typeof way === 'number') response.writeHead(way).end('<html>')
    else serve(request, response, bytes, way)
  })
}

const pulledBytes = (name: string) => readFile(join(folder, `${name}.gguf`))

group('a repository of the hub', () => {
  test('is described, the usual quantisation chosen, fetched where the hub leads, and compared with its checksum', async () => {
    await using store = await startHub((request, response) => serve(request, response, model))
    await using hub = await startHub((request, response) => {
      if (request.url?.startsWith('/api/'))
        describe(response, [
          { path: 'README.md', size: 5 },
          { path: 'mmproj-Tiny-F16.gguf', size: 5 },
          { path: 'Tiny-Q8_0.gguf', size: 5 },
          { path: 'sub folder/Tiny-Q4_K_M.gguf', bytes: model },
        ])
      else response.writeHead(302, { location: `${store.url}/signed?secret=1` }).end()
    })
    const reached: number[] = []
    const pulled = await pull(
      options(hub.url, 'some/tiny-GGUF', { hubToken: 'hf_secret', reached: have => reached.push(have) }),
    )
    assert.equal(pulled.name, 'Tiny-Q4_K_M')
    assert.equal(pulled.verified, true)
    assert.equal(pulled.model.architecture, 'llama')
    assert.equal(sha256(await pulledBytes('Tiny-Q4_K_M')), sha256(model))
    assert.deepEqual(await readdir(folder), ['Tiny-Q4_K_M.gguf'])
    assert.equal(reached.at(-1), model.length)
    assert.deepEqual(
      hub.asked.map(({ path }) => path),
      [
        '/api/models/some/tiny-GGUF?blobs=true',
        `/some/tiny-GGUF/resolve/${'a'.repeat(40)}/sub%20folder/Tiny-Q4_K_M.gguf`,
      ],
    )
    for (const { headers } of hub.asked) assert.equal(headers.authorization, 'Bearer hf_secret')
    assert.equal(store.asked.length, 1)
    assert.equal(store.asked[0]?.headers.authorization, undefined)
  })

  test('gives the file of the wished quantisation or name, and says what there is otherwise', async () => {
    const files = [
      'a-Q4_0.gguf',
      'a-Q5_K_M.gguf',
      'b/a-Q4_0.gguf',
      'a-Q8_0-00001-of-00002.gguf',
      'a-F16.gguf',
      '../../up-Q6_K.gguf',
      'a\\..\\b-Q6_K.gguf',
    ]
    await using hub = await startHub((request, response) => {
      if (request.url?.startsWith('/api/'))
        describe(
          response,
          files.map(path => ({ path, bytes: model })),
        )
      else serve(request, response, model)
    })
    assert.equal((await pull(options(hub.url, 'o/r:q5_k_m'))).name, 'a-Q5_K_M')
    assert.equal((await pull(options(hub.url, 'o/r:b/a-Q4_0.gguf', { name: 'other' }))).name, 'other')
    await assert.rejects(pull(options(hub.url, 'o/r:Q4_0')), /'Q4_0' could be one of several\. There are: a-Q4_0\.gguf/)
    await assert.rejects(pull(options(hub.url, 'o/r:Q8_0')), /one part of a model in several files/)
    await assert.rejects(pull(options(hub.url, 'o/r:Q6_K')), /holds no 'Q6_K'/)
    await assert.rejects(pull(options(hub.url, 'o/r:Q5_K_M')), /There is a model 'a-Q5_K_M' already/)
    await assert.rejects(pull(options(hub.url, 'o/r:F16', { name: '../evil' })), /cannot be the name of a model/)
    for (const wrong of [
      'tiny',
      '../x/y',
      'a/b/c',
      'file:///etc/passwd',
      'ftp://a/b.gguf',
      'http://models.example/a.gguf',
    ])
      await assert.rejects(pull(options(hub.url, wrong)), /neither OWNER\/REPOSITORY|over https/)
    assert.deepEqual((await readdir(folder)).sort(), ['a-Q5_K_M.gguf', 'other.gguf'])
  })

  for (const [status, says] of [
    [404, /answered 404: there is no o\/r/],
    [401, /does not exist, or not for everyone.*PARLANCE_HUB_TOKEN/],
    [500, /answered 500/],
  ] as const)
    test(`that is answered with ${status} is told in words`, async () => {
      await using hub = await oneByOne([status])
      await assert.rejects(pull(options(hub.url, 'o/r')), says)
      assert.equal(hub.asked.length, status === 500 ? 2 : 1)
    })

  test('behind something that is no hub is told', async () => {
    await using hub = await oneByOne([{}], html)
    await assert.rejects(pull(options(hub.url, 'o/r')), /did not describe o\/r in JSON: is it a hub/)
  })
})

group('a download', () => {
  test('that is cut goes on where it stopped', async () => {
    await using hub = await oneByOne([
      { etag: '"1"', stallAfter: half },
      { etag: '"1"', stallAfter: 1000 },
      { etag: '"1"' },
    ])
    const reached = (have: number) => [half, half + 1000].includes(have) && hub.cut()
    await pull(options(hub.url, `${hub.url}/m.gguf`, { reached }))
    assert.equal(sha256(await pulledBytes('m')), sha256(model))
    const ranges = hub.asked.map(({ headers }) => headers.range)
    assert.deepEqual(ranges, [undefined, `bytes=${half}-`, `bytes=${half + 1000}-`])
    assert.equal(hub.asked[1]?.headers['if-range'], '"1"')
    assert.ok(
      notes.some(note => /broke.*Trying again in 1 s/.test(note)),
      notes.join('\n'),
    )
  })

  test('that was stopped leaves its part, which a later run takes up', async () => {
    await using hub = await oneByOne([{ etag: '"1"', stallAfter: half }, { etag: '"1"' }])
    const stopping = new AbortController()
    const reached = (have: number) => have === half && stopping.abort()
    const first = pull(options(hub.url, `${hub.url}/m.gguf?key=secret`, { signal: stopping.signal, reached }))
    await assert.rejects(first, { name: 'AbortError' })
    assert.deepEqual((await readdir(folder)).sort(), ['m.gguf.part', 'm.gguf.part.json'])
    assert.doesNotMatch(await readFile(join(folder, 'm.gguf.part.json'), 'utf8'), /secret|"pid"/)
    await pull(options(hub.url, `${hub.url}/m.gguf?key=other`))
    assert.equal(hub.asked[1]?.headers.range, `bytes=${half}-`)
    assert.equal(sha256(await pulledBytes('m')), sha256(model))
    assert.deepEqual(await readdir(folder), ['m.gguf'])
    assert.ok(notes.some(note => /going on after/.test(note)))
  })

  test('whose part is already whole asks for nothing more', async () => {
    await using hub = await oneByOne([{ etag: '"1"' }])
    await writeFile(join(folder, 'm.gguf.part'), model)
    const known = { source: `${hub.url}/m.gguf`, etag: '"1"', sizeBytes: model.length }
    await writeFile(join(folder, 'm.gguf.part.json'), JSON.stringify(known))
    await pull(options(hub.url, `${hub.url}/m.gguf`))
    assert.equal(sha256(await pulledBytes('m')), sha256(model))
  })

  test('that another process is busy with is left to it', async () => {
    await using hub = await oneByOne([{}])
    await writeFile(join(folder, 'm.gguf.part.json'), JSON.stringify({ source: 'x', pid: process.ppid }))
    await assert.rejects(pull(options(hub.url, `${hub.url}/m.gguf`)), /is pulling this file already/)
  })

  for (const [how, ways] of [
    ['has changed since', [{ etag: '"1"', stallAfter: half }, { etag: '"2"' }]],
    [
      'has changed since, on a server that does not look at If-Range',
      [
        { etag: '"1"', stallAfter: half },
        { etag: '"1"', headers: { etag: '"2"' } },
      ],
    ],
    [
      'comes from a server without ranges',
      [
        { etag: '"1"', stallAfter: half },
        { etag: '"1"', ranges: false },
      ],
    ],
  ] as [string, Serving[]][])
    test(`of a file that ${how} starts over and ends right`, async () => {
      await using hub = await oneByOne(ways)
      const reached = (have: number) => have === half && hub.cut()
      await pull(options(hub.url, `${hub.url}/m.gguf`, { reached }))
      assert.equal(sha256(await pulledBytes('m')), sha256(model))
      assert.ok(
        notes.some(note => /starting over/.test(note)),
        notes.join('\n'),
      )
    })

  test('that stalls counts as broken', async () => {
    await using hub = await oneByOne([{ etag: '"1"', stallAfter: half }, { etag: '"1"' }])
    await pull(options(hub.url, `${hub.url}/m.gguf`, { idleMs: 50 }))
    assert.equal(sha256(await pulledBytes('m')), sha256(model))
    assert.ok(hub.asked.length >= 2)
  })

  test('that is refused for a while is tried again, and given up after five tries', async () => {
    const waits: number[] = []
    const wait = async (ms: number) => void waits.push(ms)
    await using hub = await oneByOne([500, 503, 429, {}])
    await pull(options(hub.url, `${hub.url}/m.gguf`, { wait }))
    assert.deepEqual(waits, [1000, 2000, 4000])
    await using down = await oneByOne([503])
    await assert.rejects(pull(options(down.url, `${down.url}/n.gguf`, { wait })), /answered 503\. After 5 tries/)
    assert.equal(down.asked.length, 5)
  })

  test('with a wrong checksum is thrown away', async () => {
    await using hub = await startHub((request, response) => {
      if (request.url?.startsWith('/api/'))
        describe(response, [{ path: 'm.gguf', size: model.length, sha256: 'b'.repeat(64) }])
      else serve(request, response, model)
    })
    await assert.rejects(pull(options(hub.url, 'o/r')), /checksum of m is wrong: b{64} was promised/)
    assert.deepEqual(await readdir(folder), [])
  })

  test('is compared with the checksum and the size that the hub names while it redirects', async () => {
    const linked = { 'x-linked-etag': `"${sha256(model)}"`, 'x-linked-size': String(model.length) }
    for (const [headers, says] of [
      [linked, undefined],
      [{ ...linked, 'x-linked-etag': `"${'c'.repeat(64)}"` }, /checksum/],
      [{ ...linked, 'x-linked-size': '5' }, /should have 5 bytes/],
    ] as const) {
      await using hub = await startHub((request, response) => {
        if (request.url === '/file') serve(request, response, model)
        else response.writeHead(302, { location: '/file', ...headers }).end()
      })
      const pulling = pull(options(hub.url, `${hub.url}/o/r/blob/main/m.gguf`))
      if (says !== undefined) await assert.rejects(pulling, says)
      else assert.equal((await pulling).verified, true)
      await rm(join(folder, 'm.gguf'), { force: true })
      assert.equal(hub.asked[0]?.path, '/o/r/resolve/main/m.gguf')
    }
  })

  test('of another length than promised is refused', async () => {
    await using hub = await startHub((request, response) => {
      if (request.url?.startsWith('/api/'))
        describe(response, [{ path: 'm.gguf', size: model.length - 1, sha256: sha256(model) }])
      else serve(request, response, model)
    })
    await assert.rejects(pull(options(hub.url, 'o/r')), /should have \d+ bytes, but 127\.0\.0\.1:\d+ sends/)
    assert.deepEqual(await readdir(folder), [])
  })

  test('without a length is refused, since nobody knows whether it fits', async () => {
    await using hub = await startHub((_request, response) => response.write(model))
    await assert.rejects(pull(options(hub.url, `${hub.url}/m.gguf`)), /does not say how large the file is/)
  })

  const adapter = bytesOf({ ...tiny, metadata: { ...tiny.metadata, 'general.type': text('adapter') } })
  const damaged = Buffer.concat([model, Buffer.alloc(64 * 1024 * 1024)]).fill(0xff, 16, 40)
  for (const [what, bytes, says] of [
    ['a page instead of a file', html, /does not begin with a GGUF header/],
    ['a file that is no GGUF', Buffer.alloc(100_000, 7), /does not begin with a GGUF header/],
    ['an empty file', Buffer.alloc(0), /does not say how large|empty|GGUF/],
    ['an adapter', adapter, /It is not a model but: adapter/],
    ['a file that ends early', model.subarray(0, half), /is incomplete/],
    ['a large file with a damaged header', damaged, /Not a usable GGUF file/],
  ] as const)
    test(`of ${what} is refused and leaves nothing`, async () => {
      await using hub = await oneByOne([{}], bytes)
      let most = 0
      const reached = (have: number) => {
        most = Math.max(most, have)
      }
      await assert.rejects(pull(options(hub.url, `${hub.url}/m.gguf`, { reached })), says)
      assert.deepEqual(await readdir(folder), [])
      assert.ok(most <= 1024 * 1024, `refused after ${most} bytes`)
    })

  test('takes its name from the address as data, never as a path', async () => {
    await using hub = await oneByOne([{ headers: { 'content-disposition': 'attachment; filename="../../evil.gguf"' } }])
    const pulled = await pull(options(hub.url, `${hub.url}/x/..%2F..%2F%2e%2e%2fm%20(1)%00.gguf?file=/etc/passwd`))
    assert.equal(pulled.name, 'm-1-')
    await assert.rejects(pull(options(hub.url, `${hub.url}/%E4%BD%A0.gguf`)), /no usable name: choose one with --name/)
    await assert.rejects(pull(options(hub.url, `http://a:b@127.0.0.1/m.gguf`)), /name and password/)
    assert.deepEqual(await readdir(folder), ['m-1-.gguf'])
  })

  test('that does not fit is refused with numbers before a byte is taken, unless it is forced', async () => {
    await using hub = await oneByOne([{}])
    const source = `${hub.url}/m.gguf`
    const fullDisk = { ...plenty, freeDiskBytes: async () => 12_345 }
    await assert.rejects(
      pull(options(hub.url, source, { room: fullDisk })),
      /does not fit on the disk: it needs \d+\.\d MB, 12\.3 kB are free.*--force/,
    )
    const small = { ...plenty, memoryBytes: () => 100e6 }
    await assert.rejects(
      pull(options(hub.url, source, { room: small })),
      /does not fit into memory: it needs about \d+\.\d MB, this machine has 100\.0 MB/,
    )
    assert.deepEqual(await readdir(folder), [])
    assert.equal((await pull(options(hub.url, source, { room: small, force: true }))).name, 'm')
  })
})

group('redirects', () => {
  test('in a circle end after five', async () => {
    await using hub = await startHub((_request, response) => response.writeHead(302, { location: '/again' }).end())
    await assert.rejects(pull(options(hub.url, `${hub.url}/m.gguf`)), /redirects more than 5 times/)
    assert.equal(hub.asked.length, 6)
  })

  for (const [location, says] of [
    ['http://store.example/m.gguf', /from https to http, which is not followed/],
    ['file:///etc/passwd', /'null', which is not followed/],
    ['https://user:pass@store.example/', /with a name and password/],
    [undefined, /redirects to nowhere/],
  ] as const)
    test(`to ${location ?? 'nowhere'} are not followed`, async () => {
      const mock = new MockAgent()
      mock.disableNetConnect()
      const headers = location === undefined ? {} : { location }
      mock.get('https://hub.example').intercept({ path: '/m.gguf' }).reply(302, '', { headers })
      const source = 'https://hub.example/m.gguf'
      await assert.rejects(pull(options('https://hub.example', source, { dispatcher: mock })), says)
      await mock.close()
    })

  test('over plain http to a hub elsewhere carry no token', async () => {
    const mock = new MockAgent()
    mock.disableNetConnect()
    let seen: unknown
    mock
      .get('http://hub.example')
      .intercept({ path: '/m.gguf' })
      .reply(404, ({ headers }) => {
        seen = headers
        return ''
      })
    const more = { dispatcher: mock, hubToken: 'hf_secret' }
    await assert.rejects(pull(options('http://hub.example', 'http://hub.example/m.gguf', more)), /there is no/)
    assert.ok(!JSON.stringify(seen).includes('hf_secret'))
    await mock.close()
  })
})

test('a proxy is used as the environment says, and not for what it excepts', async () => {
  await using hub = await oneByOne([{}])
  const through: string[] = []
  await using proxy = await startHub((request, response) => {
    through.push(request.url ?? '')
    serve(request, response, model)
  })
  const proxied = new EnvHttpProxyAgent({ httpProxy: proxy.url, noProxy: 'elsewhere.example' })
  await pull(options(hub.url, `${hub.url}/m.gguf`, { dispatcher: proxied }))
  assert.deepEqual(through, [`${hub.url}/m.gguf`])
  assert.equal(hub.asked.length, 0)
  await proxied.close()
  const excepted = new EnvHttpProxyAgent({ httpProxy: proxy.url, noProxy: '127.0.0.1' })
  await pull(options(hub.url, `${hub.url}/n.gguf`, { dispatcher: excepted }))
  assert.equal(through.length, 1)
  assert.equal(hub.asked.length, 1)
  await excepted.close()
})
