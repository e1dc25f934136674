import { parseArgs } from 'node:util'
import { systemClock } from '../../src/lib/clock.ts'
import { type Parlance, serve, work } from '../../src/main.ts'
import { audited, terminal } from '../../src/platform/audit.ts'
import { type DataDirLock, lockDataDir } from '../../src/store/store.ts'
import { UsageError } from '../run.ts'
import { configHere, openHere } from '../surroundings.ts'

/** Starts the server and runs until it is told to stop; SIGTERM and SIGINT let running requests end first. */
export async function run(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      host: { type: 'string' },
      port: { type: 'string' },
      'data-dir': { type: 'string' },
      'setup-token': { type: 'boolean', default: false },
      role: { type: 'string', default: 'all' },
    },
  })
  const role = roles.find(known => known === values.role)
  if (role === undefined) throw new UsageError(`There is no role '${values.role}': use all, api or worker.`)
  const config = configHere({ host: values.host, port: values.port, data_dir: values['data-dir'] })
  const lock = lockFor(role, config.data_dir)
  try {
    const parlance = await openHere(config, { lock })
    try {
      if (role === 'worker') await workUntilStopped(parlance)
      else await serveUntilStopped(parlance, { setup: values['setup-token'], works: role === 'all' })
    } finally {
      await parlance.close()
    }
  } finally {
    lock.release()
  }
  return 0
}

/** `all`: requests and jobs. `api`: requests alone; jobs wait. `worker`: jobs alone. */
const roles = ['all', 'api', 'worker'] as const
type Role = (typeof roles)[number]

/** Limits and money are counted in the memory of the process that holds the folder, so that nobody can share it. */
function lockFor(role: Role, dataDir: string): DataDirLock {
  try {
    return lockDataDir(dataDir, systemClock)
  } catch (error) {
    if (role === 'all' || !(error instanceof Error)) throw error
    throw new Error(
      `${error.message} Requests and jobs in processes apart need a database that both can use (PostgreSQL); with SQLite, one process does both: --role all.`,
      { cause: error.cause },
    )
  }
}

/** Does jobs alone. */
async function workUntilStopped(parlance: Parlance): Promise<void> {
  const stop = stopSignal()
  const worker = await work(parlance)
  process.stdout.write(`Parlance ${parlance.version} does jobs of ${parlance.config.data_dir}; it takes no requests.\n`)
  const failed = await Promise.race([stop, storeFailure(parlance)])
  await worker.drain(failed ? 0 : parlance.config.drain_timeout_ms)
  if (failed) throw new Error(storeFailed)
}

const storeFailed = 'The database can no longer be written safely. Check the disk, then start again.'

/** 20 random letters cannot be guessed over a network. */
const safeKeyLength = 20

async function serveUntilStopped(parlance: Parlance, asked: { setup: boolean; works: boolean }): Promise<void> {
  const { config, version } = parlance
  const firstKey = await ensureKey(parlance)
  const setupToken = await openSetup(parlance, asked.setup)
  const stop = stopSignal()
  const server = serve(parlance)
  const { port } = await server.listen(config.host, config.port).catch((error: unknown) => {
    throw new Error(listenAdvice(error, config), { cause: error })
  })
  const base = `http://${config.host.includes(':') ? `[${config.host}]` : config.host}:${port}`
  const worker = asked.works ? await work(parlance) : undefined
  const drain = (timeoutMs: number) => Promise.all([server.drain(timeoutMs), worker?.drain(timeoutMs)])
  const text = welcome({ base, dataDir: config.data_dir, firstKey, setupToken })
  process.stdout.write(`Parlance ${version} listening on ${base}\n${text}`)
  const failed = storeFailure(parlance)
  if (await Promise.race([stop, failed])) {
    await drain(0)
    throw new Error(storeFailed)
  }
  process.stdout.write('Stopping: running requests may end, new ones are refused. Once more to stop at once.\n')
  await drain(config.drain_timeout_ms)
}

/** The key to show, if this start made one. @throws UsageError when others could reach a server without a key */
async function ensureKey({ config, keys, services }: Parlance): Promise<string | undefined> {
  if (config.bootstrap_key !== undefined) {
    if (!isLoopback(config.host) && config.bootstrap_key.length < safeKeyLength)
      process.stderr.write(
        `PARLANCE_BOOTSTRAP_KEY is short for a server that others can reach: use ${safeKeyLength} characters or more.\n`,
      )
    await keys.ensure('bootstrap', config.bootstrap_key)
    return undefined
  }
  if ((await keys.list()).some(key => key.revokedAt === null)) return undefined
  if (!isLoopback(config.host))
    throw new UsageError(
      `${config.host} can be reached from other machines, and there is no key yet. Make one with \`parlance keys create\`, or set PARLANCE_BOOTSTRAP_KEY, and start again.`,
    )
  const caller = await keys.operator()
  const { secret } = await keys.create({ name: 'first key' }, ({ id, name, projectId }) => [
    audited(
      { type: 'api_key.created', subjectId: id, projectId, details: { name } },
      { caller, from: terminal, ...services },
    ),
  ])
  return secret
}

/**
 * With the token, whoever reads it can become the first owner. What a server for others prints often ends in a log that others read:
 * there it must be asked for.
 */
async function openSetup({ config, services }: Parlance, asked: boolean): Promise<string | undefined> {
  if (!asked && !isLoopback(config.host)) return undefined
  const token = await services.signIn.setup.open()
  if (asked && token === undefined) process.stderr.write('There is no set-up token: an owner can sign in already.\n')
  return token
}

interface Welcome {
  base: string
  dataDir: string
  firstKey: string | undefined
  setupToken: string | undefined
}

function welcome({ base, dataDir, firstKey, setupToken }: Welcome): string {
  const key = firstKey ?? '$OPENAI_API_KEY'
  const setup =
    setupToken === undefined
      ? ''
      : `  Set-up       ${setupToken}\n               once, within 15 minutes: docs/accounts.md\n`
  return `
  Base URL     ${base}/v1
  Data folder  ${dataDir}
  API key      ${firstKey === undefined ? 'one of yours (`parlance keys list`, `parlance keys create`)' : `${firstKey}\n               shown once: only its hash is kept`}
${setup}
  Try it:
  curl ${base}/v1/chat/completions -H "Authorization: Bearer ${key}" -H "Content-Type: application/json" -d '{"model": "gpt-3.5-turbo", "stream": true, "messages": [{"role": "user", "content": "Hello!"}]}'

`
}

/** Resolves to true when a write was lost by the disk: what was acknowledged is safe, so the process ends before it says more. */
function storeFailure({ store }: Parlance): Promise<true> {
  return new Promise(resolve => {
    const look = setInterval(() => {
      if (store.health().state !== 'failed') return
      clearInterval(look)
      resolve(true)
    }, 1000)
    look.unref()
  })
}

const isLoopback = (host: string) => host === 'localhost' || host === '::1' || /^127(?:\.\d{1,3}){3}$/.test(host)

function listenAdvice(error: unknown, { host, port }: { host: string; port: number }): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code === 'EADDRINUSE')
    return `Port ${port} is taken by another program. Choose one with --port or PARLANCE_PORT (0 picks a free one).`
  if (code === 'EACCES')
    return `Port ${port} is not allowed for this user. Choose one above 1023 with --port or PARLANCE_PORT.`
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND')
    return `${host} is no address of this machine. Set another with --host or PARLANCE_HOST.`
  return `The server could not listen on ${host}:${port}.`
}

/** Resolves at the first signal; at the second the process ends at once. */
function stopSignal(): Promise<void> {
  return new Promise(resolve => {
    let asked = false
    const ask = () => {
      if (asked) process.exit(130)
      asked = true
      resolve()
    }
    process.on('SIGTERM', ask)
    process.on('SIGINT', ask)
  })
}
