import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { StaleWrite } from '../../store/store.ts'
import { terminal } from '../audit.ts'
import { makeModels } from '../models.ts'
import { testServices } from '../services.fixture.ts'
import { readCookie, setCookie } from './cookies.ts'
import { beginSession, sessionsOf } from './sessions.ts'

let services: Awaited<ReturnType<typeof testServices>>
let made = 0
let who: { userId: string; organizationId: string }
before(async () => {
  services = await testServices(makeModels([], {}))
  const { userId, organizationId } = await services.keys.operator()
  who = { userId: userId!, organizationId }
})
after(() => services.close())

test('nothing begins for whoever was disabled, removed or given another password while they signed in', async () => {
  const { store, clock } = services
  const users = store.build.updateTable('users').where('id', '=', who.userId)
  const begin = (more: object = {}) =>
    store.write(beginSession(store, `sess-${++made}`, { ...who, ...more }, { from: terminal, nowMs: clock.now() }))
  await store.write(users.set({ password: 'now' }))
  await assert.rejects(begin({ password: 'before' }), StaleWrite)
  await assert.rejects(begin({ organizationId: 'org-none' }), StaleWrite)
  await assert.rejects(begin({ userId: 'user-none' }), StaleWrite)
  await store.write(users.set({ disabled_at: 1 }))
  await assert.rejects(begin({ password: 'now' }), StaleWrite)
  assert.deepEqual(await sessionsOf(store, who.userId, clock.now()), [])
  await store.write(users.set({ disabled_at: null }))
  await begin({ password: 'now' })
  assert.equal((await sessionsOf(store, who.userId, clock.now())).length, 1)
})

test('a cookie is read as browsers write it, and of two of one name none is', () => {
  for (const [header, expected] of [
    [undefined, undefined],
    ['', undefined],
    ['a=1', '1'],
    ['b=2; a=1; c=3', '1'],
    ['a=1=2', '1=2'],
    [' a = 1 ', '1'],
    ['aa=2', undefined],
    ['a', ''],
    ['a=1; a=1', undefined],
  ] as const)
    assert.equal(readCookie(header, 'a'), expected, header)
  const kind = { name: 'a', sameSite: 'Strict', path: '/' } as const
  assert.deepEqual(setCookie(kind, 'x', { secure: true, lifeMs: 1999 }), [
    'set-cookie',
    'a=x; Path=/; Max-Age=1; HttpOnly; SameSite=Strict; Secure',
  ])
})
