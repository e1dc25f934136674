import { isObject } from './values.ts'

type Json = Record<string, unknown>

/** Fields of a message that are named at most. */
const placesMax = 8

/**
 * Finds the error in an answer that has the status of one: in the forms that an error in place of a reply has, in a list of one (Gemini,
 * n4ze3m/page-assist #418), and as FastAPI words it (`{detail}`; Mistral, editor-code-assistant/eca #231).
 */
export function refusalOf(value: unknown): Json | undefined {
  if (Array.isArray(value)) return value.length === 1 ? errorOf(value[0]) : undefined
  const error = errorOf(value)
  if (error !== undefined || !isObject(value)) return error
  const { message = value } = value
  return isObject(message) ? detailed(message.detail) : undefined
}

/** Finds the error in `{error: {message, …}}`, in `{error: '…'}` (Ollama) and in `{object: 'error', message, …}` (older vLLM). */
export function errorOf(value: unknown): Json | undefined {
  if (!isObject(value)) return
  if (isObject(value.error)) return value.error
  if (typeof value.error === 'string') return { message: value.error }
  if (value.object !== 'error') return
  if (typeof value.message === 'string') return value
  return isObject(value.message) ? detailed(value.message.detail) : undefined
}

/** What a validation found: `[{loc: ['body', 'n'], msg, type}, …]`, or words. */
function detailed(detail: unknown): Json | undefined {
  if (typeof detail === 'string') return { message: detail }
  if (!Array.isArray(detail)) return
  const found = detail.filter(isObject).slice(0, placesMax)
  const [first] = found
  if (first === undefined) return
  const message = found.map(one => `${String(one.msg)} (${placeOf(one.loc)})`).join(' ')
  return { message, param: placeOf(first.loc), code: first.type }
}

/** `['body', 'messages', 0, 'name']` as OpenAI would write it. */
function placeOf(loc: unknown): string {
  const steps = Array.isArray(loc) ? loc.slice(loc[0] === 'body' ? 1 : 0) : []
  return steps.reduce(
    (path, step) => (typeof step === 'number' ? `${path}[${step}]` : path ? `${path}.${step}` : `${step}`),
    '',
  )
}
