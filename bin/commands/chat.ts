import { createInterface } from 'node:readline/promises'
import { parseArgs } from 'node:util'
import { silentLog } from '../../src/lib/log.ts'
import type { Parlance } from '../../src/main.ts'
import { createChatCompletion } from '../../src/operations/chat/create.ts'
import { terminal } from '../../src/platform/audit.ts'
import { builtIn } from '../../src/platform/catalogue.ts'
import { execute } from '../../src/platform/execute.ts'
import type { Caller } from '../../src/platform/keys.ts'
import type { ChatChunk } from '../../src/wire/chat.ts'
import { configHere, openHere } from '../surroundings.ts'

interface Message {
  role: 'system' | 'user' | 'assistant'
  content: string
}

/** Talks to a model in the terminal, streaming. Needs no server and no key: it goes through the same `execute` as HTTP does. */
export async function run(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { system: { type: 'string' }, 'data-dir': { type: 'string' } },
  })
  const model = positionals[0] ?? builtIn.chat
  const parlance = await openHere(configHere({ data_dir: values['data-dir'] }), { log: silentLog })
  try {
    parlance.services.models.resolve(model) // a wrong name is told before anything is typed
    const caller = await parlance.keys.operator()
    const history: Message[] = values.system === undefined ? [] : [{ role: 'system', content: values.system }]
    await converse(parlance, caller, model, history)
    return 0
  } finally {
    await parlance.close()
  }
}

async function converse(parlance: Parlance, caller: Caller, model: string, history: Message[]): Promise<void> {
  const lines = createInterface({
    input: process.stdin,
    output: process.stdout,
    terminal: process.stdin.isTTY === true,
  })
  if (process.stdin.isTTY) process.stdout.write(`${model}. An empty line or Ctrl+D ends; Ctrl+C stops a reply.\n`)
  let reply: AbortController | undefined
  let closed = false
  lines.on('close', () => {
    closed = true // piped input ends before its last line is answered
  })
  lines.on('SIGINT', () => (reply === undefined ? lines.close() : reply.abort()))
  lines.setPrompt(process.stdin.isTTY ? '> ' : '')
  lines.prompt()
  for await (const line of lines) {
    if (line.trim() === '') break
    reply = new AbortController()
    history.push({ role: 'user', content: line })
    history.push({
      role: 'assistant',
      content: await answer(parlance, caller, { model, messages: history, stream: true }, reply.signal),
    })
    reply = undefined
    if (!closed) lines.prompt()
  }
  lines.close()
}

/** Streams one reply to standard output. @returns its whole text */
async function answer({ services }: Parlance, caller: Caller, body: object, signal: AbortSignal): Promise<string> {
  const reply = await execute(
    createChatCompletion,
    {
      body,
      bytes: Buffer.byteLength(JSON.stringify(body)),
      params: {},
      query: {},
      caller,
      from: terminal,
      signal,
      wants: 'values',
    },
    services,
  )
  let whole = ''
  const show = (text: string) => {
    whole += text
    process.stdout.write(text)
  }
  if (reply.kind === 'events')
    for await (const event of reply.events) show((event as ChatChunk).choices[0]?.delta.content ?? '')
  process.stdout.write('\n')
  return whole
}
