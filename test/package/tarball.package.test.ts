import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { cp, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import OpenAI from 'openai'

const run = promisify(execFile)
const checkout = fileURLToPath(new URL('../..', import.meta.url))
const installedMaxBytes = 200 * 2 ** 20
let folder = ''

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'parlance-package-'))
})
after(() => rm(folder, { recursive: true, force: true }))

test('what `npm ci --omit=dev` installs stays under 200 MiB', async () => {
  const target = join(folder, 'omit-dev')
  for (const name of ['package.json', 'package-lock.json', 'vendor'])
    await cp(join(checkout, name), join(target, name), { recursive: true })
  await run('npm', ['ci', '--omit=dev'], { cwd: target })
  const bytes = await sizeOf(join(target, 'node_modules'))
  assert.ok(bytes < installedMaxBytes, `${Math.round(bytes / 2 ** 20)} MiB`)
})

test('the packed tarball installs, starts from emitted JavaScript and answers an official client', async () => {
  const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', folder], { cwd: checkout })
  const packed = JSON.parse(stdout.slice(stdout.search(/^\[/m))) as { filename: string; files: { path: string }[] }[]
  const [{ filename, files }] = packed as [(typeof packed)[0]]
  assert.deepEqual(
    files.map(file => file.path).filter(path => /\.test\.|\.ts$|fixtures/.test(path) && !path.endsWith('.d.ts')),
    [],
    'no sources and no tests in the package',
  )
  const { overrides } = JSON.parse(await readFile(join(checkout, 'package.json'), 'utf8')) as { overrides: object }
  const home = join(folder, 'home')
  await cp(join(checkout, 'vendor'), join(home, 'vendor'), { recursive: true })
  await writeFile(
    join(home, 'package.json'),
    JSON.stringify({ private: true, dependencies: { parlance: `file:${join(folder, filename)}` }, overrides }),
  )
  await run('npm', ['install'], { cwd: home })

  await checkLibrary(home)
  const child = spawn(process.execPath, [join(home, 'node_modules', 'parlance', 'bin', 'parlance.cjs'), 'serve'], {
    cwd: home,
    env: {
      PATH: dirname(process.execPath),
      PARLANCE_PORT: '0',
      PARLANCE_DATA_DIR: join(home, 'data'),
      PARLANCE_BOOTSTRAP_KEY: 'sk-of-the-package-test',
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  try {
    const baseURL = `${await readyAddress(child.stdout)}/v1`
    const client = new OpenAI({ baseURL, apiKey: 'sk-of-the-package-test', maxRetries: 0 })
    const chat = await client.chat.completions.create({
      model: 'gpt-3.5-turbo',
      messages: [{ role: 'user', content: 'Hello!' }],
      max_tokens: 5,
    })
    assert.equal(chat.model, 'parlance-tiny-1')
    assert.ok(chat.choices[0]?.message.content)
    const { data } = await client.embeddings.create({ model: 'text-embedding-ada-002', input: 'hello' })
    assert.equal(data[0]?.embedding.length, 1536)
  } finally {
    const ended = new Promise<number | null>(resolve => child.once('exit', resolve))
    child.kill('SIGTERM')
    assert.equal(await ended, 0)
  }
})

/** The tokenizer is a library of its own, with types. */
async function checkLibrary(home: string): Promise<void> {
  const source = `import { type Encoding, encodingForModel } from 'parlance/tokens'
const encoding: Encoding = encodingForModel('gpt-4')
const tokens: number[] = encoding.encode('tiktoken is great!')
console.log(JSON.stringify(tokens))
`
  await writeFile(join(home, 'library.ts'), source)
  await writeFile(join(home, 'library.mjs'), source.replaceAll(/type Encoding, |: Encoding|: number\[\]/g, ''))
  const { stdout } = await run(process.execPath, ['library.mjs'], { cwd: home })
  assert.equal(stdout, '[83,1609,5963,374,2294,0]\n')
  const compiler = join(checkout, 'node_modules', '.bin', 'tsc')
  const options = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2024', '--lib', 'es2024,esnext,dom']
  await run(compiler, [...options, '--types', '', 'library.ts'], { cwd: home })
  const { stdout: version } = await run(process.execPath, ['-p', "require('parlance/package.json').version"], {
    cwd: home,
  })
  assert.match(version, /^\d+\.\d+\.\d+\n$/)
}

async function readyAddress(output: NodeJS.ReadableStream): Promise<string> {
  for await (const line of createInterface({ input: output })) {
    const match = /^Parlance \S+ listening on (http:\/\/\S+)$/.exec(line)
    if (match) return match[1]!
  }
  throw new Error('The packed product ended before it was ready.')
}

async function sizeOf(path: string): Promise<number> {
  const entries = await readdir(path, { withFileTypes: true, recursive: true })
  const sizes = await Promise.all(
    entries.filter(entry => entry.isFile()).map(async entry => (await stat(join(entry.parentPath, entry.name))).size),
  )
  return sizes.reduce((sum, size) => sum + size, 0)
}
