import { dayMs, grantsOf, insertGrant } from '../../../platform/credit/grants.ts'
import { organizationMeant, requireOperator } from '../../../platform/credit/operator.ts'
import { type Operation, operation } from '../../../platform/operation.ts'
import { readPage } from '../../../platform/page.ts'
import { plainText } from '../../../platform/people/acting.ts'
import { nanoOf } from '../../../platform/usd.ts'
import { list } from '../../../wire/lists.ts'
import {
  Credit,
  CreditGrant,
  CreditGrantCreate,
  CreditGrantList,
  CreditGrantQuery,
  CreditQuery,
  CreditUpdate,
} from '../../../wire/organization/credit.ts'
import { changeCredit, toCredit, toGrant } from './rows.ts'

const retrieveCredit = operation<unknown, never, CreditQuery>({
  id: 'organization.credit.retrieve',
  method: 'GET',
  path: '/v1/organization/credit',
  summary: 'Whether the organisation pays with credit, and what it has left. An extension.',
  query: CreditQuery,
  reply: Credit,
  scope: 'organization.read',
  bills: 'nothing',
  async run({ query }, context) {
    return { kind: 'json', value: await toCredit(context, await organizationMeant(context, query.organization_id)) }
  },
})

const updateCredit = operation<CreditUpdate>({
  id: 'organization.credit.update',
  method: 'POST',
  path: '/v1/organization/credit',
  summary: 'Switches credit on or off. For the operator of the server. An extension.',
  body: CreditUpdate,
  strict: true,
  reply: Credit,
  scope: 'organization.write',
  bills: 'nothing',
  async run({ body }, context) {
    const { store, caller } = context
    await requireOperator(store, caller)
    const organizationId = await organizationMeant(context, body.organization_id)
    const statement = store.build
      .updateTable('organizations')
      .set({ credit: body.enabled ? 1 : 0 })
      .where('id', '=', organizationId)
    await changeCredit(context, organizationId, [{ statement, expectChanges: 1 }], {
      type: 'credit.updated',
      subjectId: organizationId,
      details: { changes_requested: { enabled: body.enabled } },
    })
    return { kind: 'json', value: await toCredit(context, organizationId) }
  },
})

const listGrants = operation<unknown, never, CreditGrantQuery>({
  id: 'organization.credit.grants.list',
  method: 'GET',
  path: '/v1/organization/credit/grants',
  summary: 'All grants of credit, those that are spent or have ended as well. An extension.',
  query: CreditGrantQuery,
  reply: CreditGrantList,
  scope: 'organization.read',
  bills: 'nothing',
  async run({ query: { organization_id: asked, ...query } }, context) {
    const grants = grantsOf(context.store, await organizationMeant(context, asked))
    const { rows, hasMore } = await readPage(grants, query, { table: 'credit_grants', order: 'desc', limit: 20 })
    return { kind: 'json', value: list(rows.map(toGrant), hasMore) }
  },
})

const createGrant = operation<CreditGrantCreate>({
  id: 'organization.credit.grants.create',
  method: 'POST',
  path: '/v1/organization/credit/grants',
  summary: 'Gives credit to an organisation. For the operator of the server. An extension.',
  body: CreditGrantCreate,
  strict: true,
  reply: CreditGrant,
  scope: 'organization.write',
  bills: 'nothing',
  async run({ body }, context) {
    const { store, caller, clock, ids } = context
    await requireOperator(store, caller)
    const organizationId = await organizationMeant(context, body.organization_id)
    const { amount_usd: usd, kind = 'grant', note = '', valid_days: days = null } = body
    const nowMs = clock.now()
    const row = {
      id: ids.make('grant'),
      organization_id: organizationId,
      kind,
      amount_nano: nanoOf(usd, 'amount_usd'),
      used_nano: 0,
      note: note === '' ? '' : plainText('note', note),
      created_at: nowMs,
      expires_at: days === null ? null : nowMs + days * dayMs,
    }
    await changeCredit(context, organizationId, [insertGrant(store, row)], {
      type: 'credit.grant.created',
      subjectId: row.id,
      details: { data: { kind, amount_usd: usd, expires_at: row.expires_at } },
    })
    return { kind: 'json', value: toGrant(row) }
  },
})

export const creditOperations: readonly Operation[] = [retrieveCredit, updateCredit, listGrants, createGrant]
