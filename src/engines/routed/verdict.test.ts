import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Fault, fault } from '../../lib/faults.ts'
import { type Verdict, verdictOf } from './verdict.ts'

const nowMs = Date.parse('2026-10-21T07:28:00Z')
const cause = new Error('because')
const said = (status: number, code: string | null = null, headers: Record<string, string> = {}, message = 'No.') =>
  fault.upstreamError(status, { message, code }, headers)

const others = (target: Verdict['target'], afterMs?: number): Verdict => ({
  asks: 'others',
  target,
  ...(afterMs !== undefined && { afterMs }),
})
const refused: Verdict = { asks: 'nobody', target: 'answered' }
const nothing: Verdict = { asks: 'nobody', target: 'unknown' }
const larger: Verdict = { asks: 'larger', target: 'answered' }

const cases: [name: string, error: unknown, verdict: Verdict][] = [
  ['a connection that failed', fault.upstreamUnreachable('m', cause), others('failed')],
  ['a time that ran out', fault.upstreamTimeout('m'), others('failed')],
  ['a connection that broke', fault.upstreamInterrupted('m'), others('failed')],
  ['an answer that is not understood', fault.upstreamInvalid('m', cause), others('failed')],
  ['a 500 of the target', fault.upstreamFailed('m', cause), others('failed')],
  ['a 503', fault.upstreamUnavailable('m', {}, cause), others('failed')],
  ['a 503 that says when', fault.upstreamUnavailable('m', { 'retry-after': '3' }, cause), others('failed', 3000)],
  ['a 502 in place of a reply', said(502), others('failed')],
  ['a 408', said(408), others('failed')],
  ['a 429', said(429), others('failed')],
  ['a 429 that says when', said(429, null, { 'retry-after': '2' }), others('limited', 2000)],
  ['… in milliseconds', said(429, null, { 'retry-after': '2', 'retry-after-ms': '1500' }), others('limited', 1500)],
  ['… as a date', said(429, null, { 'retry-after': 'Wed, 21 Oct 2026 07:28:09 GMT' }), others('limited', 9000)],
  ['… in the past', said(429, null, { 'retry-after': 'Wed, 21 Oct 2026 07:27:00 GMT' }), others('limited', 0)],
  ['… as nonsense', said(429, null, { 'retry-after': 'Xyz, soon and more of it' }), others('failed')],
  ['a wait of a year', said(429, null, { 'retry-after': '9999999' }), others('limited', 600_000)],
  ['our own full pool', fault.overloaded('m', 1), others('unknown')],
  ['a context that is too small', said(400, 'context_length_exceeded'), larger],
  ['… in the words of vLLM', said(400, '400', {}, "This model's maximum context length is 8 tokens."), larger],
  [
    '… in the words of llama.cpp',
    said(400, '400', {}, 'the request exceeds the available context size. try increasing it'),
    larger,
  ],
  ['a bad request', said(400, 'invalid_value'), refused],
  ['a missing model', said(404, 'model_not_found'), refused],
  ['a conflict', said(409), refused],
  ['something that is too large', said(413), refused],
  ['what cannot be processed', said(422), refused],
  ['a refused key', fault.upstreamRefusedKey('m', cause), { asks: 'nobody', target: 'failed' }],
  ['the end of the server', fault.draining(), nothing],
  ['an upstream that calls its error as we call ours', said(502, 'shutting_down'), others('failed')],
  ['a mistake of ours', fault.internal(cause), nothing],
  ['what is no fault', new TypeError('x'), nothing],
]
for (const [name, error, verdict] of cases)
  test(`verdict: ${name}`, () => assert.deepEqual(verdictOf(error as Fault, nowMs), verdict))
