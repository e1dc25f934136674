import { isIP } from 'node:net'
import type { Clock } from '../../../lib/clock.ts'
import type { Timers } from '../../../lib/timers.ts'
import type { UpstreamDoor } from '../listing/door.ts'
import { type ListRead, readModels } from '../listing/read.ts'
import { type ChatTried, chatOnce, chatStreamed, type Usage } from './tiny-chat.ts'

/** In the order in which they are taken. */
export const stepNames = ['resolve', 'connect', 'key', 'models', 'chat', 'stream', 'usage'] as const
export type StepName = (typeof stepNames)[number]

export interface Step {
  name: StepName
  /** Null: it was not tried, or cannot be told. */
  ok: boolean | null
  /** How long it took; null: it was not tried, or came with another step. */
  ms: number | null
  /** A sentence: what there is, and what to do next where it is not well. */
  detail: string
}

export interface Trial {
  /** Nothing failed that requests need. */
  ok: boolean
  steps: Step[]
  /** For what is known of the upstream. */
  read: ListRead | undefined
}

export interface TrialOptions {
  /** For a tiny chat; without it none is tried. */
  model: string | undefined
  clock: Clock
  timers: Timers
  /** Aborted: the trial ends, with what it has found so far. */
  signal: AbortSignal
  /** Finds the address of a host. @throws Error with a `code` */
  lookup(host: string): Promise<unknown>
}

/** All steps together; less than commands wait for an answer. */
const trialMs = 25_000
const stepMs = 10_000

/**
 * Tries an upstream from the name of its host to the usage of a stream. Two chats of a few tokens, where a model is named, are all that
 * it costs.
 */
export async function tryUpstream(door: UpstreamDoor, options: TrialOptions): Promise<Trial> {
  const { timers, clock, model } = options
  const ending = new AbortController()
  const stop = timers.after(trialMs, () => ending.abort())
  const signal = AbortSignal.any([options.signal, ending.signal])
  const around = { clock, timers, signal, timeoutMs: stepMs }
  const report = new Report()
  try {
    if (!(await resolves(door, options, signal, report))) return report.done(undefined)
    const read = await readModels(door, around)
    if (!listed(door, read, model, report) || model === undefined) return report.done(read)
    const whole = await chatOnce(door, model, around)
    chatted(door, whole, report)
    if (whole.ok) streamed(await chatStreamed(door, model, around), report)
    return report.done(read)
  } finally {
    stop()
  }
}

/** The trial of an upstream that cannot even be asked. @param step the one that its problem is about */
export function untriable(step: 'connect' | 'key', detail: string): Trial {
  const report = new Report()
  report.set(step, false, null, detail)
  return report.done(undefined)
}

class Report {
  readonly #steps = new Map<StepName, Step>()

  set(name: StepName, ok: boolean | null, ms: number | null, detail: string): void {
    this.#steps.set(name, { name, ok, ms, detail })
  }

  ok(name: StepName): boolean | null {
    return this.#steps.get(name)?.ok ?? null
  }

  done(read: ListRead | undefined): Trial {
    const failed = stepNames.find(name => this.ok(name) === false)
    const untried =
      failed === undefined ? 'Not tried: name a model for it (`--model NAME`).' : `Not tried, as \`${failed}\` failed.`
    const steps = stepNames.map(name => this.#steps.get(name) ?? { name, ok: null, ms: null, detail: untried })
    // What an upstream does not count is counted here.
    return { ok: steps.every(({ name, ok }) => ok !== false || name === 'usage'), steps, read }
  }
}

async function resolves(
  { origin, proxied }: UpstreamDoor,
  { lookup, clock }: TrialOptions,
  signal: AbortSignal,
  report: Report,
): Promise<boolean> {
  const host = new URL(origin).hostname.replace(/^\[|\]$/g, '')
  if (isIP(host) !== 0) return told(`${host} is an address: there is nothing to look up.`)
  if (proxied) return told('The proxy looks the name up.')
  const startedMs = clock.monotonic()
  const found = await Promise.race([lookup(host).then(() => true, codeOf), left(signal)])
  const ms = Math.round(clock.monotonic() - startedMs)
  if (found === true) report.set('resolve', true, ms, `${host} has an address.`)
  else
    report.set(
      'resolve',
      false,
      ms,
      `Nobody knows the name ${host}${found === false ? ' in time' : ` (${found})`}. Check the spelling of \`base_url\`, and the name servers of this machine.`,
    )
  return found === true

  function told(detail: string): true {
    report.set('resolve', isIP(host) !== 0 ? true : null, null, detail)
    return true
  }
}

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error ? String(error.code) : 'no reason given'

const left = (signal: AbortSignal): Promise<false> =>
  new Promise(resolve => {
    if (signal.aborted) resolve(false)
    else signal.addEventListener('abort', () => resolve(false), { once: true })
  })

/** @returns whether a chat is worth trying */
function listed(door: UpstreamDoor, read: ListRead, model: string | undefined, report: Report): boolean {
  const { origin, hasKey } = door
  const { connectedMs = null, ms } = read
  const trouble = 'trouble' in read ? read.trouble : undefined
  if (trouble?.stage === 'resolve') report.set('resolve', false, ms, trouble.detail)
  if (trouble?.stage === 'connect') report.set('connect', false, ms, trouble.detail)
  if (connectedMs === null) return false
  const safely = origin.startsWith('https:') ? ', over TLS with a certificate that is trusted' : ''
  report.set('connect', true, connectedMs, `There is a connection to ${origin}${safely}.`)
  if (trouble?.stage === 'key') {
    report.set('key', false, ms, trouble.detail)
    return false
  }
  if (trouble !== undefined) {
    report.set('key', null, null, 'It cannot be told without an answer.')
    report.set('models', false, ms, trouble.detail)
    return trouble.stage === 'list'
  }
  const only =
    model === undefined ? ' Some servers give that to anybody: name a model (`--model NAME`) to be sure.' : ''
  const key = hasKey ? `Accepted for the list of models.${only}` : `None is set, and none was asked for.${only}`
  report.set('key', true, null, key)
  if ('models' in read) report.set('models', true, ms, listWords(read, model))
  return true
}

function listWords({ models, callable }: Extract<ListRead, { models: unknown }>, model: string | undefined): string {
  if (!callable) return 'It answers. Which deployments there are is shown to no key: name those that you have.'
  const shown = models.slice(0, 3).join(', ')
  const count = models.length === 1 ? '1 model' : `${models.length} models`
  const missing = model !== undefined && !models.includes(model) ? ` '${model}' is not among them.` : ''
  return `${count}${models.length === 0 ? '' : `: ${shown}${models.length > 3 ? ' …' : ''}`}.${missing}`
}

function chatted({ name, hasKey }: UpstreamDoor, chat: ChatTried, report: Report): void {
  if (!chat.ok) {
    if (chat.refusedKey) report.set('key', false, chat.ms, chat.detail)
    report.set('chat', false, chat.ms, chat.detail)
    return
  }
  report.set('key', true, null, hasKey ? 'Accepted.' : 'None is set, and none was asked for.')
  report.set('chat', true, chat.ms, `Answered (${tokens(chat.usage)}, for which the upstream may charge you).`)
  if (report.ok('models') === false)
    report.set(
      'models',
      null,
      null,
      `It has no list of models: name those of '${name}' yourself (\`--expose a,b\`, or routes).`,
    )
}

function streamed(stream: ChatTried, report: Report): void {
  const { ok, ms } = stream
  report.set('stream', ok, ms, ok ? 'The reply comes piece by piece.' : stream.detail)
  if (!ok) return
  const counted = stream.usage && `It counts itself: ${tokens(stream.usage)}.`
  report.set('usage', counted !== undefined, null, counted ?? uncounted)
}

const uncounted =
  'It sends no usage with streams. Parlance counts tokens itself then, in an encoding that may not be the model’s.'

const tokens = (usage: Usage | undefined): string =>
  usage === undefined ? 'tokens not told' : `${usage.input} tokens in, ${usage.output} out`
