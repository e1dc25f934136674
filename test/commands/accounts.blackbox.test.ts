import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import OpenAI, { APIError } from 'openai'
import { errorOf } from '../support/errors.ts'
import { type Product, runCommand, startProduct } from '../support/product.ts'
import { ask as send } from '../support/socket.ts'

/** Runs a command that must succeed. @returns what it printed as JSON */
type Ask = (...args: string[]) => Promise<Answer>
// biome-ignore lint/suspicious/noExplicitAny: what commands print is read here as scripts read it
type Answer = any

const commandsOf = (dataDir: () => string) => {
  const parlance = (...args: string[]) => runCommand(args, { PARLANCE_DATA_DIR: dataDir() })
  const json: Ask = async (...args) => {
    const { code, stdout, stderr } = await parlance(...args, '--json')
    assert.deepEqual([code, stderr], [0, ''], args.join(' '))
    return JSON.parse(stdout)
  }
  return { parlance, json }
}

/** Where the operations run: both ways must come to the same. */
for (const beside of ['a running server', 'no server'] as const)
  describe(`accounts at the command line beside ${beside}`, { timeout: 480_000 }, () => {
    let product: Product | undefined
    let dataDir = ''
    const { parlance, json } = commandsOf(() => dataDir)
    before(async () => {
      if (beside === 'a running server') product = await startProduct()
      dataDir = product?.dataDir ?? (await mkdtemp(join(tmpdir(), 'parlance-accounts-')))
    })
    after(async () => {
      await product?.stop()
      await rm(dataDir, { recursive: true, force: true })
    })

    test('a key has the kind, rights, models and end that were asked for, and its secret is printed once', async () => {
      const project = await json('projects', 'create', 'Research')
      const asked = ['--project', 'Research', '--allow', 'model.request, model.read', '--models', 'gpt-4']
      const made = await json('keys', 'create', '--name', 'one', ...asked, '--expires', '2099-01-01')
      assert.match(made.value, /^sk-proj-[0-9A-Za-z]{48}$/)
      const { value, ...key } = made
      assert.deepEqual([key.kind, key.name, key.project.id], ['project', 'one', project.id])
      assert.deepEqual([key.models, key.expires_at], [['gpt-4'], 4070908800])
      assert.deepEqual([...key.scopes].sort(), ['model.read', 'model.request'])
      const account = await json('keys', 'create', '--service-account', 'robot')
      const again = await json('keys', 'create', '--service-account', 'robot')
      assert.equal(account.service_account.id, again.service_account.id)
      const admin = await json('keys', 'create', '--admin', '--scope', 'read')
      assert.deepEqual([admin.kind, admin.project, admin.scopes], ['admin', null, 'read'])
      const listed = await parlance('keys', 'list', '--json')
      assert.deepEqual(
        JSON.parse(listed.stdout).find(({ id }: Answer) => id === key.id),
        key,
      )
      for (const secret of [value, account.value, again.value, admin.value]) assert.ok(!listed.stdout.includes(secret))
    })

    test('without --json the secret stands alone on standard output', async () => {
      const { code, stdout, stderr } = await parlance('keys', 'create', '--name', 'plain')
      assert.equal(code, 0)
      assert.match(stdout, /^sk-[0-9A-Za-z]{48}\n$/)
      assert.match(stderr, /^Key key_\w{16} \(plain\)\. It is shown this once: only its hash is kept\.\n$/)
    })

    test('a key that is rotated has a new secret and the same limits, and ends when it was said', async () => {
      const old = await json('keys', 'create', '--name', 'turns')
      await json('limits', 'set', '--key', old.id, '--hard', '5', '--requests-per-minute', '7')
      const made = await json('keys', 'rotate', old.id, '--grace', '1h')
      assert.notEqual(made.value, old.value)
      assert.equal(made.name, 'turns')
      const keys: Answer[] = await json('keys', 'list')
      const inSeconds = keys.find(({ id }) => id === old.id).expires_at - Date.now() / 1000
      assert.ok(inSeconds > 3500 && inSeconds <= 3600, String(inSeconds))
      const limits: Answer[] = await json('limits', 'list')
      const of = limits.find(({ id }) => id === `key:${made.id}`)
      assert.deepEqual([of.hard_limit_usd, of.rates[0].requests_per_minute], [5, 7])
      await json('keys', 'revoke', made.id)
      const { code, stderr } = await parlance('keys', 'rotate', made.id)
      assert.deepEqual([code, /There is no active key/.test(stderr)], [2, true])
    })

    test('people are invited, added, given roles, and removed', async () => {
      const invited = await json(
        'members',
        'invite',
        'Ann@Example.com',
        '--role',
        'owner',
        '--project',
        'Research:owner',
      )
      assert.match(invited.accept_token, /^inv-/)
      assert.deepEqual([invited.email, invited.role, invited.projects[0].role], ['ann@example.com', 'owner', 'owner'])
      await json('members', 'add', 'bob@example.com', '--name', 'Bob')
      await json('members', 'add', 'bob@example.com', '--project', 'Research')
      assert.equal((await json('members', 'role', 'bob@example.com', 'owner', '--project', 'Research')).role, 'owner')
      const key = await json('keys', 'create', '--user', 'bob@example.com')
      assert.equal(key.user.email, 'bob@example.com')
      const listed = await parlance('members', 'list', '--json')
      const emails = JSON.parse(listed.stdout).map(({ email }: Answer) => email)
      assert.deepEqual(emails, ['owner@localhost', 'bob@example.com', 'ann@example.com'])
      assert.ok(!listed.stdout.includes(invited.accept_token))
      await json('members', 'remove', 'ann@example.com')
      await json('members', 'remove', 'bob@example.com')
      assert.equal((await json('members', 'list')).length, 1)
      const keys: Answer[] = await json('keys', 'list')
      assert.notEqual(keys.find(({ id }) => id === key.id).revoked_at, null)
    })

    test('organisations see nothing of one another', async () => {
      const acme = await json('organizations', 'create', 'acme', '--owner', 'eve@example.com')
      const key = await json('keys', 'create', '--organization', 'acme')
      assert.equal(key.user.email, 'eve@example.com')
      assert.deepEqual(
        (await json('keys', 'list', '--organization', acme.id)).map(({ id }: Answer) => id),
        [key.id],
      )
      const keys: Answer[] = await json('keys', 'list')
      assert.ok(!keys.some(({ id }) => id === key.id))
      const { code } = await parlance('keys', 'revoke', key.id)
      assert.equal(code, 2)
      assert.equal((await json('projects', 'list', '--organization', 'acme')).length, 1)
    })

    test('limits are set one by one, stand beside one another, and are cleared', async () => {
      await json('limits', 'set', '--project', 'Research', '--hard', '20', '--soft', '15')
      await json('limits', 'set', '--project', 'Research', '--model', 'gpt-4', '--requests-per-minute', '60')
      const set = await json('limits', 'set', '--project', 'Research', '--model', 'gpt-4', '--tokens-per-day', '10_000')
      assert.deepEqual([set.hard_limit_usd, set.soft_limit_usd], [20, 15])
      const [{ requests_per_minute: requests, tokens_per_day: tokens, ...rest }] = set.rates
      assert.deepEqual([requests, tokens, rest.images_per_minute], [60, 10_000, null])
      const freed = await json(
        'limits',
        'set',
        '--project',
        'Research',
        '--model',
        'gpt-4',
        '--requests-per-minute',
        'none',
      )
      assert.deepEqual([freed.rates[0].requests_per_minute, freed.rates[0].tokens_per_day], [null, 10_000])
      const preset = await json('limits', 'preset', 'tier-1', '--project', 'Research')
      assert.ok(preset.not_here.includes('dall-e-3'))
      assert.equal(preset.rates.find(({ model }: Answer) => model === 'parlance-embed-1').requests_per_minute, 3000)
      assert.equal(
        (await json('limits', 'clear', '--project', 'Research', '--model', 'parlance-embed-1')).rates.length,
        1,
      )
      await json('limits', 'clear', '--project', 'Research')
      const left: Answer[] = await json('limits', 'list')
      assert.ok(!left.some(({ subject }) => subject === 'project'))
    })

    test('credit is given, coded, redeemed once, and switched', async () => {
      await json('credit', 'grant', '5', '--days', '90', '--note', 'Welcome')
      const [one, two] = await json('credit', 'code', '10', '--count', '2')
      await json('credit', 'redeem', one.code)
      const again = await parlance('credit', 'redeem', one.code)
      assert.deepEqual([again.code, again.stdout], [1, ''])
      const codes = await parlance('credit', 'codes', '--json')
      for (const { code } of [one, two]) assert.ok(!codes.stdout.includes(code))
      assert.deepEqual([(await json('credit', 'on')).enabled, (await json('credit', 'show')).balance_usd], [true, 15])
      assert.equal((await json('credit', 'off')).enabled, false)
    })

    test('prices are set and removed', async () => {
      const set = await json('prices', 'set', 'gpt-4', '--input', '0.15', '--output', '0.6', '--image', 'any=0.02')
      assert.deepEqual([set.model, set.price], ['parlance-tiny-1', { input: 0.15, output: 0.6, image: { any: 0.02 } }])
      assert.equal((await json('prices', 'list')).length, 1)
      await json('prices', 'remove', 'parlance-tiny-1')
      assert.deepEqual(await json('prices', 'list'), [])
    })

    test('everything stands in the audit log, as done by the operator at this machine', async () => {
      const events: Answer[] = await json('audit', 'list', '--limit', '100')
      const types = new Set(events.map(({ type }) => type))
      for (const type of [
        'api_key.created',
        'api_key.deleted',
        'project.created',
        'invite.sent',
        'user.added',
        'user.deleted',
      ])
        assert.ok(types.has(type), type)
      for (const type of ['limits.updated', 'limits.deleted', 'credit.updated', 'price.updated', 'price.deleted'])
        assert.ok(types.has(type), type)
      const ways = new Set(events.map(({ actor }) => actor.session?.ip_address ?? 'terminal'))
      assert.deepEqual([...ways], [product === undefined ? 'terminal' : '127.0.0.1'])
      const deleted: Answer[] = await json('audit', 'list', '--type', 'price.deleted', '--from', '2020-01-01')
      assert.deepEqual(
        deleted.map(({ type }) => type),
        ['price.deleted'],
      )
      assert.deepEqual(await json('audit', 'list', '--to', '2020-01-01'), [])
    })

    const refusals = [
      [['keys', 'create', '--scope', 'some'], 2, /--scope is one of all, read, restricted/],
      [['keys', 'create', '--scope', 'restricted'], 2, /What is allowed\? --allow/],
      [['keys', 'create', '--scope', 'read', '--allow', 'model.read'], 2, /--allow goes with --scope restricted/],
      [['keys', 'create', '--allow', 'everything'], 2, /--allow is one of model\.read/],
      [['keys', 'create', '--project', 'Research', '--allow', 'organization.write'], 1, /Supported values are/],
      [['keys', 'create', '--admin', '--project', 'Research'], 2, /leave out --project/],
      [['keys', 'create', '--expires', '2020-01-01'], 2, /has passed/],
      [['keys', 'create', '--expires', 'soon'], 2, /is a date such as/],
      [['keys', 'create', '--models', 'nothing-like-it'], 1, /The model `nothing-like-it` does not exist/],
      [['keys', 'create', '--project', 'Nowhere'], 2, /There is no project 'Nowhere'\. `parlance projects list`/],
      [['keys', 'create', '--user', 'nobody@example.com'], 1, /nobody@example\.com/],
      [['keys', 'create', 'name'], 2, /Use it so: `parlance keys create`/],
      [['keys', 'list', '--grace', '1h'], 2, /Unknown option '--grace'/],
      [['keys', 'list', '--organization', 'nowhere'], 2, /no organisation 'nowhere'\. `parlance organizations list`/],
      [['keys', 'rotate', 'key_nope'], 2, /There is no active key 'key_nope'/],
      [['keys', 'rotate', 'key_nope', '--grace', '31d'], 2, /at most 30d/],
      [['keys', 'revoke', '..'], 2, /There is no active key '\.\.'/],
      [['keys', 'revoke'], 2, /Use it so: `parlance keys revoke ID`/],
      [['keys', 'sell'], 2, /There is no `keys sell`: use list, create, rotate or revoke/],
      [['members', 'invite', 'no address'], 1, /expected an e-mail address/],
      [['members', 'add', 'owner@localhost'], 1, /already/],
      [['members', 'role', 'owner@localhost', 'reader'], 1, /at least one owner/],
      [['members', 'role', 'owner@localhost', 'king'], 2, /The role is one of owner, reader/],
      [['members', 'remove', 'nobody@example.com'], 2, /There is nobody called/],
      [['projects', 'archive', 'Default project'], 1, /default project/],
      [['organizations', 'create', 'Ac me', '--owner', 'eve@example.com'], 1, /lower-case letters/],
      [['organizations', 'create', 'other'], 2, /Whose is it\?/],
      [['organizations', 'list', '--organization', 'default'], 2, /Unknown option/],
      [['limits', 'set', '--hard', '-5'], 2, /--hard is an amount in dollars that is not negative/],
      [['limits', 'set', '--requests-per-minute', '1.5'], 2, /is a whole number/],
      [['limits', 'set'], 2, /Which limit\?/],
      [['limits', 'set', '--model', 'gpt-4'], 2, /Which limit of the model\?/],
      [['limits', 'set', '--key', 'key_nope', '--hard', '5'], 2, /There is no key 'key_nope'/],
      [['limits', 'set', '--key', 'a', '--project', 'b', '--hard', '5'], 2, /Name one of/],
      [['limits', 'set', '--end-user', 'a', '--requests-per-minute', '5'], 1, /limits of money alone/],
      [['limits', 'set', '--model', 'nothing-like-it', '--requests-per-day', '5'], 1, /does not exist/],
      [['limits', 'preset', 'tier-9'], 2, /The tier is one of free, tier-1/],
      [['limits', 'clear', '--end-user', 'nobody'], 2, /There is nothing to clear/],
      [['usage', '--by', 'colour'], 2, /--by is one of day, model/],
      [['usage', '--to', '2020-01-01'], 2, /Nothing lies between/],
      [['credit', 'grant', '-5'], 2, /not negative/],
      [['credit', 'grant', '0'], 2, /more than 0/],
      [['credit', 'grant', '0.0000000001'], 1, /amount_usd/],
      [['credit', 'grant', '5', '--days', '0'], 2, /from 1 to 36500/],
      [['credit', 'redeem', 'credit-nope'], 1, /The code is not valid/],
      [['prices', 'set', 'gpt-4'], 2, /What does it cost\?/],
      [['prices', 'set', 'gpt-4', '--output', '1'], 1, /needs `input`/],
      [['prices', 'set', 'gpt-4', '--image', '5'], 2, /--image is a size and its price/],
      [['prices', 'remove', 'parlance-tiny-1'], 2, /No price was set here/],
      [['audit', 'list', '--limit', '1000'], 2, /from 1 to 100/],
    ] as const
    // What the command itself refuses does not depend on where operations run.
    for (const [args, code, says] of refusals.filter(([, code]) => beside === 'a running server' || code === 1))
      test(`\`parlance ${args.join(' ')}\` is refused with words, and changes nothing`, async () => {
        const refused = await parlance(...args)
        assert.deepEqual([refused.code, refused.stdout], [code, ''], refused.stderr)
        assert.match(refused.stderr, says)
        assert.match(refused.stderr, /^parlance: .*\n$/)
      })

    test('what was refused stands nowhere in the audit log', async () => {
      const events: Answer[] = await json('audit', 'list', '--limit', '1')
      assert.equal(events[0].type, 'price.deleted')
    })
  })

describe('what commands change beside a running server', { timeout: 120_000 }, () => {
  let product: Product
  const { parlance, json } = commandsOf(() => product.dataDir)
  before(async () => {
    product = await startProduct()
  })
  after(() => product?.stop())

  const ask = (apiKey: string, model = 'parlance-tiny-1') =>
    new OpenAI({ baseURL: `${product.url}/v1`, apiKey, maxRetries: 0 }).chat.completions.create({
      model,
      messages: [{ role: 'user', content: 'Count to 3' }],
      max_tokens: 20,
    })
  const refused = (status: number, code: string) => (error: unknown) => {
    assert.ok(error instanceof APIError, String(error))
    assert.deepEqual([error.status, error.code], [status, code])
    return true
  }

  test('counts for the next request: rights, models, limits, revocation, usage', async () => {
    const key = await json('keys', 'create', '--allow', 'model.request', '--models', 'gpt-4')
    assert.ok((await ask(key.value, 'gpt-4')).choices[0])
    await assert.rejects(ask(key.value, 'parlance-embed-1'), refused(404, 'model_not_found'))
    const models = new OpenAI({ baseURL: `${product.url}/v1`, apiKey: key.value, maxRetries: 0 }).models
    await assert.rejects(models.list(), refused(403, 'missing_scope'))
    await json('limits', 'set', '--key', key.id, '--requests-per-minute', '0')
    await assert.rejects(ask(key.value, 'gpt-4'), refused(429, 'rate_limit_exceeded'))
    await json('limits', 'clear', '--key', key.id)
    assert.ok((await ask(key.value, 'gpt-4')).choices[0])
    await json('keys', 'revoke', key.id)
    await assert.rejects(ask(key.value, 'gpt-4'), refused(401, 'invalid_api_key'))
    const used: Answer[] = await json('usage', '--by', 'key')
    assert.deepEqual(
      used.map(line => [line.key, line.name, line.requests]),
      [[key.id, 'unnamed', 2]],
    )
    assert.ok(used[0].input_tokens > 0 && used[0].output_tokens > 0)
  })

  test('no key may do what only commands may', async () => {
    for (const path of ['keys', 'organizations']) {
      const headers = { authorization: `Bearer ${product.key}` }
      const reply = await send(product.port, { method: 'GET', path: `/v1/parlance/${path}`, headers })
      assert.deepEqual([reply.status, errorOf(reply).code], [403, 'command_only'], path)
    }
  })

  test('every command has help of its own, and the page of all commands names it', async () => {
    const { stdout: all } = await parlance('help')
    for (const name of [
      'keys',
      'members',
      'projects',
      'organizations',
      'limits',
      'usage',
      'credit',
      'prices',
      'audit',
    ]) {
      assert.ok(all.includes(`\n  ${name} `), name)
      const [one, other] = [await parlance('help', name), await parlance(name, '--help')]
      assert.match(one.stdout, new RegExp(`^parlance ${name}: `))
      assert.deepEqual(one, other)
      for (const line of one.stdout.split('\n')) assert.ok(line.length <= 110, line)
    }
  })
})
