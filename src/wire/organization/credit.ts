/** Credit: what an organisation has been given to spend. All of it is an extension; OpenAI has it in its console alone. */
import Type, { type Static } from 'typebox'
import { nullable, oneOf, unixTime } from '../common.ts'
import { ListAfter, ListBefore, ListLimit, ListOrder, listOf } from '../lists.ts'

const amount = Type.Number({ minimum: 0.000000001, maximum: 9_000_000, description: 'In dollars, to the nano-dollar.' })
const usd = (description: string) => Type.Number({ description: `${description} In dollars.` })
const note = Type.String({ maxLength: 500, description: 'For people.' })
const validDays = Type.Integer({ minimum: 1, maximum: 36_500, description: 'How many days it can be spent.' })
const end = nullable(unixTime('When it ends.'), 'Null: never.')
const organizationId = Type.Optional(
  Type.String({
    minLength: 1,
    maxLength: 100,
    description: 'Of which organisation, for the operator. Default: your own.',
  }),
)

export const CreditGrant = Type.Object({
  object: Type.Literal('organization.credit.grant'),
  id: Type.String(),
  kind: oneOf(['grant', 'top_up', 'code'], 'Given, paid for, or redeemed.'),
  amount_usd: usd('What it is worth.'),
  used_usd: usd('What is spent of it.'),
  note: Type.String(),
  created_at: unixTime('When it was made.'),
  expires_at: end,
})
export type CreditGrant = Static<typeof CreditGrant>
export const CreditGrantList = listOf(CreditGrant)

export const Credit = Type.Object({
  object: Type.Literal('organization.credit'),
  organization_id: Type.String(),
  enabled: Type.Boolean({
    description: 'Whether requests are charged to credit, and refused without. Otherwise none is needed.',
  }),
  balance_usd: usd('What can still be spent.'),
  granted_usd: usd('All that was ever given.'),
  used_usd: usd('All that was ever spent of it.'),
  grants: Type.Array(CreditGrant, {
    description: 'What the balance is made of, at most 100; what ends first is spent first.',
  }),
})
export type Credit = Static<typeof Credit>

export const CreditQuery = Type.Object({ organization_id: organizationId })
export type CreditQuery = Static<typeof CreditQuery>

export const CreditUpdate = Type.Object({
  enabled: Type.Boolean({ description: 'Whether requests are charged to credit.' }),
  organization_id: organizationId,
})
export type CreditUpdate = Static<typeof CreditUpdate>

export const CreditGrantQuery = Type.Object({
  organization_id: organizationId,
  limit: ListLimit(100, 20),
  order: ListOrder('desc'),
  after: ListAfter,
  before: ListBefore,
})
export type CreditGrantQuery = Static<typeof CreditGrantQuery>

export const CreditGrantCreate = Type.Object({
  amount_usd: amount,
  kind: Type.Optional(oneOf(['grant', 'top_up'], 'Given, or paid for. Default: given.')),
  note: Type.Optional(note),
  valid_days: Type.Optional(nullable(validDays, 'Null, the default: it does not end.')),
  organization_id: organizationId,
})
export type CreditGrantCreate = Static<typeof CreditGrantCreate>

const code = {
  id: Type.String(),
  hint: Type.String({ description: 'What a person recognises the code by.' }),
  amount_usd: usd('What it is worth.'),
  valid_days: nullable(validDays, 'How many days it can be spent from its redemption on. Null: it does not end.'),
  created_at: unixTime('When it was made.'),
  expires_at: nullable(unixTime('Until when it can be redeemed.'), 'Null: it does not end.'),
}
export const CreditCode = Type.Object({
  object: Type.Literal('organization.credit.code'),
  ...code,
  redeemed_at: nullable(unixTime('When it was redeemed.'), 'Null: not yet.'),
  organization_id: nullable(Type.String(), 'Who has redeemed it.'),
})
export type CreditCode = Static<typeof CreditCode>
export const CreditCodeList = listOf(CreditCode)
export const CreditCodeQuery = Type.Object({
  limit: ListLimit(100, 20),
  order: ListOrder('desc'),
  after: ListAfter,
  before: ListBefore,
})
export type CreditCodeQuery = Static<typeof CreditCodeQuery>

export const CreditCodesCreate = Type.Object({
  amount_usd: amount,
  count: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, description: 'How many. Default: 1.' })),
  valid_days: Type.Optional(code.valid_days),
  expires_in_days: Type.Optional(
    nullable(validDays, 'For how many days they can be redeemed. Null, the default: for ever.'),
  ),
})
export type CreditCodesCreate = Static<typeof CreditCodesCreate>
export const NewCreditCodes = Type.Object({
  object: Type.Literal('list'),
  data: Type.Array(
    Type.Object({
      ...CreditCode.properties,
      code: Type.String({ description: 'The code itself. It is shown this once; only its hash is kept.' }),
    }),
  ),
})
export const CreditCodeDeleted = Type.Object({
  object: Type.Literal('organization.credit.code.deleted'),
  id: Type.String(),
  deleted: Type.Boolean(),
})

export const CreditRedemption = Type.Object({
  code: Type.String({ minLength: 1, maxLength: 200, description: 'As it was given to you.' }),
})
export type CreditRedemption = Static<typeof CreditRedemption>
