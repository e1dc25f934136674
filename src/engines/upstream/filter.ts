import { isUtf8 } from 'node:buffer'
import { type Fault, fault } from '../../lib/faults.ts'
import { BlockCutter, doneEvent, encodeEvent, readBlock } from '../../lib/sse.ts'
import { type About, errorInReply } from './refusals.ts'
import type { Tally } from './tally.ts'
import { isObject, parsed } from './values.ts'

/** The bytes of an upstream are not what they should be. The message goes to the log alone and quotes nothing. */
export class Garbled extends Error {
  override readonly name = 'Garbled'
}

/** Finds in an event what its reply has spent so far, in the form of a usage. */
export type SpentSoFar = (event: Readonly<Record<string, unknown>>) => unknown

/** Bytes of one event. The largest honest ones hold log probabilities or pictures' worth of arguments; far below this. */
export const eventBytesMax = 1_048_576

/**
 * Reads an upstream's stream of completion events and passes on what a client may see, as bytes.
 *
 * An event in the usual form (`data: {…}` on one line) is passed on unchanged and unparsed; it is parsed only when it is the first,
 * or when it holds `"usage"` (not null) or `"error"`. Everything else is put into the usual form: other line ends, data over several
 * lines, fields other than data, comments (which become `: ping`). An event that holds nothing but a usage nobody asked for is taken
 * out, or one that cannot be true; one that was asked for and did not come is added.
 */
export class EventFilter {
  /** Events with data so far. */
  events = 0
  /** An event with a choice has come. Until then nothing of the reply is there: Azure's first event tells of its filter alone. */
  begun = false
  /** `[DONE]` was seen (and passed on). What follows it does not count. */
  done = false
  /** The upstream sent an error or something garbled: the stream ends with it. */
  fault: Fault | undefined
  readonly #about: About
  readonly #tally: Tally
  readonly #hidesUsage: boolean
  readonly #choices: number
  readonly #spent: SpentSoFar | undefined
  readonly #usageUnasked: boolean
  readonly #cutter = new BlockCutter(eventBytesMax)
  #finished = 0
  #ended = false
  /** A usage stood in an event that was passed on. */
  #usageShown = false
  /** What the first event says about the whole reply. */
  #envelope: Record<string, unknown> = {}

  /** `choices`: how many replies were asked for. `usageUnasked`: each stream has its usage beside the last choice. */
  constructor(
    about: About,
    tally: Tally,
    options: {
      hidesUsage: boolean
      choices: number
      spentSoFar?: SpentSoFar | undefined
      usageUnasked?: boolean | undefined
    },
  ) {
    this.#about = about
    this.#tally = tally
    this.#hidesUsage = options.hidesUsage
    this.#choices = options.choices
    this.#spent = options.spentSoFar
    this.#usageUnasked = options.usageUnasked ?? false
  }

  /** Every choice has had its `finish_reason`: the reply is whole, even if `[DONE]` never comes. */
  get complete(): boolean {
    return this.#finished >= this.#choices
  }

  /**
   * What is missing at the end of a whole stream, once the tally is closed: the usage where the client asked for it and the upstream
   * sent none, and `[DONE]`.
   */
  rest(): Buffer {
    if (this.#ended) return nothing
    this.#ended = true
    const owed = this.#owesUsage ? { ...this.#envelope, choices: [], usage: this.#tally.usage() } : undefined
    return Buffer.from((owed === undefined ? '' : encodeEvent(JSON.stringify(owed))) + doneEvent)
  }

  get #owesUsage(): boolean {
    return !this.#hidesUsage && !this.#usageShown
  }

  /** The bytes to pass on now; often none. Throws Garbled and BlockTooLong. */
  push(chunk: Buffer): Buffer {
    return this.#pass(this.#cutter.push(chunk))
  }

  /** At a clean end: a last event without its blank line counts, if it is whole. */
  end(): Buffer {
    const rest = this.#cutter.end().toString('latin1').trim()
    return /^data: ?(?:\{[\s\S]*\}|\[DONE\])$/.test(rest) ? this.#pass(Buffer.from(`${rest}\n\n`, 'latin1')) : nothing
  }

  #pass(whole: Buffer): Buffer {
    if (whole.length === 0) return nothing
    if (!isUtf8(whole) || whole.includes(0)) throw new Garbled('The stream holds bytes that are not text.')
    const passed: Buffer[] = []
    let runStart = 0
    let start = 0
    while (start < whole.length && !this.done && this.fault === undefined) {
      if (whole[start] === lineFeed) {
        if (runStart < start) passed.push(whole.subarray(runStart, start))
        while (whole[start] === lineFeed) start++
        runStart = start
        continue
      }
      const end = whole.indexOf(blankLine, start) + 2
      const replacement = this.#judged(whole, start, end)
      if (replacement !== undefined) {
        if (runStart < start) passed.push(whole.subarray(runStart, start))
        if (replacement !== '') passed.push(Buffer.from(replacement))
        runStart = end
      }
      start = end
    }
    if (runStart < start) passed.push(whole.subarray(runStart, start))
    return passed.length === 1 && passed[0] !== undefined ? passed[0] : Buffer.concat(passed)
  }

  /** What to pass on in place of an event; undefined: the event itself. A garbled one ends the stream, after those before it. */
  #judged(whole: Buffer, start: number, end: number): string | undefined {
    const block = whole.toString('latin1', start, end)
    try {
      return usual(block) ? this.#look(block, whole, start, end) : this.#rewritten(whole.toString('utf8', start, end))
    } catch (error) {
      if (!(error instanceof Garbled)) throw error
      this.fault = fault.upstreamInvalid(this.#about.name, error)
      return ''
    }
  }

  /** Looks at an event in the usual form. Undefined: it is passed on as it is. `block` is in Latin-1, good enough for ASCII words. */
  #look(block: string, whole: Buffer, start: number, end: number): string | undefined {
    this.events++
    this.#tally.hear(block)
    if (block.includes('"finish_reason"')) this.#finished += block.match(finishReason)?.length ?? 0
    const parses = this.#spent !== undefined || !this.begun || block.includes('"error"') || reportsUsage.test(block)
    const instead = parses ? this.#examined(whole.toString('utf8', start + 6, end - 2)) : undefined
    return instead ? encodeEvent(instead) : instead
  }

  /** An event in another form, put into the usual one; empty when nothing is left of it. */
  #rewritten(block: string): string {
    const event = readBlock(block)
    if (event === undefined) return block.trimStart().startsWith(':') ? ': ping\n\n' : ''
    if (event.data.trim() === '[DONE]') {
      this.done = true
      if (this.#owesUsage) return '' // `[DONE]` comes after it
      this.#ended = true
      return doneEvent
    }
    this.events++
    const data = event.data.replaceAll('\n', ' ')
    this.#tally.hear(Buffer.from(data).toString('latin1'))
    this.#finished += data.match(finishReason)?.length ?? 0
    const shown = this.#examined(data) ?? data
    return shown === '' ? '' : encodeEvent(shown)
  }

  /** Parses an event, tells the tally, finds errors. What the client sees instead, perhaps nothing; undefined: the event. Throws Garbled. */
  #examined(data: string): string | undefined {
    const event = parsed(data)
    if (!isObject(event)) throw new Garbled('An event of the stream is no JSON object.')
    this.fault = errorInReply(this.#about, event)
    if (this.fault !== undefined) return ''
    if (!Array.isArray(event.choices)) throw new Garbled('An event of the stream has no choices.')
    if (!this.begun) this.#envelope = envelopeOf(event)
    this.begun ||= event.choices.length > 0
    if (this.#spent !== undefined) this.#tally.report(this.#spent(event))
    if (!isObject(event.usage)) return undefined
    const believed = this.#tally.report(event.usage)
    if (event.choices.length === 0 && (!believed || this.#hidesUsage)) return ''
    if (event.choices.length > 0 && this.#usageUnasked) return JSON.stringify(this.#withoutUsage(event))
    this.#usageShown ||= believed
    return undefined
  }

  /** The usage comes as OpenAI sends it: in an event of its own, to those who asked. */
  #withoutUsage({ usage: _, ...event }: Record<string, unknown>): object {
    return this.#hidesUsage ? event : { ...event, usage: null }
  }
}

const lineFeed = 10
const blankLine = Buffer.from('\n\n')
const nothing = Buffer.alloc(0)

/** `data: {…}` on one line, and nothing else. */
const usual = (block: string): boolean =>
  block.startsWith('data: {') && block.endsWith('}\n\n') && block.indexOf('\n') === block.length - 2

/** Inside a JSON string the quotes would be escaped, so these match fields only (or a string that is such a word and nothing more). */
const reportsUsage = /"usage"\s*:\s*\{/
const finishReason = /"finish_reason"\s*:\s*"[^"]/g

function envelopeOf({ id, object, created, model, system_fingerprint }: Record<string, unknown>) {
  return { id, object, created, model, system_fingerprint }
}
