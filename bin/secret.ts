import { UsageError } from './run.ts'

/** Where a secret comes from. Never from an argument: those stand in the history of the shell and in the list of processes. */
export interface SecretSource {
  /** Read from standard input; a person at a terminal is asked for it, and does not see it. */
  stdin: boolean
  /** The name of a variable of the environment. */
  env: string | undefined
}

const lengthMax = 65_536

/**
 * @param what for messages and the question, such as `API key`
 * @param option its name without the end, such as `--api-key`
 * @returns undefined when it was not asked for
 * @throws UsageError for an empty one
 */
export async function secretFrom(
  { stdin, env }: SecretSource,
  what: string,
  option: string,
): Promise<string | undefined> {
  if (stdin && env !== undefined) throw new UsageError(`${option}-stdin and ${option}-env: one of them is enough.`)
  if (env !== undefined) {
    const value = process.env[env]?.trim()
    if (value === undefined || value === '')
      throw new UsageError(`The environment has no ${env}: \`export ${env}=…\`, or use ${option}-stdin.`)
    return value
  }
  if (!stdin) return undefined
  const value = (process.stdin.isTTY ? await asked(what) : await piped(option)).trim()
  if (value === '') throw new UsageError(`Nothing came from standard input, where the ${what} should have been.`)
  return value
}

async function piped(option: string): Promise<string> {
  let text = ''
  for await (const piece of process.stdin.setEncoding('utf8')) {
    text += piece
    if (text.length > lengthMax) throw new UsageError(`What comes in for ${option}-stdin is too long to be one.`)
  }
  return text
}

/** The question goes to standard error, so that standard output holds the answer of the command alone. */
function asked(what: string): Promise<string> {
  const { stdin, stderr } = process
  stderr.write(`${what}: `)
  stdin.setRawMode(true)
  stdin.setEncoding('utf8')
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  let text = ''
  const end = () => {
    stdin.off('data', read)
    stdin.setRawMode(false)
    stdin.pause()
    stderr.write('\n')
  }
  const read = (piece: string) => {
    for (const key of piece) {
      if (key === '\r' || key === '\n' || key === '\u0004') {
        end()
        return resolve(text)
      }
      if (key === '\u0003') {
        end()
        return reject(new UsageError('Cancelled.'))
      }
      text = key === '\u007f' || key === '\b' ? text.slice(0, -1) : text + key
      if (text.length > lengthMax) {
        end()
        return reject(new UsageError(`That is too long for the ${what}.`))
      }
    }
  }
  stdin.on('data', read)
  stdin.resume()
  return promise
}
