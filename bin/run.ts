import { ConfigError } from '../src/config.ts'
import { Fault } from '../src/lib/faults.ts'

/** A mistake on the command line; the message says what to do. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

const help = `Parlance: the OpenAI platform as software you run.

Usage: parlance [command] [options]

  serve                    Start the server (the default).
      --host ADDRESS       Default 127.0.0.1; anything but loopback needs a key first.
      --port PORT          Default 8787; 0 picks a free one.
      --data-dir FOLDER    Where everything is kept.
  keys create [--name N]   Make a key; it is shown once.
  keys list                Show all keys, without their secrets.
  keys revoke ID           Revoke a key at once.
  pull MODEL               Fetch a GGUF model: OWNER/REPOSITORY[:FILE or quantisation] of
                           the hub, or an https address. Goes on after a break.
      --name NAME          What it is called here; by default as its file.
      --force              Also when it does not fit on the disk or into memory.
  models list              All models, with size, context and quantisation.
  models show NAME         What the file of a model says.
  models rm NAME           Remove a model that was pulled.
  models cp NAME NEW       Give such a model a second name; takes no room.
  chat [MODEL]             Talk to a model in this terminal; no server needed.
  tokens FILE|-            Count the tokens of a text (- reads standard input).
      --encoding NAME      Default o200k_base.
      --model NAME         Count as this model does.
      --ids, --pieces      One line a token: its number, its text.
      --json               The counts as JSON, and what else was asked for.
  doctor                   Check this machine, the settings and the models.
  version, help

Settings: parlance.yaml and the environment, see docs/config.md.
`

/** Commands load what they need when they run, so that \`help\` is quick and \`keys\` starts no engine. */
const commands: Record<string, () => Promise<{ run(args: string[]): Promise<number> }>> = {
  serve: () => import('./commands/serve.ts'),
  keys: () => import('./commands/keys.ts'),
  pull: () => import('./commands/pull.ts'),
  models: () => import('./commands/models.ts'),
  chat: () => import('./commands/chat.ts'),
  tokens: () => import('./commands/tokens.ts'),
  doctor: () => import('./commands/doctor.ts'),
}

/** Runs one command line and sets the exit code: 0 done, 1 failed, 2 asked wrongly. */
export async function run(args: string[]): Promise<void> {
  const [first = 'serve', ...rest] = args
  const isOption = first.startsWith('-')
  if (['help', '--help', '-h'].includes(first)) return print(help)
  if (['version', '--version', '-v'].includes(first)) return print(`${(await import('./version.ts')).version}\n`)
  const command = commands[isOption ? 'serve' : first]
  try {
    if (command === undefined) throw new UsageError(`There is no command '${first}'. \`parlance help\` lists them.`)
    process.exitCode = await (await command()).run(isOption ? args : rest)
  } catch (error) {
    process.exitCode = error instanceof UsageError ? 2 : 1
    process.stderr.write(`parlance: ${readable(error)}\n`)
  }
}

/** What went wrong in words; the stack only for what is ours to mend. */
function readable(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const known = error instanceof UsageError || error instanceof ConfigError || error instanceof Fault
  if (known || ('code' in error && typeof error.code === 'string' && error.code.startsWith('ERR_PARSE_ARGS')))
    return error.message
  const because = error.cause instanceof Error ? ` (${error.cause.message})` : ''
  return error.name === 'Error' ? error.message + because : (error.stack ?? error.message)
}

function print(text: string): void {
  process.stdout.write(text)
}
