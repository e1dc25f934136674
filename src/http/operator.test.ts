import assert from 'node:assert/strict'
import type { IncomingMessage } from 'node:http'
import { test } from 'node:test'
import type { Control } from '../platform/control.ts'
import type { Caller, Keys } from '../platform/keys.ts'
import { isOfThisMachine, localUrl, operatorDoor } from './operator.ts'

for (const [remoteAddress, localAddress, same] of [
  ['127.0.0.1', '127.0.0.1', true],
  ['127.3.2.1', '127.0.0.1', true],
  ['::1', '::1', true],
  ['::ffff:127.0.0.1', '::ffff:127.0.0.1', true],
  ['192.0.2.7', '192.0.2.7', true],
  ['192.0.2.8', '192.0.2.7', false],
  ['2001:db8::1', '2001:db8::2', false],
  ['127.0.0.1.example', '192.0.2.7', false],
  ['1127.0.0.1', '192.0.2.7', false],
  [undefined, undefined, false],
] as const)
  test(`a connection from ${remoteAddress} to ${localAddress} is ${same ? 'of this machine' : 'from elsewhere'}`, () =>
    assert.equal(isOfThisMachine({ remoteAddress, localAddress }), same))

for (const [address, url] of [
  ['127.0.0.1', 'http://127.0.0.1:8787'],
  ['0.0.0.0', 'http://127.0.0.1:8787'],
  ['::', 'http://[::1]:8787'],
  ['2001:db8::1', 'http://[2001:db8::1]:8787'],
] as const)
  test(`a server on ${address} is reached at ${url}`, () =>
    assert.equal(localUrl({ address, family: 'IPv4', port: 8787 }), url))

const operator = { kind: 'operator' } as unknown as Caller
const door = operatorDoor(
  { accepts: (secret: string) => secret === 'op-right' } as unknown as Control,
  { operator: async () => operator } as unknown as Keys,
)
const here = { remoteAddress: '127.0.0.1', localAddress: '127.0.0.1' }
const asked = (headers: Record<string, string>, socket: object = here) =>
  door({ headers, socket } as unknown as IncomingMessage)

test('the right secret from this machine is the operator', async () => {
  assert.equal(await asked({ authorization: 'Bearer op-right' }), operator)
})

for (const [name, headers, socket] of [
  ['a wrong secret', { authorization: 'Bearer op-wrong' }, here],
  ['no secret', {}, here],
  ['a key', { authorization: 'Bearer sk-right' }, here],
  ['the right secret from elsewhere', { authorization: 'Bearer op-right' }, { ...here, remoteAddress: '192.0.2.8' }],
  ['the right secret through a proxy', { authorization: 'Bearer op-right', 'x-forwarded-for': '192.0.2.8' }, here],
  ['the right secret through a modern proxy', { authorization: 'Bearer op-right', forwarded: 'for=192.0.2.8' }, here],
] as const)
  test(`${name} is not`, () => assert.equal(asked(headers, socket), undefined))
