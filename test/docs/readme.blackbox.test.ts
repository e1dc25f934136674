import assert from 'node:assert/strict'
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { readConfig } from '../../src/config.ts'

const run = promisify(execFile)
const checkout = fileURLToPath(new URL('../..', import.meta.url))
const readme = await readFile(join(checkout, 'README.md'), 'utf8')
let folder = ''
let server: ChildProcess
let printed = ''

/** The fenced blocks of one language. */
const blocks = (text: string, language: string): string[] =>
  [...text.matchAll(new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``, 'g'))].map(match => match[1]!)

const env = () => ({ ...process.env, HOME: folder, XDG_DATA_HOME: '', PARLANCE_DATA_DIR: join(folder, 'data') })
const parlance = (args: string[], options: { input?: string } = {}) => {
  const child = run('npm', ['run', '-s', 'parlance', '--', ...args], { cwd: checkout, env: env() })
  child.child.stdin?.end(options.input ?? '')
  return child
}

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'parlance-readme-'))
  server = spawn('npm', ['start'], {
    cwd: checkout,
    env: { ...env(), PARLANCE_PORT: '0' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  for await (const line of createInterface({ input: server.stdout! })) {
    printed += `${line}\n`
    if (line.includes('curl ')) break
  }
  if (!printed.includes('curl ')) throw new Error(`\`npm start\` ended before it was ready: ${printed}`)
  server.stdout!.resume()
})
after(async () => {
  const ended = server.exitCode === null ? once(server, 'exit') : Promise.resolve([server.exitCode])
  server.kill('SIGTERM') // npm passes it on, as a service manager would have it
  const [code] = await ended
  await rm(folder, { recursive: true, force: true })
  assert.equal(code, 0, 'the server ends cleanly behind `npm start`')
})

test('the README is one screen', () => assert.ok(readme.split('\n').length <= 80, `${readme.split('\n').length} lines`))

test('`npm start` prints version, address, data folder, the first key and a curl line that works when pasted', async () => {
  assert.match(printed, /^Parlance \d+\.\d+\.\d+ listening on http:\/\/127\.0\.0\.1:\d+$/m)
  assert.match(printed, /Base URL +http:\/\/127\.0\.0\.1:\d+\/v1$/m)
  assert.ok(printed.includes(join(folder, 'data')))
  assert.match(printed, /API key +sk-[0-9A-Za-z]{48}$/m)
  const line = printed.split('\n').find(candidate => candidate.trim().startsWith('curl '))!
  const { stdout } = await run('bash', ['-c', `${line} -sSN`])
  assert.match(stdout, /^data: \{"id":"chatcmpl-/)
  assert.match(stdout, /data: \[DONE\]\n\n$/)
})

test('the client example runs as it is written, with the printed address and key in place', async () => {
  const [example] = blocks(readme, 'js')
  const baseUrl = /Base URL +(\S+)/.exec(printed)![1]!
  const key = /API key +(\S+)/.exec(printed)![1]!
  const file = join(checkout, 'test', 'docs', `.example-${process.pid}.mjs`) // inside, so that it finds the client
  await writeFile(file, example!.replace('http://127.0.0.1:8787/v1', baseUrl).replace('sk-…', key))
  try {
    const { stdout } = await run(process.execPath, [file])
    assert.match(stdout, /1, 2, 3, 4, 5, 6, 7/)
  } finally {
    await rm(file)
  }
})

test('the settings in the documentation are read without a complaint', async () => {
  const pages = [readme, await readFile(join(checkout, 'docs/config.md'), 'utf8')]
  for (const yaml of pages.flatMap(page => blocks(page, 'yaml'))) {
    const file = join(folder, 'documented.yaml')
    await writeFile(file, yaml)
    assert.ok(readConfig({ env: { PARLANCE_CONFIG: file, VLLM_KEY: 'x' }, cwd: folder }).models['gpt-4o'])
  }
})

test('keys are made, listed and revoked beside the running server', async () => {
  const { stdout: secret } = await parlance(['keys', 'create', '--name', 'second'])
  assert.match(secret, /^sk-[0-9A-Za-z]{48}\n$/)
  const { stdout: list } = await parlance(['keys', 'list'])
  const [, id] = /^(key_\S+) +second /m.exec(list)!
  assert.ok(!list.includes(secret.trim()))
  assert.match((await parlance(['keys', 'revoke', id!])).stdout, /^Revoked key_/)
})

test('`parlance chat` answers what is piped into it', async () => {
  const { stdout } = await parlance(['chat', 'parlance-tiny-1'], { input: 'Count to 5\n' })
  assert.match(stdout, /1, 2, 3, 4, 5/)
})

test('`parlance doctor` finds nothing wrong on this machine', async () => {
  const { stdout } = await parlance(['doctor'])
  assert.match(stdout, /^ok +node +v/m)
  assert.doesNotMatch(stdout, /WRONG/)
})

test('a second server on the same data folder is refused with words', async () => {
  await assert.rejects(parlance(['serve', '--port', '0']), /Another Parlance server .* already serves the data folder/)
})

test('a server that others could reach does not start without a key', async () => {
  const fresh = join(folder, 'fresh')
  await assert.rejects(
    parlance(['serve', '--host', '0.0.0.0', '--port', '0', '--data-dir', fresh]),
    /there is no key yet/,
  )
})

test('a port that is taken is told, with what to do', async () => {
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  const address = other.address()
  assert.ok(typeof address === 'object' && address !== null)
  await assert.rejects(
    parlance(['serve', '--port', String(address.port), '--data-dir', join(folder, 'third')]),
    /is taken by another program\. Choose one/,
  )
  other.close()
})

test('a wrong command says what there is', async () => {
  await assert.rejects(parlance(['serv']), /There is no command 'serv'/)
})
