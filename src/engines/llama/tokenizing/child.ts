/**
 * The process of one model's tokenizer: llama.cpp with the vocabulary alone, no weights. A process of its own because a long text
 * keeps llama.cpp busy for seconds, in which the replies of the model must go on. Forked by `index.ts`, speaks `messages.ts`.
 */
import { Conversing } from '../conversing.ts'
import { promptTokens } from '../model.ts'
import { loadBindings, type NativeModel } from '../native.ts'
import { refusalOf } from '../refusal.ts'
import { Pieces } from '../text.ts'
import type { FromTokenizer, Job, LoadVocabulary, ToTokenizer } from './messages.ts'

interface Loaded {
  readonly model: NativeModel
  readonly chat: Conversing | undefined
}

let loaded: Loaded | undefined

process.on('message', async (message: ToTokenizer) => {
  try {
    if (message.type === 'load') {
      loaded = await load(message)
      await send({ type: 'loaded' })
    } else if (loaded !== undefined) await send({ type: 'done', count: await run(loaded, message) })
  } catch (error) {
    const reason = error instanceof Error ? error.message : 'unknown error'
    if (message.type === 'load') await send({ type: 'failed', reason })
    else await send({ type: 'refused', refusal: refusalOf(error) })
  }
})
// The server ends this process when it is done with it.
process.on('SIGINT', () => {})
process.on('SIGTERM', () => {})
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'))

async function load({ file, template }: LoadVocabulary): Promise<Loaded> {
  let says = 'llama.cpp could not read its vocabulary'
  const bindings = await loadBindings(false, line => {
    says = line
  })
  const useMmap = bindings.getSupportsMmap()
  const model = new bindings.AddonModel(file, { addonExports: bindings, gpuLayers: 0, useMmap, vocabOnly: true })
  if (!(await model.init())) throw new Error(says.trim().slice(0, 500))
  return { model, chat: template === null ? undefined : new Conversing(template, () => false) }
}

/** Sends what the job asked for; returns how many tokens there are. */
async function run({ model, chat }: Loaded, job: Job): Promise<number> {
  switch (job.type) {
    case 'count':
      return model.tokenize(job.text, job.special).length
    case 'chat':
      if (chat === undefined) throw new Error('The model has no chat template')
      return promptTokens(model, chat.prepare(job.conversation).pieces).length
    case 'encode': {
      const tokens = model.tokenize(job.text, job.special)
      for (let at = 0; at < tokens.length; at += partTokens)
        await send({ type: 'part', tokens: tokens.slice(at, at + partTokens) })
      return tokens.length
    }
    case 'decode': {
      const text = model.detokenize(job.tokens, true)
      for (let at = 0; at < text.length; at += partLength)
        await send({ type: 'part', text: text.slice(at, at + partLength) })
      return job.tokens.length
    }
    case 'pieces':
      await sendPieces(model, job.tokens)
      return job.tokens.length
  }
}

const partTokens = 65_536
const partPieces = 8192
const partLength = 262_144

async function sendPieces(model: NativeModel, tokens: Uint32Array): Promise<void> {
  const pieces = new Pieces(some => (some.length === 0 ? '' : model.detokenize(Uint32Array.from(some), true)), [])
  let text = ''
  let ends: number[] = []
  for (const [at, token] of tokens.entries()) {
    text += pieces.push(token)
    if (at === tokens.length - 1) text += pieces.end()
    ends.push(text.length)
    if (ends.length < partPieces && at < tokens.length - 1) continue
    await send({ type: 'part', text, ends: Uint32Array.from(ends) })
    text = ''
    ends = []
  }
}

/** Settles when the message has left this process, so that nothing piles up. */
function send(message: FromTokenizer): Promise<void> {
  return new Promise(resolve => {
    process.send?.(message, undefined, undefined, () => resolve())
  })
}
