import { operation } from '../../platform/operation.ts'
import type { ResidentState } from '../../platform/residency/index.ts'
import { type LoadedModel, LoadedModelList } from '../../wire/models.ts'

export const listLoadedModels = operation({
  id: 'parlance.models.loaded',
  method: 'GET',
  path: '/v1/parlance/models/loaded',
  summary: 'Tells which models of this machine are in memory, and what they take of it.',
  reply: LoadedModelList,
  scope: 'model.read',
  bills: 'nothing',
  run(_input, { models }) {
    const memory = models.memory()
    const value: LoadedModelList = {
      object: 'list',
      data: memory.models.map(toLoadedModel),
      memory_bytes: memory.budgetBytes,
      used_bytes: memory.usedBytes,
    }
    return { kind: 'json', value }
  },
})

export const toLoadedModel = (model: ResidentState): LoadedModel => ({
  id: model.name,
  object: 'parlance.loaded_model',
  state: model.state === 'closed' ? 'idle' : model.state,
  size_bytes: model.bytes,
  estimated_bytes: model.estimatedBytes ?? null,
  loaded_at: seconds(model.loadedAtMs),
  last_used_at: seconds(model.lastUsedAtMs),
  expires_at: seconds(model.expiresAtMs),
  running: model.running,
  queued: model.queued,
})

const seconds = (ms: number | undefined): number | null => (ms === undefined ? null : Math.floor(ms / 1000))
