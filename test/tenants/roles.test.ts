import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { Fault } from '../../src/lib/faults.ts'
import { operations } from '../../src/operations/index.ts'
import type { Operation } from '../../src/platform/operation.ts'
import { refuseUnknown } from '../../src/wire/check.ts'
import { type Shape, shapeOf } from '../../src/wire/walk.ts'
import { attempt } from './attempts.ts'
import { FormBody } from './form.ts'
import { entriesOf } from './parameters.ts'
import { type Carrier, carriers, World } from './world.ts'

const world = new World()
before(() => world.open())
after(() => world.close())

/** A request with the caller's own ids and a good body. */
function request(operation: Operation): { method: string; path: string; body: object | undefined } {
  const { path, body } = attempt(operation, entriesOf(operation)[0]!, world.a, [], kind => world.a[kind])
  return { method: operation.method, path, body }
}

const send = (carrier: Carrier | null, { method, path, body }: ReturnType<typeof request>) =>
  world.send(carrier, method, path, body === undefined ? {} : { body })

const errorOf = (text: string): { code: string | null; param: string | null } => JSON.parse(text).error

/** Who may not change anything of the organisation, and nothing of the machine. */
const withoutWriting: Carrier[] = ['reader key', 'reader cookie', 'project key', 'service account key']

describe('whoever may only read changes nothing', () => {
  const writing = operations.filter(({ scope }) => scope === 'organization.write' || scope === 'model.write')
  assert.ok(writing.length > 30)
  for (const operation of writing)
    test(operation.id, async () => {
      const before = await world.rows()
      for (const carrier of withoutWriting) {
        // Keys of projects load models if their maker may: that is no matter of the organisation.
        if (operation.scope === 'model.write' && !carrier.startsWith('reader')) continue
        const { status, text } = await send(carrier, request(operation))
        assert.equal(status, 403, `${carrier}: ${text}`)
        assert.equal(errorOf(text).code, 'missing_scope')
      }
      assert.deepEqual((await world.rows()).all, before.all)
    })
})

describe('nobody without credentials is let in', () => {
  for (const operation of operations.filter(({ scope }) => scope !== 'anyone'))
    test(operation.id, async () => {
      const { status } = await send(null, request(operation))
      assert.equal(status, 401)
    })
})

describe('what belongs to keys is closed to sign-ins, and the other way round', () => {
  for (const operation of operations) {
    const isClosed = (carrier: Carrier) =>
      operation.scope === 'operator' || (operation.scope === 'person' && carrier.endsWith('key'))
    const closed = carriers.filter(isClosed)
    if (closed.length > 0)
      test(operation.id, async () => {
        const before = await world.rows()
        for (const carrier of closed) {
          const { status, text } = await send(carrier, request(operation))
          assert.equal(status, 403, `${carrier}: ${text}`)
        }
        assert.deepEqual((await world.rows()).all, before.all)
      })
  }
})

/** What would be worth most: names of columns, and names that no table has but that such interfaces are often asked with. */
const coveted = [
  ...['id', 'organization_id', 'project_id', 'user_id', 'role', 'scopes', 'credit', 'password', 'hash', 'used_nano'],
  ...['is_admin', 'owner', 'allowed_routes', 'permissions', '__proto__', 'constructor'],
]

describe('a body sets nothing that its schema does not name', () => {
  const changing = operations.filter(
    ({ id, body, scope }) =>
      body !== undefined && scope !== 'model.request' && !id.startsWith('operator.') && scope !== 'anyone',
  )
  for (const operation of changing)
    test(operation.id, async () => {
      const columns = await world.columns()
      const shape = shapeOf(operation.body!)
      const made = request(operation)
      const plain = made.body instanceof FormBody ? made.body.fields : (made.body ?? {})
      const carrier = operation.scope === 'person' ? 'owner cookie' : 'owner key'
      const before = await world.rows()
      for (const [way, inner] of objectsIn(shape)) {
        const unknown = (column: string) => !Object.hasOwn(inner.properties ?? {}, column)
        for (const column of columns.filter(unknown))
          assert.throws(() => refuseUnknown(operation.body!, withField(plain, way, column)), Fault)
        for (const column of coveted.filter(unknown)) {
          const body =
            made.body instanceof FormBody
              ? made.body.with(way === '' ? column : `${way}[${column}]`, '1')
              : withField(plain, way, column)
          const { status, text } = await send(carrier, { ...made, body })
          assert.equal(status, 400, `${way}.${column}: ${text}`)
        }
      }
      assert.deepEqual((await world.rows()).all, before.all)
    })
})

/** The objects of a body whose fields are known: the body itself, and those in its lists. */
function objectsIn(shape: Shape): [way: string, shape: Shape][] {
  const found: [string, Shape][] = [['', shape]]
  for (const [name, inner] of Object.entries(shape.properties ?? {})) {
    const { items, properties } = inner.anyOf?.find(({ type }) => type !== 'null') ?? inner
    if (items?.properties !== undefined) found.push([`${name}[]`, items])
    else if (properties !== undefined) found.push([name, { properties }])
  }
  return found
}

function withField(body: object, way: string, field: string): object {
  // `__proto__` as a name of its own, as it comes out of JSON.
  const more: object = JSON.parse(`{${JSON.stringify(field)}: 1}`)
  if (way === '') return { ...body, ...more }
  const name = way.replace('[]', '')
  const value = Reflect.get(body, name)
  const inner = way.endsWith('[]') ? [{ ...(Array.isArray(value) ? value[0] : {}), ...more }] : { ...value, ...more }
  return { ...body, [name]: inner }
}
