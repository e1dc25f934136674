/**
 * The process of one model: llama.cpp may hang or die on a bad file, and it takes the processor for itself; the server must do
 * neither. Forked by `host.ts`, speaks `protocol.ts`.
 */
import { loadModel } from './model.ts'
import type { ControlMessage, FromChild, LoadMessage, ToChild } from './protocol.ts'
import type { Replies } from './replies.ts'
import type { Vectors } from './vectors.ts'

let work: Replies | Vectors | undefined

process.on('message', (message: ToChild) => {
  if (message.type === 'load') void load(message)
  else if (work === undefined) return
  else if (message.type === 'chat' || message.type === 'complete' || message.type === 'encode') void work.take(message)
  else control(work, message)
})
// The server drains its requests on a signal that reaches the whole group; when it ends, the channel closes.
process.on('SIGINT', () => {})
process.on('SIGTERM', () => {})
// Then nobody waits for an orderly end, and llama.cpp may be at work in another thread: an exit would free what it uses.
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'))

async function load(settings: LoadMessage): Promise<void> {
  try {
    // Arrives while llama.cpp reads the model.
    const arriving = settings.encoding === undefined ? replies(settings.template) : import('./vectors.ts')
    const model = await loadModel(settings)
    const room = await arriving
    work = 'Replies' in room ? new room.Replies(model, settings, send) : new room.Vectors(model, settings, send)
    send({ type: 'loaded', millis: model.millis, residentBytes: process.memoryUsage.rss() })
  } catch (error) {
    send({ type: 'failed', reason: error instanceof Error ? error.message : 'unknown error' })
  }
}

/** Asks the template what it does, so that the first chat need not wait for the answers. */
async function replies(template: LoadMessage['template']) {
  const [room, { dialectFor }] = await Promise.all([import('./replies.ts'), import('./conversing.ts')])
  if (template !== null) dialectFor(template.source)
  return room
}

function control(to: Replies | Vectors, { type, id }: ControlMessage): void {
  if (type === 'cancel') to.cancel(id)
  else if (type === 'pause') to.pause(id)
  else to.resume(id)
}

/** @param sent called when the message has left this process, or never will */
function send(message: FromChild, sent: () => void = () => {}): void {
  process.send?.(message, undefined, undefined, () => sent())
}
