import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { startCondition } from './condition.ts'
import { failureOf } from './failure.ts'
import { type Call, GroupCommit } from './group-commit.ts'
import { unpacked } from './packing.ts'
import { quiet } from './store.contract.ts'
import type { FromWriter, ToWriter } from './writer-messages.ts'

const call: Call = [{ sql: 'select 1', selects: true, parameters: [] }]

/** A writer thread that answers when the test says so. */
function scripted() {
  const asked: ToWriter[] = []
  let settle: { resolve(answer: FromWriter): void; reject(error: Error): void } | undefined
  const condition = startCondition(quiet)
  const groups = new GroupCommit(
    {
      ask(message) {
        asked.push(message)
        if (condition.state === 'failed') return Promise.reject(new Error('The writer thread has ended.'))
        return new Promise((resolve, reject) => {
          settle = { resolve, reject }
        })
      },
      end: async () => {},
    },
    condition,
  )
  const calls = (): number => {
    const last = asked.at(-1)
    return last?.kind === 'group' ? unpacked(last.calls).length : -1
  }
  return {
    asked,
    calls,
    condition,
    groups,
    ok: () =>
      settle?.resolve({ kind: 'group', outcomes: Array.from({ length: calls() }, () => ({ ok: true, ran: [] })) }),
    fail: (error: Error) => {
      const failure = failureOf(error)
      settle?.resolve({
        kind: 'group',
        failure,
        outcomes: Array.from({ length: calls() }, () => ({ ok: false, failure })),
      })
    },
    die: () => {
      condition.fail({ kind: 'io', message: 'the thread died' })
      settle?.reject(new Error('died'))
    },
  }
}

const sqliteError = (errcode: number): Error => Object.assign(new Error('disk I/O error'), { errcode })

test('calls that come during a commit are the next group, and an SQL text travels once', async () => {
  const { groups, asked, ok, calls } = scripted()
  const first = [groups.submit([call]), groups.submit([call])]
  await turn()
  assert.equal(calls(), 2)
  const next = Array.from({ length: 30 }, () => groups.submit([call]))
  ok()
  await Promise.all(first)
  await turn()
  assert.equal(asked.length, 2)
  assert.equal(calls(), 30)
  assert.equal(asked[1]?.kind === 'group' && asked[1].texts.length, 1)
  ok()
  await Promise.all(next)
  assert.deepEqual(groups.counts, { commits: 2, calls: 32, waiting: 0 })
})

test('a group has a bound, and so has the queue', async () => {
  const { groups, ok, calls } = scripted()
  const many = Array.from({ length: 40 }, () => groups.submit(Array.from({ length: 500 }, () => call)))
  const [refused] = await groups.submit([call])
  assert.equal(refused?.ok === false && refused.failure.kind, 'busy')
  await turn()
  assert.equal(calls(), 1000)
  while (groups.counts.waiting > 0) {
    ok()
    await turn()
  }
  await Promise.all(many)
})

test('a failed fsync is final: it is not tried again, and nothing is acknowledged afterwards', async () => {
  const { groups, asked, condition, fail } = scripted()
  const outcome = groups.submit([call])
  const queued = groups.submit([call])
  await turn()
  fail(sqliteError(1034))
  assert.equal((await outcome)[0]?.ok, false)
  assert.equal((await queued)[0]?.ok, false)
  assert.equal((await groups.submit([call]))[0]?.ok, false)
  assert.equal(condition.state, 'failed')
  assert.match(condition.reason ?? '', /^sync: /)
  assert.equal(asked.length, 1)
})

test('when the thread dies, what was under way and what waits is told, and closing still works', async () => {
  const { groups, condition, die } = scripted()
  const under = groups.submit([call])
  await turn()
  const backup = groups.backup('x')
  die()
  assert.equal((await under)[0]?.ok, false)
  assert.match((await backup)?.message ?? '', /the thread died/)
  assert.equal(condition.state, 'failed')
  await assert.rejects(condition.recovered())
  assert.notEqual(await groups.close(), undefined)
})
