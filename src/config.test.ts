import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'
import { ConfigError, readConfig } from './config.ts'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'parlance-config-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

const written = (yaml: string, env: Record<string, string> = {}) => {
  writeFileSync(join(folder, 'parlance.yaml'), yaml)
  return readConfig({ env, cwd: folder })
}

/** The whole message, with the folder's name left out. */
const complaint = (yaml: string, env: Record<string, string> = {}): string => {
  try {
    written(yaml, env)
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error))
    return error.message.replaceAll(`${folder}/`, '')
  }
  return 'no complaint'
}

test('without a file and an environment every setting has its default', () => {
  const config = readConfig({ env: {}, cwd: folder })
  assert.equal(config.host, '127.0.0.1')
  assert.equal(config.port, 8787)
  assert.match(config.data_dir, /^\/.*\.local\/share\/parlance$/)
  assert.deepEqual(config.models, {})
  assert.equal(config.file, undefined)
})

test('the example of the documentation is read as it is written', () => {
  const config = written(
    `upstreams:
  vllm: { base_url: "http://10.0.0.5:8000/v1", api_key: "\${VLLM_KEY}" }
models:
  llama-3.1-8b: { file: "models/llama-3.1-8b.Q4_K_M.gguf", context: 8192 }
  gpt-4o: { upstream: vllm, name: "Qwen/Qwen3-32B", price: { input: 0.15, output: 0.60 } }   # USD per million tokens
aliases:
  gpt-4: gpt-4o
`,
    { VLLM_KEY: 'secret-of-vllm' },
  )
  assert.equal(config.upstreams.vllm?.api_key, 'secret-of-vllm')
  assert.deepEqual(config.models['llama-3.1-8b'], {
    file: join(folder, 'models/llama-3.1-8b.Q4_K_M.gguf'),
    context: 8192,
  })
  assert.deepEqual(config.aliases, { 'gpt-4': 'gpt-4o' })
})

test('a model of llama-server names its files, and the program is known', () => {
  const config = written(
    'llama_server: ./bin/llama-server\nmodels:\n  eyes: { file: a.gguf, engine: llama-server, mmproj: eyes.gguf, adapters: [one.gguf] }\n',
  )
  assert.equal(config.llama_server, join(folder, 'bin/llama-server'))
  assert.deepEqual(config.models.eyes, {
    file: join(folder, 'a.gguf'),
    engine: 'llama-server',
    mmproj: join(folder, 'eyes.gguf'),
    adapters: [join(folder, 'one.gguf')],
  })
  const named = { LLAMA_SERVER_BIN: 'llama-server' }
  assert.equal(written('models:\n  m: { file: a.gguf, engine: llama-server }\n', named).llama_server, 'llama-server')
})

test('what only llama-server can do needs it, and it needs its program', () => {
  assert.equal(
    complaint('models:\n  m: { file: a.gguf, engine: llama-server }\n'),
    '`models.m.engine` needs the setting `llama_server`, or LLAMA_SERVER_BIN: where the program is.',
  )
  assert.equal(
    complaint('models:\n  m:\n    file: a.gguf\n    mmproj: eyes.gguf\n'),
    'parlance.yaml:4: `models.m.mmproj` needs `engine: llama-server`.',
  )
  assert.equal(
    complaint('models:\n  m: { file: a.gguf, adapters: [one.gguf] }\n'),
    'parlance.yaml:2: `models.m.adapters` needs `engine: llama-server`.',
  )
})

test('file and adapter of a model count from the folder of the settings', () => {
  const config = written('models:\n  tuned: { file: base.gguf, adapter: lora/mine.gguf, scale: 0.5 }\n')
  const model = { file: join(folder, 'base.gguf'), adapter: join(folder, 'lora/mine.gguf'), scale: 0.5 }
  assert.deepEqual(config.models.tuned, model)
})

test('a price is for tokens, images, audio, speech, storage, sessions and calls', () => {
  const price = { input: 1, image: { '1024x1024 hd': 0.08, any: 0.04 }, audio_minute: 0.006, speech: 15 }
  const more = { storage_gb_day: 0.1, code_session: 0.03, call: 0 }
  const config = written(
    `prices: classic\nmodels:\n  a: { file: x, price: ${JSON.stringify({ ...price, ...more })} }\n`,
  )
  assert.deepEqual(config.models.a?.price, { ...price, ...more })
  assert.equal(config.prices, 'classic')
  assert.equal(readConfig({ env: {}, cwd: join(folder, 'none') }).prices, 'none')
})

test('the command line wins over the environment, the environment over the file', () => {
  writeFileSync(join(folder, 'parlance.yaml'), 'port: 1111\nhost: 127.0.0.3')
  const env = { PARLANCE_PORT: '2222' }
  assert.equal(readConfig({ env: {}, cwd: folder }).port, 1111)
  assert.equal(readConfig({ env, cwd: folder }).port, 2222)
  const config = readConfig({ env, cwd: folder, overrides: { port: '3333' } })
  assert.equal(config.port, 3333)
  assert.equal(config.host, '127.0.0.3')
})

test('PARLANCE_CONFIG names another file, and a missing one is an error', () => {
  writeFileSync(join(folder, 'other.yaml'), 'port: 4444')
  assert.equal(readConfig({ env: { PARLANCE_CONFIG: 'other.yaml' }, cwd: folder }).port, 4444)
  assert.throws(() => readConfig({ env: { PARLANCE_CONFIG: 'none.yaml' }, cwd: folder }), /none\.yaml cannot be read/)
})

test('a routed model is read as it is written, and its targets are checked one by one', () => {
  const upstreams = 'upstreams:\n  east: { base_url: http://east }\n  west: { base_url: http://west }\n'
  const targets = [
    { upstream: 'east', name: 'gpt-4o', weight: 3, context: 128_000, price: { input: 1, output: 2 } },
    { upstream: 'west', headers: { 'x-team': '${TEAM}' }, body: { service_tier: 'flex' }, requests_per_minute: 60 },
  ]
  const routed = { policy: 'weighted', sticky: true, targets, price: { input: 2.5, output: 10 } }
  const config = written(`${upstreams}models:\n  gpt-4o: ${JSON.stringify(routed)}\n`, { TEAM: 'blue' })
  const [east, west] = targets
  assert.deepEqual(config.models['gpt-4o'], { ...routed, targets: [east, { ...west, headers: { 'x-team': 'blue' } }] })
  assert.equal(
    complaint(`${upstreams}models:\n  m:\n    targets:\n      - { upstream: east }\n      - { upstream: wets }\n`),
    'parlance.yaml:8: `models.m.targets.1.upstream` names the upstream `wets`, which is not under `upstreams`.',
  )
  assert.match(
    complaint(`${upstreams}models:\n  m:\n    targets:\n      - upstream: east\n        wieght: 2\n`),
    /^parlance\.yaml:8: unknown setting `models\.m\.targets\.0\.wieght`/,
  )
})

const complaints: [name: string, yaml: string, says: RegExp][] = [
  ['an unknown setting', 'port: 1\nprot: 2', /^parlance\.yaml:2: unknown setting `prot`\. Known here: host, port/],
  [
    'an unknown field',
    'models:\n  a:\n    file: x\n    contxt: 9',
    /^parlance\.yaml:4: unknown setting `models\.a\.contxt`/,
  ],
  ['a wrong type', 'host: a\nport: "8080"', /^parlance\.yaml:2: `port` must be integer/],
  ['a number out of range', 'port: 70000', /^parlance\.yaml:1: `port` must be <= 65535/],
  ['a model that is neither', 'models:\n  a: { context: 9 }', /^parlance\.yaml:2: `models\.a` needs either `file`/],
  ['a missing field', 'upstreams:\n  u:\n    api_key: x', /^parlance\.yaml:2: `upstreams\.u\.base_url` is missing/],
  [
    'an upstream that is not there',
    'models:\n  a: { upstream: nope }',
    /^parlance\.yaml:2: `models\.a` names the upstream `nope`/,
  ],
  [
    'a model without targets',
    'models:\n  a: { targets: [] }',
    /^parlance\.yaml:2: `models\.a\.targets` must not have fewer/,
  ],
  ['a policy that is none', 'models:\n  a: { policy: x, targets: [] }', /^parlance\.yaml:2: `models\.a\.policy`/],
  [
    'a scale without an adapter',
    'models:\n  a:\n    file: x\n    scale: 0.5',
    /^parlance\.yaml:4: `models\.a\.scale` says nothing without an `adapter`/,
  ],
  [
    'a variable that is not set',
    'upstreams:\n  u:\n    base_url: http://x\n    api_key: ${NOT_SET}',
    /^parlance\.yaml:4: the environment variable NOT_SET is not set/,
  ],
  ['broken YAML', 'port: 1\nhost: [a', /^parlance\.yaml:\d: /],
  ['a key written twice', 'port: 1\nport: 2', /^parlance\.yaml:2: Map keys must be unique/],
  ['a list instead of settings', '- a', /^parlance\.yaml:1: expected settings/],
  [
    'a negative price',
    'models:\n  a: { file: x, price: { input: -1 } }',
    /^parlance\.yaml:2: `models\.a\.price\.input` must be >= 0/,
  ],
  [
    'a price of nothing',
    'models:\n  a:\n    file: x\n    price: {}',
    /^parlance\.yaml:4: `models\.a\.price` names nothing that has a price/,
  ],
  [
    'a price of output alone',
    'models:\n  a: { file: x, price: { output: 1 } }',
    /^parlance\.yaml:2: `models\.a\.price` needs `input` beside/,
  ],
  [
    'an image without a number',
    'models:\n  a: { file: x, price: { image: { any: free } } }',
    /^parlance\.yaml:2: `models\.a\.price\.image\.any` must be number/,
  ],
  ['an unknown preset', 'prices: cheap', /^parlance\.yaml:1: `prices` must be equal to one of the allowed values/],
]
for (const [name, yaml, says] of complaints)
  test(`${name} is reported with file and line`, () => assert.match(complaint(yaml), says))

test('a wrong environment variable is named, with what it means', () => {
  assert.throws(
    () => readConfig({ env: { PARLANCE_PORT: 'many' }, cwd: folder }),
    /PARLANCE_PORT: must be integer .*Port to listen on/,
  )
  assert.throws(() => readConfig({ env: { PARLANCE_BOOTSTRAP_KEY: 'a b' }, cwd: folder }), /PARLANCE_BOOTSTRAP_KEY/)
})

test('the memory of models is set as a number of bytes, from the environment too, and a model may stay for ever', () => {
  const config = written('model_idle_ms: 5000\nmodels:\n  kept: { file: x.gguf, idle_ms: 0 }\n', {
    PARLANCE_MODEL_MEMORY_BYTES: '8000000000',
  })
  assert.deepEqual([config.model_memory_bytes, config.model_idle_ms], [8_000_000_000, 5000])
  assert.deepEqual(config.models.kept, { file: join(folder, 'x.gguf'), idle_ms: 0 })
  const unset = readConfig({ env: {}, cwd: join(folder, 'none') })
  assert.deepEqual([unset.model_memory_bytes, unset.model_idle_ms], [undefined, 600_000])
  assert.throws(
    () => written('', { PARLANCE_MODEL_MEMORY_BYTES: '8g' }),
    /PARLANCE_MODEL_MEMORY_BYTES: must be integer/,
  )
})

test('a setting with two names in the environment takes the first that is set', () => {
  const token = (env: Record<string, string>) => readConfig({ env, cwd: folder }).hub_token
  assert.equal(token({}), undefined)
  assert.equal(token({ HF_TOKEN: 'theirs' }), 'theirs')
  assert.equal(token({ PARLANCE_HUB_TOKEN: '', HF_TOKEN: 'theirs' }), 'theirs')
  assert.equal(token({ PARLANCE_HUB_TOKEN: 'ours', HF_TOKEN: 'theirs' }), 'ours')
})

test('an empty file is a file without settings', () => assert.equal(written('# nothing yet\n').port, 8787))

const oidc = (more = '') =>
  `oidc:\n  issuer: https://id.example.com/realms/a\n  client_id: parlance\n  client_secret: s\n${more}`

test('a provider of identities has a name over https, and a secret that is not empty', () => {
  const { oidc: read } = written(`${oidc()}  allowed_domains: [example.com]\n  role: owner\n`)
  assert.deepEqual(read?.allowed_domains, ['example.com'])
  for (const [yaml, says] of [
    [oidc().replace('https:', 'http:'), /^parlance\.yaml:2: `oidc\.issuer` /],
    [oidc().replace('client_secret: s', 'client_secret: ""'), /^parlance\.yaml:4: `oidc\.client_secret` /],
    [oidc().replace('  client_secret: s\n', ''), /^parlance\.yaml:1: `oidc` needs `client_secret`/],
    [oidc('  role: admin\n'), /^parlance\.yaml:5: `oidc\.role` /],
    [oidc('  allowed_domains: ["*"]\n'), /^parlance\.yaml:5: `oidc\.allowed_domains` /],
    [oidc('  audience: x\n'), /^parlance\.yaml:5: unknown setting `oidc\.audience`/],
  ] as const)
    assert.match(complaint(yaml), says)
  for (const issuer of ['http://localhost:9000', 'http://127.0.0.1:9000/a', 'http://[::1]:9000'])
    assert.equal(written(oidc().replace(/issuer: .*/, `issuer: "${issuer}"`)).oidc?.issuer, issuer)
  assert.match(complaint(oidc().replace(/issuer: .*/, 'issuer: http://localhost.evil.example')), /`oidc\.issuer`/)
})

test('trusted proxies are addresses and networks, from the environment too', () => {
  const set = { PARLANCE_TRUSTED_PROXIES: '10.0.0.0/8, ::1' }
  assert.deepEqual(written('', set).trusted_proxies, ['10.0.0.0/8', '::1'])
  assert.deepEqual(written('trusted_proxies: [192.0.2.1]\n').trusted_proxies, ['192.0.2.1'])
  assert.match(
    complaint('\ntrusted_proxies: [10.0.0.0/33]\n'),
    /^parlance\.yaml:2: `trusted_proxies`: '10\.0\.0\.0\/33' is neither/,
  )
  assert.match(complaint('trusted_proxies: [300.0.0.1]'), /neither an address nor a network/)
  assert.throws(() => written('', { PARLANCE_TRUSTED_PROXIES: '1.2.3' }), /neither an address nor a network/)
  assert.throws(() => written('', { PARLANCE_TRUSTED_PROXIES: 'proxy.example' }), /PARLANCE_TRUSTED_PROXIES/)
})

test('the public address is an origin', () => {
  assert.equal(written('public_url: https://ai.example.com/\n').public_url, 'https://ai.example.com/')
  for (const wrong of [
    'ai.example.com',
    'https://ai.example.com/parlance',
    'ftp://ai.example.com',
    'https://a@b.example',
  ])
    assert.match(complaint(`public_url: ${wrong}`), /`public_url`/)
})

test('files and proxies of an upstream are checked together, and found from the folder of the settings', () => {
  const upstream = (more: string) => `upstreams:\n  east: { base_url: "https://a.example/v1"${more} }\n`
  const papers = ', ca_file: ca.pem, cert_file: tls/c.pem, key_file: /k.pem, key_passphrase: "${PASS}", connections: 8'
  const { east } = written(upstream(papers), { PASS: 'open sesame' }).upstreams
  assert.deepEqual(
    [east?.ca_file, east?.cert_file, east?.key_file, east?.key_passphrase],
    [join(folder, 'ca.pem'), join(folder, 'tls/c.pem'), '/k.pem', 'open sesame'],
  )
  const wrong: [more: string, complaint: string][] = [
    [', cert_file: c.pem', 'parlance.yaml:2: `upstreams.east.cert_file` says nothing without a `key_file`.'],
    [', key_file: k.pem', 'parlance.yaml:2: `upstreams.east.key_file` says nothing without a `cert_file`.'],
    [', key_passphrase: x', 'parlance.yaml:2: `upstreams.east.key_passphrase` says nothing without a `key_file`.'],
    [
      ', proxy: "http://me:canary@/x"',
      'parlance.yaml:2: `upstreams.east.proxy` must be the address of a proxy, such as `http://proxy.example:3128`, or `none`.',
    ],
  ]
  for (const [more, expected] of wrong) assert.equal(complaint(upstream(more)), expected)
  const socks = complaint(upstream(', proxy: "socks5://me:canary@p.example"'))
  assert.match(socks, /^parlance\.yaml:2: `upstreams\.east\.proxy` must match pattern/)
  assert.doesNotMatch(socks, /canary/)
})

test('proxies come from the environment, small letters first, or from the file', () => {
  const of = ({ http_proxy, https_proxy, no_proxy }: ReturnType<typeof written>) => [http_proxy, https_proxy, no_proxy]
  const env = { HTTP_PROXY: 'a:1', http_proxy: 'b:2', HTTPS_PROXY: 'c:3', NO_PROXY: '.x, y' }
  assert.deepEqual(of(written('', env)), ['b:2', 'c:3', '.x, y'])
  assert.deepEqual(of(written('https_proxy: http://d:4')), [undefined, 'http://d:4', undefined])
})

test('the keys of secrets come from the environment or the file, and none is repeated when it is wrong', () => {
  const [one, two] = [Buffer.alloc(32, 1).toString('base64'), Buffer.alloc(32, 2).toString('hex')]
  assert.deepEqual([written('').secret_key, written('').secret_keys_old], [undefined, []])
  const named = written('', { PARLANCE_SECRET_KEY: one, PARLANCE_SECRET_KEYS_OLD: two })
  assert.deepEqual([named.secret_key, named.secret_keys_old], [one, [two]])
  assert.deepEqual(written(`secret_key: "${two}"\nsecret_keys_old: ["${one}"]\n`).secret_keys_old, [one])
  for (const said of [
    complaint('', { PARLANCE_SECRET_KEY: 'my own words' }),
    complaint('secret_key: my own words\n'),
    complaint('secret_keys_old: [my own words]\n'),
  ]) {
    assert.match(said, /secret_key/i)
    assert.ok(!said.includes('my own words'), said)
  }
})

test('the kind of an upstream and what goes with it are checked together', () => {
  const upstreams = (east: string) => `upstreams:\n  east: { ${east} }\n`
  const azure = 'base_url: "https://a.openai.azure.com"'
  const entra = (more: string) => `entra: { tenant_id: t, client_id: c, ${more} }`
  const read = written(upstreams(`${azure}, ${entra('token_file: tokens/azure')}`)).upstreams.east
  assert.equal(read?.entra?.token_file, join(folder, 'tokens/azure'))
  const secret = written(upstreams(`${azure}, ${entra('client_secret: "${SECRET}"')}`), { SECRET: 'canary' })
  assert.equal(secret.upstreams.east?.entra?.client_secret, 'canary')
  assert.equal(written(upstreams('kind: ollama, n: native, lenient: true')).upstreams.east?.kind, 'ollama')
  for (const [yaml, says] of [
    ['api_key: k', /^parlance\.yaml:2: `upstreams\.east\.base_url` is missing: .*`openai-compatible` has no usual/],
    ['kind: chatgpt', /^parlance\.yaml:2: `upstreams\.east\.kind` must be/],
    ['kind: openai, n: two', /`upstreams\.east\.n` must be/],
    ['kind: openai, api_version: "1"', /^parlance\.yaml:2: `upstreams\.east\.api_version` is for Azure OpenAI/],
    [`${azure}, api_key: k, ${entra('client_secret: s')}`, /`upstreams\.east\.entra` and `api_key` are two ways/],
    [`${azure}, ${entra('client_secret: ""')}`, /`upstreams\.east\.entra\.client_secret`/],
    [`${azure}, ${entra('authority: "http://login.example"')}`, /`upstreams\.east\.entra\.authority`/],
    [`${azure}, expose: all`, /`upstreams\.east\.expose` cannot be `all`/],
    ['kind: openai, expose: some', /`upstreams\.east\.expose` must be `none`, `all` or a list\.$/],
  ] as const)
    assert.match(complaint(upstreams(yaml)), says)
})
