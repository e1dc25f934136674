import { isDeepStrictEqual } from 'node:util'
import { fault } from '../../../lib/faults.ts'
import type { RelayPath } from '../../engine.ts'
import type { Kind } from './kind.ts'

/** Makes of a request what an upstream of one kind understands. @throws Fault 400 that names a parameter it would ignore */
export type Prepare = (path: RelayPath, request: Record<string, unknown>) => Record<string, unknown>

/** Undefined when nothing has to be done: the usual request pays nothing. */
export function preparation(
  kind: Kind,
  about: { name: string; target: string; lenient: boolean; streamOptions: boolean },
): Prepare | undefined {
  const steps: Prepare[] = []
  if (kind.ignores !== undefined && !about.lenient) steps.push(refusing(kind, about))
  if (kind.renames !== undefined) steps.push(renaming(kind.renames))
  if (kind.adds !== undefined && !about.lenient) steps.push(adding(kind.adds))
  if (!about.streamOptions) steps.push((_, { stream_options: _options, ...rest }) => rest)
  if (steps.length === 0) return undefined
  return (path, request) => steps.reduce((changed, step) => step(path, changed), request)
}

/** Values that ask for nothing. Clients send them unasked. */
const neutral: Readonly<Record<string, readonly unknown[]>> = {
  audio: [],
  best_of: [1],
  echo: [false],
  frequency_penalty: [0],
  function_call: ['none', 'auto'],
  functions: [[]],
  logit_bias: [{}],
  logprobs: [false],
  modalities: [['text']],
  parallel_tool_calls: [true],
  presence_penalty: [0],
  response_format: [{ type: 'text' }],
  service_tier: ['auto', 'default'],
  temperature: [1],
  top_logprobs: [0],
  top_p: [1],
  verbosity: ['medium'],
}

function refusing({ name: kindName, ignores }: Kind, { name, target }: { name: string; target: string }): Prepare {
  return (path, request) => {
    for (const one of ignores?.[path] ?? []) {
      const param = typeof one === 'string' ? one : one.name
      const value = request[param]
      if (value === undefined || value === null || neutral[param]?.some(asked => isDeepStrictEqual(asked, value)))
        continue
      if (typeof one === 'string' || one.when(value, target)) throw fault.upstreamIgnores(param, name, kindName)
    }
    return request
  }
}

const renaming =
  (renames: Readonly<Record<string, string>>): Prepare =>
  (_, request) => {
    const asked = Object.keys(renames).filter(name => Object.hasOwn(request, name))
    if (asked.length === 0) return request
    const renamed = { ...request }
    for (const name of asked) {
      const there = renames[name]!
      const value = renamed[name]
      delete renamed[name]
      if (value === null || value === undefined) continue
      if (renamed[there] !== undefined && renamed[there] !== null && renamed[there] !== value)
        throw fault.invalidValue(
          there,
          `Setting '${there}' and '${name}' at the same time is not supported.`,
          'invalid_parameter_combination',
        )
      renamed[there] = value
    }
    return renamed
  }

/** What a caller says about the same wins; objects are joined, so that one who names providers does not lose the rest. */
const adding =
  (adds: Readonly<Record<string, unknown>>): Prepare =>
  (path, request) => {
    if (path === '/embeddings') return request
    const added = { ...request }
    for (const [name, value] of Object.entries(adds)) {
      const asked = added[name]
      added[name] = asked === undefined || asked === null ? value : joined(value, asked)
    }
    return added
  }

const joined = (ours: unknown, asked: unknown): unknown =>
  isPlain(ours) && isPlain(asked) ? { ...ours, ...asked } : asked

const isPlain = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
