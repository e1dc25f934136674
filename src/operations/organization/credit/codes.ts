import { createHash } from 'node:crypto'
import { fault } from '../../../lib/faults.ts'
import { audited } from '../../../platform/audit.ts'
import { dayMs, insertGrant } from '../../../platform/credit/grants.ts'
import { requireOperator } from '../../../platform/credit/operator.ts'
import { masked } from '../../../platform/keys.ts'
import { type Operation, operation } from '../../../platform/operation.ts'
import { readPage } from '../../../platform/page.ts'
import { checkId, explained, missing } from '../../../platform/people/acting.ts'
import { nanoOf, usdOf } from '../../../platform/usd.ts'
import type { CreditCodesTable } from '../../../store/schema/money.ts'
import { list } from '../../../wire/lists.ts'
import {
  type CreditCode,
  CreditCodeDeleted,
  CreditCodeList,
  CreditCodeQuery,
  CreditCodesCreate,
  CreditGrant,
  CreditRedemption,
  NewCreditCodes,
} from '../../../wire/organization/credit.ts'
import { changeCredit, secondsOf, toGrant } from './rows.ts'

const path = '/v1/organization/credit/codes'

const createCodes = operation<CreditCodesCreate>({
  id: 'organization.credit.codes.create',
  method: 'POST',
  path,
  summary:
    'Makes codes, each of which gives credit to whoever redeems it. For the operator of the server. An extension.',
  body: CreditCodesCreate,
  strict: true,
  reply: NewCreditCodes,
  showsSecret: true,
  scope: 'organization.write',
  bills: 'nothing',
  async run({ body }, context) {
    const { store, caller, clock, ids } = context
    await requireOperator(store, caller)
    const { amount_usd: usd, count = 1, valid_days: validDays = null, expires_in_days: days = null } = body
    const nowMs = clock.now()
    const made = Array.from({ length: count }, () => {
      const code = ids.make('codeSecret')
      const row: CreditCodesTable = {
        id: ids.make('code'),
        hash: sha256(code),
        hint: masked(code),
        amount_nano: nanoOf(usd, 'amount_usd'),
        valid_days: validDays,
        created_at: nowMs,
        expires_at: days === null ? null : nowMs + days * dayMs,
        redeemed_at: null,
        organization_id: null,
      }
      return { row, code }
    })
    await store.write([
      ...made.map(({ row }) => store.build.insertInto('credit_codes').values(row)),
      ...made.map(({ row }) =>
        audited(
          { type: 'credit.code.created', subjectId: row.id, details: { data: { amount_usd: usd, hint: row.hint } } },
          context,
        ),
      ),
    ])
    return { kind: 'json', value: { object: 'list', data: made.map(({ row, code }) => ({ ...toCode(row), code })) } }
  },
})

const listCodes = operation<unknown, never, CreditCodeQuery>({
  id: 'organization.credit.codes.list',
  method: 'GET',
  path,
  summary: 'The codes that were made, without the codes themselves. For the operator of the server. An extension.',
  query: CreditCodeQuery,
  reply: CreditCodeList,
  scope: 'organization.write',
  bills: 'nothing',
  async run({ query }, { store, caller }) {
    await requireOperator(store, caller)
    const codes = store.read.selectFrom('credit_codes').selectAll()
    const { rows, hasMore } = await readPage(codes, query, { table: 'credit_codes', order: 'desc', limit: 20 })
    return { kind: 'json', value: list(rows.map(toCode), hasMore) }
  },
})

const deleteCode = operation<unknown, 'code_id'>({
  id: 'organization.credit.codes.delete',
  method: 'DELETE',
  path: `${path}/{code_id}`,
  summary: 'Takes back a code that nobody has redeemed. For the operator of the server. An extension.',
  reply: CreditCodeDeleted,
  scope: 'organization.write',
  bills: 'nothing',
  async run({ params }, context) {
    const { store, caller } = context
    const { code_id: id } = params
    await requireOperator(store, caller)
    checkId('code', id)
    const statement = store.build.deleteFrom('credit_codes').where('id', '=', id).where('redeemed_at', 'is', null)
    await store
      .write([{ statement, expectChanges: 1 }, audited({ type: 'credit.code.deleted', subjectId: id }, context)])
      .catch(explained(async () => missing('code', id)))
    return { kind: 'json', value: { object: 'organization.credit.code.deleted', id, deleted: true } }
  },
})

const redeemCode = operation<CreditRedemption>({
  id: 'organization.credit.redeem',
  method: 'POST',
  path: '/v1/organization/credit/redeem',
  summary: 'Turns a code into credit of the organisation, once. An extension.',
  body: CreditRedemption,
  strict: true,
  reply: CreditGrant,
  scope: 'organization.write',
  bills: 'nothing',
  async run({ body }, context) {
    const { store, caller, clock, ids } = context
    const { organizationId } = caller
    const nowMs = clock.now()
    const found = await store.read
      .selectFrom('credit_codes')
      .selectAll()
      .where('hash', '=', sha256(body.code.trim()))
      .executeTakeFirst()
    if (found === undefined) throw fault.codeInvalid()
    const row = {
      id: ids.make('grant'),
      organization_id: organizationId,
      kind: 'code' as const,
      amount_nano: found.amount_nano,
      used_nano: 0,
      note: `Code ${found.hint}`,
      created_at: nowMs,
      expires_at: found.valid_days === null ? null : nowMs + found.valid_days * dayMs,
    }
    // Whether it was redeemed is asked in the write itself: of two at once, one finds it taken, and neither grant nor log is there.
    const statement = store.build
      .updateTable('credit_codes')
      .set({ redeemed_at: nowMs, organization_id: organizationId })
      .where('id', '=', found.id)
      .where('redeemed_at', 'is', null)
      .where(eb => eb.or([eb('expires_at', 'is', null), eb('expires_at', '>', nowMs)]))
    await changeCredit(context, organizationId, [{ statement, expectChanges: 1 }, insertGrant(store, row)], {
      type: 'credit.code.redeemed',
      subjectId: found.id,
      details: { data: { grant_id: row.id, amount_usd: usdOf(row.amount_nano) } },
    }).catch(explained(async () => fault.codeInvalid()))
    return { kind: 'json', value: toGrant(row) }
  },
})

const sha256 = (code: string): string => createHash('sha256').update(code).digest('hex')

const toCode = (row: CreditCodesTable): CreditCode => ({
  object: 'organization.credit.code',
  id: row.id,
  hint: row.hint,
  amount_usd: usdOf(row.amount_nano),
  valid_days: row.valid_days,
  created_at: secondsOf(row.created_at),
  expires_at: row.expires_at === null ? null : secondsOf(row.expires_at),
  redeemed_at: row.redeemed_at === null ? null : secondsOf(row.redeemed_at),
  organization_id: row.organization_id,
})

export const codeOperations: readonly Operation[] = [createCodes, listCodes, deleteCode, redeemCode]
