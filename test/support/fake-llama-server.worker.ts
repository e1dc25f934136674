/** The process behind `fake-llama-server.ts`. Arguments: the file for the record, the manner, and those of llama-server. */
import { appendFileSync } from 'node:fs'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

const [record = '', manner = '', ...args] = process.argv.slice(2)
const note = (line: object) => appendFileSync(record, `${JSON.stringify(line)}\n`)
note({ pid: process.pid, args, environment: process.env })

if (manner === 'broken') {
  process.stderr.write(
    '0.00.1 I srv load_model: loading\n0.00.2 E llama_model_load: error loading model: a tensor is odd\n',
  )
  process.stderr.write('0.00.3 E srv llama_server: exiting due to model loading error\n')
  process.exit(1)
}

const server = createServer((request, response) => {
  const chunks: Buffer[] = []
  request.on('data', chunk => chunks.push(chunk))
  request.on('end', () => {
    if (request.headers.authorization !== `Bearer ${process.env.LLAMA_API_KEY}`)
      return answer(response, 401, { error: { code: 401, message: 'Invalid API Key', type: 'authentication_error' } })
    if (request.url === '/props') return answer(response, 200, { chat_template_caps: { supports_tool_calls: true } })
    const body = JSON.parse(Buffer.concat(chunks).toString())
    note({ path: request.url, body })
    respond(request.url ?? '', body, response)
  })
})

function answer(response: ServerResponse, status: number, value: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value))
}

function respond(path: string, body: Record<string, unknown>, response: ServerResponse): void {
  const said = JSON.stringify(body.messages ?? body.prompt)
  if (path === '/tokenize') answer(response, 200, { tokens: Array.from(String(body.content), () => 1) })
  else if (path.endsWith('/input_tokens')) answer(response, 200, { input_tokens: said.length })
  else if (said.includes('too long'))
    refuse(
      response,
      400,
      'request (3000 tokens) exceeds the available context size (2048 tokens)',
      'exceed_context_size_error',
    )
  else if (said.includes('against the template'))
    refuse(
      response,
      500,
      '\n----\nWhile executing CallExpression\nError: Jinja Exception: Roles must alternate',
      'server_error',
    )
  else stream(said, path === '/v1/chat/completions', response)
}

function refuse(response: ServerResponse, code: number, message: string, type: string): void {
  answer(response, code, { error: { code, message, type } })
}

function stream(said: string, isChat: boolean, response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  const object = isChat ? 'chat.completion.chunk' : 'text_completion'
  const around = { id: 'chatcmpl-own', created: 5, model: 'own', object }
  const event = (value: object) => response.write(`data: ${JSON.stringify({ ...around, ...value })}\n\n`)
  const timings = { prompt_n: 7, cache_n: 3, predicted_n: 2 }
  const choice = (text: string, finish: string | null) =>
    isChat
      ? { index: 0, delta: text === '' ? {} : { content: text }, finish_reason: finish }
      : { index: 0, text, logprobs: null, finish_reason: finish }
  if (isChat) event({ choices: [{ index: 0, delta: { role: 'assistant', content: null }, finish_reason: null }] })
  event({ choices: [choice('o', null)], timings })
  if (said.includes('die')) process.kill(process.pid, 'SIGKILL')
  if (said.includes('on and on')) return
  event({ choices: [choice('k', null)], timings: { ...timings, predicted_n: 3 } })
  event({ choices: [choice('', 'stop')] })
  const usage = {
    prompt_tokens: 10,
    completion_tokens: 4,
    total_tokens: 14,
    prompt_tokens_details: { cached_tokens: 3 },
  }
  event({ choices: [], usage })
  response.end('data: [DONE]\n\n')
}

if (manner === 'well')
  server.listen(0, '127.0.0.1', () => {
    const { port } = server.address() as AddressInfo
    process.stderr.write(`0.00.037 I srv  llama_server: listening on http://127.0.0.1:${port}\n`)
  })
else setInterval(() => {}, 60_000)
