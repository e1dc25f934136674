import Type, { type Static } from 'typebox'
import { fault } from '../../../lib/faults.ts'
import { audited } from '../../../platform/audit.ts'
import { requireOperator } from '../../../platform/credit/operator.ts'
import { type Operation, operation } from '../../../platform/operation.ts'
import type { ListedPrice } from '../../../platform/prices/book.ts'
import { UsdPrice } from '../../../platform/prices/usd.ts'
import { ModelName, modelLengthMax, nullable, unixTime } from '../../../wire/common.ts'

const path = '/v1/organization/prices'
const from = unixTime('What starts from then on is charged by it; a running request keeps the price it began with.')

export const PriceObject = Type.Object({
  object: Type.Literal('organization.price'),
  model: Type.String(),
  effective_at: from,
  created_at: unixTime('When it was set.'),
  price: nullable(UsdPrice, 'In dollars. Null: it cannot be read, and the model cannot be called.'),
})
export type PriceObject = Static<typeof PriceObject>

export const PriceList = Type.Object({ object: Type.Literal('list'), data: Type.Array(PriceObject) })

const PriceQuery = Type.Object({
  model: Type.Optional(Type.String({ minLength: 1, maxLength: modelLengthMax, description: 'Only of this model.' })),
})

const PriceUpdate = Type.Object({ model: ModelName, price: UsdPrice, effective_at: Type.Optional(from) })

const PriceTarget = Type.Object({
  model: ModelName,
  effective_at: Type.Optional(unixTime('Only the price from that moment. Default: all that were set for the model.')),
})

export const PriceDeleted = Type.Object({
  object: Type.Literal('organization.price.deleted'),
  model: Type.String(),
  deleted: Type.Boolean(),
})

const listPrices = operation<unknown, never, Static<typeof PriceQuery>>({
  id: 'organization.prices.list',
  method: 'GET',
  path,
  summary:
    'Prices that were set while the server runs; from their date on they win over those of the settings. An extension.',
  query: PriceQuery,
  reply: PriceList,
  scope: 'organization.read',
  bills: 'nothing',
  async run({ query }, context) {
    const all = await context.prices.list()
    const data = all.filter(({ model }) => query.model === undefined || model === query.model)
    return { kind: 'json', value: { object: 'list', data: data.map(toPrice) } }
  },
})

const setPrice = operation<Static<typeof PriceUpdate>>({
  id: 'organization.prices.update',
  method: 'POST',
  path,
  summary: 'Sets what a model costs, now or from a date on. For the operator of the server. An extension.',
  body: PriceUpdate,
  strict: true,
  reply: PriceObject,
  scope: 'organization.write',
  bills: 'nothing',
  async run({ body }, context) {
    const { store, caller, models, clock, ledger } = context
    await requireOperator(store, caller)
    const { name } = models.resolve(body.model)
    const fromMs = body.effective_at === undefined ? clock.now() : body.effective_at * 1000
    const details = { changes_requested: { ...body, model: name } }
    const row = audited({ type: 'price.updated', subjectId: name, details }, context)
    const listed = await context.prices.set(name, body.price, fromMs, [row])
    await ledger.changed()
    return { kind: 'json', value: toPrice(listed) }
  },
})

const deletePrice = operation<unknown, never, Static<typeof PriceTarget>>({
  id: 'organization.prices.delete',
  method: 'DELETE',
  path,
  summary:
    'Removes prices that were set for a model; that of the settings counts again. For the operator of the server. An extension.',
  query: PriceTarget,
  reply: PriceDeleted,
  scope: 'organization.write',
  bills: 'nothing',
  async run({ query: { model, effective_at: from } }, context) {
    const { store, caller, ledger } = context
    await requireOperator(store, caller)
    const { prices } = context
    const meant = (await prices.list()).filter(
      row => row.model === model && (from === undefined || Math.floor(row.fromAt / 1000) === from),
    )
    if (meant.length === 0) throw fault.objectNotFound('price of the model', model)
    const details = from === undefined ? {} : { effective_at: from }
    const log = audited({ type: 'price.deleted', subjectId: model, details }, context)
    // A price counts from a millisecond, and is named by its second.
    const moments = from === undefined ? [undefined] : meant.map(({ fromAt }) => fromAt)
    for (const [place, moment] of moments.entries()) await prices.remove(model, moment, place === 0 ? [log] : [])
    await ledger.changed()
    return { kind: 'json', value: { object: 'organization.price.deleted', model, deleted: true } }
  },
})

const toPrice = ({ model, fromAt, createdAt, price }: ListedPrice): PriceObject => ({
  object: 'organization.price',
  model,
  effective_at: Math.floor(fromAt / 1000),
  created_at: Math.floor(createdAt / 1000),
  price,
})

export const priceOperations: readonly Operation[] = [listPrices, setPrice, deletePrice]
