import assert from 'node:assert/strict'
import { type Era, validateEvent, validateReply } from '../spec/validate.ts'
import type { Exchange } from '../support/recorder.ts'

/** Fails when a reply, or an event of it, is not what OpenAI's API description of that time says, with what is wrong. */
export function conforms({ method, path, status, headers, body, complete }: Exchange, era: Era): void {
  const where = `${method} ${path} → ${status} (${era})`
  const type = headers['content-type']
  if (type === 'application/json') {
    assert.deepEqual(validateReply(era, method, path, status, JSON.parse(body.toString())), [], where)
    return
  }
  assert.match(type ?? 'no content type', /^text\/event-stream(; charset=utf-8)?$/, where)
  const kind = path.startsWith('/v1/chat/') ? 'chat' : 'completion'
  const frames = body.toString().split('\n\n')
  const rest = frames.pop()
  if (complete) assert.deepEqual([rest, frames.pop()], ['', 'data: [DONE]'], where)
  assert.ok(frames.length > 0, where)
  for (const frame of frames) {
    assert.ok(frame.startsWith('data: '), `${where}: ${frame}`)
    assert.deepEqual(validateEvent(era, kind, JSON.parse(frame.slice('data: '.length))), [], `${where}: ${frame}`)
  }
}
