/** Runs a GGUF model for the evaluation: llama.cpp, one prompt at a time, one thread. */
import { Template } from '@huggingface/jinja'
import { getLlama, LlamaLogLevel } from 'node-llama-cpp'
import type { Message, Tool } from './chat.ts'

export interface Answer {
  readonly text: string
  readonly tokens: number
  /** True when the model ended by itself. */
  readonly ended: boolean
}

export interface Runner {
  chat(messages: readonly Message[], tools?: readonly Tool[]): Promise<Answer>
  complete(prompt: string, maxTokens: number): Promise<Answer>
  /** The ids that llama.cpp gives to a prompt. */
  tokenize(prompt: string): number[]
  render(messages: readonly Message[], tools?: readonly Tool[]): string
  /** Generated tokens and the seconds they took. */
  speed(): { tokens: number; seconds: number }
  close(): Promise<void>
}

const maxChatTokens = 260

/** Loads a model file; the template and the special tokens come from the file itself. Temperature 0 takes the likeliest token. */
export async function openRunner(path: string, temperature = 0): Promise<Runner> {
  const llama = await getLlama({ gpu: false, build: 'never', logLevel: LlamaLogLevel.error, maxThreads: 1 })
  const model = await llama.loadModel({ modelPath: path })
  const context = await model.createContext({ contextSize: 1024, batchSize: 512, sequences: 1, threads: 1 })
  const sequence = context.getSequence()
  const source = model.fileInfo.metadata.tokenizer.chat_template
  if (!source) throw new Error(`${path} has no chat template`)
  const template = new Template(source)
  let tokens = 0
  let seconds = 0

  const render = (messages: readonly Message[], tools: readonly Tool[] = []): string =>
    template.render({ messages, ...(tools.length > 0 ? { tools } : {}), add_generation_prompt: true })

  const generate = async (prompt: string, maxTokens: number): Promise<Answer> => {
    const ids = model.tokenize(prompt, true)
    if (ids.length + maxTokens > 1024) throw new RangeError('prompt does not fit into the context')
    await sequence.clearHistory()
    const out: ReturnType<typeof model.tokenize> = []
    let ended = false
    let began = 0
    for await (const token of sequence.evaluate(ids, {
      temperature,
      topK: temperature === 0 ? 1 : 0,
      topP: 1,
      minP: 0,
      seed: 7,
      yieldEogToken: true,
    })) {
      began ||= performance.now()
      if (model.isEogToken(token)) {
        ended = true
        break
      }
      out.push(token)
      if (out.length >= maxTokens) break
    }
    if (out.length > 1) {
      tokens += out.length - 1
      seconds += (performance.now() - began) / 1000
    }
    return { text: model.detokenize(out), tokens: out.length, ended }
  }
  return {
    render,
    tokenize: prompt => [...model.tokenize(prompt, true)],
    chat: (messages, tools = []) => generate(render(messages, tools), maxChatTokens),
    complete: generate,
    speed: () => ({ tokens, seconds }),
    async close() {
      await context.dispose()
      await model.dispose()
      await llama.dispose()
    },
  }
}
