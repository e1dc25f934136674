import { fault } from '../lib/faults.ts'
import { type Caller, mayAsk } from './access.ts'
import type { Models } from './models.ts'

/** The models that this caller may use; for all others they are as if they did not exist. */
export function allowedModels(models: Models, caller: Caller): Models {
  if (caller.models === null) return models
  const resolve: Models['resolve'] = name => {
    const target = models.resolve(name)
    if (!mayAsk(caller, name, target.name)) throw fault.modelNotFound(name.slice(0, 200))
    return target
  }
  return {
    ...models,
    resolve,
    memory() {
      const memory = models.memory()
      return { ...memory, models: memory.models.filter(({ name }) => mayAsk(caller, name, name)) }
    },
    load: async (name, signal) => models.load(resolve(name).name, signal),
    unload: async name => models.unload(resolve(name).name),
    list: () => models.list().filter(({ name, target }) => mayAsk(caller, name, target.name)),
    async remove(name) {
      if (!mayAsk(caller, name, name)) throw fault.modelNotFound(name.slice(0, 200))
      await models.remove(name)
    },
  }
}
