import { ConfigError } from '../src/config.ts'
import { Fault } from '../src/lib/faults.ts'

/** A mistake on the command line; the message says what to do. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** What an operation answered instead of doing it, in its own words. */
export class Refused extends Error {
  override readonly name = 'Refused'
  readonly status: number

  constructor(message: string, status: number) {
    super(message)
    this.status = status
  }
}

const help = `Parlance: the OpenAI platform as software you run.

Usage: parlance [command] [options]

  serve                    Start the server (the default).
      --host ADDRESS       Default 127.0.0.1; anything but loopback needs a key first.
      --port PORT          Default 8787; 0 picks a free one.
      --data-dir FOLDER    Where everything is kept.
      --role ROLE          all (the default); api: requests alone; worker: jobs alone.
      --setup-token        Print the token of the first sign-in also when others can reach the server.
  keys create [--name N]   Make a key; it is shown once.
  keys list|rotate|revoke  Show all keys; give one a new secret; end one at once.
  members list|invite|add|role|remove       The people of an organisation.
  projects list|create|archive              Its projects.
  organizations list|create                 The organisations of this server.
  limits list|set|clear|preset              How much may be asked and spent.
  usage                    What was used and what it has cost.
  credit show|on|off|grant|code|redeem      What an organisation may spend.
  prices list|set|remove   What models cost.
  audit list               Who has changed what.
  upstream list|add|set|test|show|rm        Servers that answer for models.
  route list|add|show|rm   Which of them answers for which model.
  files list|upload|show|download|rm        What programs have stored, for batches, assistants ...
  batches create|list|show|watch|cancel     Files of requests that are worked off at a lower price.
                           \`parlance help COMMAND\` says more about each of these.
  pull MODEL               Fetch a GGUF model: OWNER/REPOSITORY[:FILE or quantisation] of
                           the hub, or an https address. Goes on after a break.
      --name NAME          What it is called here; by default as its file.
      --force              Also when it does not fit on the disk or into memory.
  models list              All models, with size, context and quantisation.
  models show NAME         What the file of a model says.
  models rm NAME           Remove a model that was pulled.
  models cp NAME NEW       Give such a model a second name; takes no room.
  ps                       Which models are in memory of the running server, and for how long.
      --json               As the server tells it.
  chat [MODEL]             Talk to a model in this terminal; no server needed.
  tokens FILE|-            Count the tokens of a text (- reads standard input).
      --encoding NAME      Default o200k_base.
      --model NAME         Count as this model does.
      --ids, --pieces      One line a token: its number, its text.
      --json               The counts as JSON, and what else was asked for.
  doctor                   Check this machine, the settings and the models.
  version, help [COMMAND]

Settings: parlance.yaml and the environment, see docs/config.md.
`

/** Commands load what they need when they run, so that \`help\` is quick and \`keys\` starts no engine. */
const commands: Record<string, () => Promise<Command>> = {
  serve: () => import('./commands/serve.ts'),
  keys: () => import('./commands/keys.ts'),
  members: () => import('./commands/members.ts'),
  projects: () => import('./commands/projects.ts'),
  organizations: () => import('./commands/organizations.ts'),
  limits: () => import('./commands/limits.ts'),
  usage: () => import('./commands/usage.ts'),
  credit: () => import('./commands/credit.ts'),
  prices: () => import('./commands/prices.ts'),
  audit: () => import('./commands/audit.ts'),
  upstream: () => import('./commands/upstream.ts'),
  route: () => import('./commands/route.ts'),
  files: () => import('./commands/files.ts'),
  batches: () => import('./commands/batches.ts'),
  pull: () => import('./commands/pull.ts'),
  models: () => import('./commands/models.ts'),
  ps: () => import('./commands/ps.ts'),
  chat: () => import('./commands/chat.ts'),
  tokens: () => import('./commands/tokens.ts'),
  doctor: () => import('./commands/doctor.ts'),
}

interface Command {
  run(args: string[]): Promise<number>
  /** Its own lines of help, where it has more to say than the page of all commands. */
  help?: string
}

/** Runs one command line and sets the exit code: 0 done, 1 failed, 2 asked wrongly. */
export async function run(args: string[]): Promise<void> {
  for (const out of [process.stdout, process.stderr]) out.on('error', ignoreClosed)
  const [first = 'serve', ...rest] = args
  const isOption = first.startsWith('-')
  if (['help', '--help', '-h'].includes(first)) return print((await ownHelp(rest[0])) ?? help)
  if (['version', '--version', '-v'].includes(first)) return print(`${(await import('./version.ts')).version}\n`)
  const name = isOption ? 'serve' : first
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined
  try {
    if (rest.some(word => word === '--help' || word === '-h')) return print((await ownHelp(first)) ?? help)
    if (command === undefined) throw new UsageError(`There is no command '${first}'. \`parlance help\` lists them.`)
    process.exitCode = await (await command()).run(isOption ? args : rest)
  } catch (error) {
    process.exitCode = error instanceof UsageError || isBadOption(error) ? 2 : 1
    process.stderr.write(`parlance: ${readable(error)}\n`)
  }
}

/** Whoever reads the output may stop (`| head`): no reason for a server to end. */
function ignoreClosed(error: Error): void {
  if (!('code' in error) || error.code !== 'EPIPE') throw error
}

/** What went wrong in words; the stack only for what is ours to mend. */
function readable(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const known = [UsageError, Refused, ConfigError, Fault].some(kind => error instanceof kind)
  if (known || isBadOption(error)) return error.message
  const because = error.cause instanceof Error ? ` (${error.cause.message})` : ''
  return error.name === 'Error' ? error.message + because : (error.stack ?? error.message)
}

/** Of `parseArgs`. */
const isBadOption = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS')

const ownHelp = async (command: string | undefined): Promise<string | undefined> =>
  command === undefined || !Object.hasOwn(commands, command) ? undefined : (await commands[command]!()).help

function print(text: string): void {
  process.stdout.write(text)
}
