import assert from 'node:assert/strict'
import type { RawReply } from './socket.ts'

export interface ErrorBody {
  message: string
  type: string
  param: string | null
  code: string | null
}

/** A stack, a path, a file of ours, a pointer or an internal name: nothing of it belongs into a reply. */
const internals =
  /\n\s+at |node:internal|node_modules|file:\/\/|\/(?:src|bin|home|root|tmp|work|usr)\/|\.ts\b|0x[0-9a-f]{6,}|\[object |undefined|SQLITE|FST_ERR/

/** The error of a reply, which must be in OpenAI's form, with all four keys and nothing else, and must not speak of internals. */
export function errorOf({ status, header, body }: Pick<RawReply, 'status' | 'header' | 'body'>): ErrorBody {
  const text = body.toString()
  assert.equal(header('content-type'), 'application/json', `${status}: ${text}`)
  const parsed: unknown = JSON.parse(text)
  assert.ok(typeof parsed === 'object' && parsed !== null && 'error' in parsed, text)
  assert.deepEqual(Object.keys(parsed), ['error'])
  return checked(parsed.error)
}

/** The same for an error that came as an event of a stream. */
export function checked(error: unknown): ErrorBody {
  assert.ok(typeof error === 'object' && error !== null)
  assert.deepEqual(Object.keys(error).sort(), ['code', 'message', 'param', 'type'])
  const { message, type, param, code } = error as ErrorBody
  assert.ok(typeof message === 'string' && message.length > 0 && message.length < 2000, String(message).slice(0, 2000))
  assert.ok(typeof type === 'string' && type.length > 0)
  assert.ok(param === null || typeof param === 'string') // empty when the name of a field is
  assert.ok(code === null || /^\w+$/.test(code), String(code))
  assert.doesNotMatch(message, internals)
  return { message, type, param, code }
}
