/** Started by `bench/accounts.ts`: the product's server, with key check, limits and ledger or without them. */
import { configHere, openHere } from '../../bin/surroundings.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { type Parlance, serve } from '../../src/main.ts'
import type { Reservation } from '../../src/platform/ledger/types.ts'
import { limitColumns } from '../../src/platform/limits/kinds.ts'
import { noLimits } from '../../src/platform/limits/none.ts'
import { lockDataDir } from '../../src/store/store.ts'
import type { Variant } from './variants.ts'

const config = configHere()
const lock = lockDataDir(config.data_dir, systemClock)
const parlance = await openHere(config, { lock })
await parlance.keys.ensure('bench', config.bootstrap_key ?? '')
const variant = process.argv[2] as Variant
if (variant === 'with limits') await limit(parlance)
await serve(variant === 'without' ? await without(parlance) : parlance).listen(config.host, config.port)
process.stdout.write('listening\n')

/** Everybody is the same, may do everything, and nothing is written down. */
async function without(whole: Parlance): Promise<Parlance> {
  const caller = await whole.keys.find(config.bootstrap_key)
  const keys = { ...whole.keys, recall: () => caller, watch: () => () => {} }
  const nothing: Reservation = { outputMax: null, settle: () => undefined }
  const ledger = { ...whole.services.ledger, reserve: () => nothing, settled: async () => 0 }
  return { ...whole, keys, services: { ...whole.services, keys, ledger, limits: noLimits } }
}

/** Limits that hold nobody back: of organisation, project and key, of each kind, and of money. */
async function limit({ keys, store, services }: Parlance): Promise<void> {
  const { organizationId: organization_id, projectId, keyId } = await keys.find(config.bootstrap_key)
  const plenty = 1e12
  const rates = Object.fromEntries(limitColumns.map(column => [column, plenty])) as Record<
    (typeof limitColumns)[number],
    number
  >
  const subjects = { organization: organization_id, project: projectId, key: keyId } as const
  for (const [subject, subject_id] of Object.entries(subjects) as [keyof typeof subjects, string][]) {
    const place = { organization_id, subject, subject_id, updated_at: 1 }
    await store.write([
      store.build.insertInto('rate_limits').values({ ...place, ...rates, model: '*' }),
      store.build.insertInto('spend_limits').values({ ...place, hard_nano: 1e15, soft_nano: null }),
    ])
  }
  await Promise.all([services.limits.changed(), services.ledger.changed()])
}
