import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { operations } from '../../src/operations/index.ts'
import { shapeOf } from '../../src/wire/walk.ts'
import { idsIn } from './attempts.ts'
import { entriesOf, parameters } from './parameters.ts'

describe('each operation says which of its parameters name things', () => {
  test('and no line is of an operation that is not there', () => {
    const ids = new Set(operations.map(({ id }) => id))
    assert.deepEqual(
      Object.keys(parameters).filter(id => !ids.has(id)),
      [],
    )
  })

  for (const operation of operations)
    test(operation.id, () => {
      for (const entry of entriesOf(operation)) {
        const { path = {}, query = {}, body = {} } = entry
        assert.deepEqual(
          Object.keys(path),
          [...operation.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name),
        )
        for (const [schema, known, where] of [
          [operation.query, query, 'query'],
          [operation.body, body, 'body'],
        ] as const) {
          const ids = schema === undefined ? [] : idsIn(shapeOf(schema))
          assert.deepEqual(
            ids.filter(name => !(name in known)),
            [],
            `${where}: whose are these?`,
          )
        }
      }
    })
})
