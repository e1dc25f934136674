import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { shapeOf } from '../../wire/walk.ts'
import { Office, type Place, type Who } from './harness.ts'
import { peopleOperations } from './index.ts'

/** The ids that stand in paths. */
const named = (place: Place): Record<string, string> => ({
  key_id: place.adminKey,
  user_id: place.user,
  invite_id: place.invite,
  project_id: place.project,
  service_account_id: place.serviceAccount,
  api_key_id: place.key,
})

/** What an operation is sent so that nothing but rights can be in the way. An operation that takes a body must have a line. */
const bodies: Record<string, (office: Office) => object> = {
  'organization.admin_api_keys.create': () => ({ name: 'x' }),
  'organization.users.update': () => ({ role: 'owner' }),
  'organization.invites.create': () => ({ email: `new@a.example`, role: 'reader' }),
  'organization.projects.create': () => ({ name: 'x' }),
  'organization.projects.update': () => ({ name: 'x' }),
  'organization.projects.users.create': ({ a }) => ({ user_id: a.user, role: 'member' }),
  'organization.projects.users.update': () => ({ role: 'owner' }),
  'organization.projects.service_accounts.create': () => ({ name: 'x' }),
  'organization.projects.service_accounts.update': () => ({ name: 'x' }),
  'organization.projects.service_accounts.api_keys.create': () => ({ name: 'x' }),
  'organization.projects.api_keys.create': () => ({ name: 'x' }),
  'organization.projects.api_keys.rotate': () => ({ grace_seconds: 1 }),
}

const office = new Office()
before(() => office.open())
after(() => office.close())

const pathOf = (template: string, ids: Record<string, string>) =>
  template.replaceAll(/\{(\w+)\}/g, (_, name: string) => ids[name] ?? assert.fail(`No id for ${name}.`))

for (const operation of peopleOperations) {
  const { id, method, path } = operation
  const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!)
  const send = () => (operation.body === undefined ? {} : { body: bodies[id]!(office) })

  describe(id, () => {
    test('is closed to keys of projects and service accounts', async () => {
      for (const who of ['projectKey', 'serviceKey'] satisfies Who[])
        assert.deepEqual(await office.refuses(who, method, pathOf(path, named(office.a)), send()), [
          403,
          'missing_scope',
          null,
        ])
    })

    test('lets readers read, and no more', async () => {
      for (const who of ['reader', 'member'] satisfies Who[]) {
        const { status, body } = await office.ask(who, method, pathOf(path, named(office.a)), send())
        assert.equal(status, method === 'GET' ? 200 : 403, JSON.stringify(body))
      }
    })

    test('lets an owner of a project manage that project alone', async () => {
      if (operation.projectOwners !== true) {
        const { status } = await office.ask('projectOwner', method, pathOf(path, named(office.a)), send())
        assert.equal(status, method === 'GET' ? 200 : 403)
        return
      }
      for (const project_id of [office.a.first, office.b.project, 'proj_none']) {
        const { status } = await office.ask(
          'projectOwner',
          method,
          pathOf(path, { ...named(office.a), project_id }),
          send(),
        )
        // They are readers of the organisation, so they see the other projects of their own.
        const seen = project_id === office.a.first && !path.endsWith('_id}') ? 200 : 404
        if (path.endsWith('/{project_id}')) assert.equal(status, project_id === office.a.first ? 200 : 404)
        else assert.equal(status, method === 'GET' ? seen : 403)
      }
    })

    for (const name of names)
      test(`tells of another organisation's ${name} what it tells of one that is not`, async () => {
        const foreign = named(office.b)[name]!
        const ask = async (given: string) => {
          const there = pathOf(path, { ...named(office.a), [name]: encodeURIComponent(given) })
          const { status, body } = await office.ask('owner', method, there, send())
          assert.deepEqual([status, body.error.code], [404, null])
          return JSON.stringify(body)
        }
        const missing = 'x'.repeat(foreign.length)
        assert.equal((await ask(foreign)).replaceAll(foreign, missing), await ask(missing))
        for (const hostile of ['../a', "' or 1=1 --", 'a\u0000b', '%', 'a'.repeat(300), '__proto__', 'é'])
          await ask(hostile)
      })

    if (operation.body !== undefined)
      test('refuses fields that it does not know', async () => {
        for (const more of [{ organization_id: office.b.organization }, { is_admin: true }, { user: {} }])
          assert.deepEqual(
            await office.refuses('owner', method, pathOf(path, named(office.a)), { body: { ...send().body, ...more } }),
            [400, 'unknown_parameter', Object.keys(more)[0]],
          )
      })

    if (operation.query !== undefined)
      test('refuses a cursor of another organisation as one that is not', async () => {
        const ids = Object.values(named(office.b))
        for (const after of [...ids, 'none'])
          assert.deepEqual(await office.refuses('owner', method, pathOf(path, named(office.a)), { query: { after } }), [
            400,
            'invalid_value',
            'after',
          ])
      })
  })
}

test('what one organisation has is in none of the lists of the other', async () => {
  for (const { method, path, query } of peopleOperations) {
    if (query === undefined) continue
    for (const [who, mine, theirs] of [
      ['owner', office.a, office.b],
      ['ownerB', office.b, office.a],
    ] as const) {
      const { data } = await office.does(who, method, pathOf(path, named(mine)))
      const text = JSON.stringify(data)
      for (const id of Object.values(theirs)) assert.ok(!text.includes(id), `${path}: ${id}`)
      assert.notEqual(data.length, 0, path)
    }
  }
})

test('replies that show a secret say so, so that they are not kept', () => {
  const showing = peopleOperations.filter(({ reply }) => {
    const { properties = {} } = shapeOf(reply)
    const { api_key: key = {} } = properties
    const inner = key.anyOf?.[0]?.properties ?? {}
    return ['value', 'accept_token'].some(name => name in properties || name in inner)
  })
  assert.equal(showing.length, 6)
  assert.deepEqual(
    showing,
    peopleOperations.filter(({ showsSecret }) => showsSecret === true),
  )
})

test('the bodies of this test are those of operations', () => {
  const taking = peopleOperations.filter(({ body }) => body !== undefined).map(({ id }) => id)
  assert.deepEqual(Object.keys(bodies).sort(), taking.sort())
})
