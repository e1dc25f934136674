import { slots } from '../grammar/slots.ts'
import { commonEnd, commonStart, merged, sharedEnd, sharedStart } from './cutting.ts'
import type { CallFraming, RowFraming, Wrapping } from './dialect.ts'
import type { Manners } from './manners.ts'
import { call, calling, ids, keys, names, type Probe, tools, turns, words } from './probe.ts'

/** How a template spells what an assistant does, read off its renderings. */
export interface Spelling {
  /** Null where it cannot be told. */
  readonly framing: CallFraming | null
  readonly thought: Wrapping | null
  /** Around an answer that calls nothing. */
  readonly answer: Wrapping | null
  /** A turn of calls as the template renders it: whoever reads its models must read this. */
  readonly sample: Sample | null
}

export interface Sample {
  /** What stands before it. */
  readonly prompt: string
  readonly text: string
  readonly calls: readonly { readonly name: string; readonly arguments: object }[]
}

/** @param manners those of the same template @param thoughts known marks, which are looked for first */
export function spellingOf(probe: Probe, manners: Manners, thoughts: readonly Wrapping[] = []): Spelling {
  return new Reading(probe, manners, thoughts).spelling()
}

type Given = Readonly<Record<string, unknown>>
const one: Given = { [keys[0]]: words.value }
const both: Given = { [keys[0]]: words.value, [keys[1]]: words.other }

class Reading {
  readonly #probe: Probe
  readonly #manners: Manners
  readonly #plain: string
  readonly #prompt: string
  readonly #thoughts: readonly Wrapping[]

  constructor(probe: Probe, manners: Manners, thoughts: readonly Wrapping[]) {
    this.#thoughts = thoughts
    this.#probe = probe
    this.#manners = manners
    this.#plain = probe.text([turns.user, turns.said], tools, false) ?? ''
    this.#prompt = probe.text([turns.user], tools) ?? ''
  }

  spelling(): Spelling {
    const single = this.#called([one])
    if (!this.#manners.knowsCalls || single === null || !this.#plain.includes(words.said))
      return { framing: null, thought: null, answer: this.#answer(null), sample: null }
    const thought = this.#thought(single)
    const framing = this.#framing(single, thought)
    return { framing, thought, answer: this.#answer(thought), sample: this.#sample(single) }
  }

  #sample(single: string): Sample {
    const other = { [keys[1]]: words.other }
    const double = this.#manners.oneCall ? null : this.#called([one, other])
    const calls = [
      { name: names[0], arguments: one },
      { name: names[1], arguments: other },
    ]
    const start = this.#start(single)
    const text = (double ?? single).slice(start.length).replaceAll(slots.id, ids[0])
    return { prompt: start.slice(-64), text, calls: double === null ? calls.slice(0, 1) : calls }
  }

  /** Where the turn of an assistant begins to differ by what it does. */
  #start(single: string): string {
    const common = commonStart(this.#plain, single)
    return single.startsWith(this.#prompt) && this.#prompt.length > common.length ? this.#prompt : common
  }

  /** The turn of an assistant with these calls. */
  #called(given: readonly Given[], more: object = {}): string | null {
    const encoded = this.#manners.arguments === 'text'
    const calls = given.map((each, i) => call(i === 0 ? 0 : 1, encoded ? spaced(each) : each))
    const content = this.#manners.nullContent ? null : ''
    const text = this.#probe.text([turns.user, calling(calls, content, more)], tools, false)
    return text?.replaceAll(ids[0], slots.id).replaceAll(ids[1], slots.id) ?? null
  }

  #thought(single: string): Wrapping | null {
    const text = this.#called([one], { [this.#manners.thoughtField]: words.thought })
    if (text === null || !text.includes(words.thought)) return null
    const at = text.indexOf(words.thought)
    const known = this.#thoughts.find(({ open }) => text.slice(0, at).trimEnd().endsWith(open))
    if (known !== undefined) return known
    const { length } = text.startsWith(this.#prompt) ? this.#prompt : commonStart(text, single)
    // A template may begin the thought in the prompt, or put an empty one where there is none.
    const start = text.slice(length, at).trim() !== '' ? length : text.slice(0, at).search(/<[^<>]+>\s*$/)
    const rest = text.slice(at + words.thought.length)
    const [tag = ''] = /^\s*<[^<>]+>/.exec(rest) ?? []
    const behind = rest.slice(0, rest.length - commonEnd(rest, single.slice(start)).length).trim()
    const close = behind === '' ? tag.trim() : behind
    const open = text.slice(start, at).trim()
    // The name of a role is no mark of a thought; a mark that the prompt begins stands at its end.
    const end = this.#prompt.slice(-64).trimEnd()
    if (end.includes(open) && !end.endsWith(open)) return null
    return start === -1 || open === '' || close === '' ? null : { open, close }
  }

  /** What stands in front of the answer and behind it, in the same turn. */
  #answer(thought: Wrapping | null): Wrapping | null {
    const at = this.#plain.indexOf(words.said)
    if (at === -1) return null
    const start = commonStart(this.#plain, this.#prompt).length
    const open = unthought(this.#plain.slice(start, at).trim(), thought)
    if (!open.includes('<')) return null
    const tags = open.match(/<[^<>]+>/g)?.length ?? 0
    const behind = this.#plain.slice(at + words.said.length).trim()
    const [close = ''] = new RegExp(`^(?:<[^<>]+>\\w*){${tags - 1}}<[^<>]+>`).exec(behind) ?? []
    // The name of a role stands in the prompt too.
    const header = this.#prompt.slice(this.#prompt.lastIndexOf(words.user)).includes(open)
    return !header && /^[^\s<]*<[^/<>][^<>]*>(\w*<[^<>]+>)*$/.test(open) ? { open, close } : null
  }

  #framing(single: string, thought: Wrapping | null): CallFraming | null {
    const start = this.#start(single)
    const tail = this.#plain.slice(this.#plain.indexOf(words.said) + words.said.length)
    const turn = single.slice(start.length)
    const first = callIn(turn, names[0], words.value)
    if (first === null) return null
    const end = commonEnd(tail, turn.slice(first.end)).length
    const behind = turn.slice(first.end, turn.length - end)
    const double = this.#manners.oneCall ? null : this.#called([one, { [keys[1]]: words.other }])
    if (double === null) {
      const before = unthought(turn.slice(0, first.name), thought)
      return this.#whole(first, { open: '', before, between: first.between, after: behind, separator: null, close: '' })
    }
    const turns = double.slice(start.length, double.length - end)
    const second = callIn(turns, names[1], words.other)
    if (second === null || !turns.startsWith(turn.slice(0, first.end))) return null
    const between = merged(first.between, second.between)
    if (between === null) return null
    const lead = unthought(turn.slice(0, first.name), thought)
    const before = sharedEnd(lead, turns.slice(first.end, second.name))
    const gap = turns.slice(first.end, first.end + before.b)
    // Some templates close the frame behind the second call alone.
    const last = turns.slice(second.end)
    const after = sharedStart(gap, last)
    return this.#whole(first, {
      open: lead.slice(0, before.a),
      before: before.text,
      between,
      after: after.text,
      separator: gap.slice(after.a),
      close: last.slice(after.b),
    })
  }

  #whole(first: Found, parts: Omit<CallFraming, 'name' | 'parameters'>): CallFraming | null {
    if (first.json) {
      const quoted = parts.before.endsWith('"') && parts.between.startsWith('"')
      return { ...parts, name: quoted ? 'json' : 'plain', parameters: null }
    }
    // A name that stands somewhere else too is not spelt by a frame.
    const frame = Object.values(parts).join()
    return names.some(name => frame.includes(name)) ? null : this.#rows(first, parts)
  }

  /** Arguments that are no JSON: a row for each. */
  #rows(first: Found, parts: Omit<CallFraming, 'name' | 'parameters'>): CallFraming | null {
    const row = this.#row(first)
    if (row === null) return null
    const { before, after: rowAfter } = row
    if (!parts.between.endsWith(before) || !parts.after.startsWith(rowAfter)) return null
    const framing: CallFraming = {
      ...parts,
      between: parts.between.slice(0, parts.between.length - before.length),
      after: parts.after.slice(rowAfter.length),
      name: 'plain',
      parameters: row,
    }
    // Without arguments nothing else must stand there.
    const empty = this.#called([{}])
    const bare = (text: string) => text.replaceAll(/\s/g, '')
    return empty !== null && bare(empty).includes(bare(names[0] + framing.between + framing.after)) ? framing : null
  }

  #row({ between: lead, keyed }: Found): RowFraming | null {
    const text = this.#called([both])
    if (text === null) return null
    const [valueAt, keyAt, otherAt] = [words.value, keys[1], words.other].map(word => text.lastIndexOf(word)) as [
      number,
      number,
      number,
    ]
    if (valueAt === -1 || keyAt < valueAt || otherAt < keyAt) return null
    const gap = text.slice(valueAt + words.value.length, keyAt)
    const before = sharedEnd(lead, gap).text
    const rest = gap.slice(0, gap.length - before.length)
    const behind = text.slice(otherAt + words.other.length)
    const after = sharedStart(rest, behind).text
    const separator = rest.slice(after.length)
    const other = this.#otherValues(separator + before)
    if (before.includes(slots.index) || after.includes(slots.index) || other === null) return null
    const same = other.between === keyed && other.after === after
    return {
      before,
      between: keyed,
      after,
      separator,
      other: same ? null : { between: other.between, after: other.after },
      python: other.python,
      cdata: this.#called([{ [keys[0]]: `z<${words.value}` }])?.includes(`<![CDATA[z<${words.value}]]>`) === true,
    }
  }

  /** How a number and a truth stand there. @param next what stands between two rows */
  #otherValues(next: string): { between: string; after: string; python: boolean } | null {
    const rendered = this.#called([{ [keys[0]]: 71_717, [keys[1]]: true }])
    const text = rendered?.slice(rendered.lastIndexOf(keys[0], rendered.lastIndexOf('71717'))) ?? ''
    const match = new RegExp(`^${keys[0]}([^]*?)71717([^]*?)${keys[1]}([^]*?)(true|True)`).exec(text)
    if (match === null) return null
    const [, between = '', gap = '', second = '', truth = ''] = match
    if (between !== second || !gap.endsWith(next)) return null
    return { between, after: gap.slice(0, gap.length - next.length), python: truth === 'True' }
  }
}

interface Found {
  /** Where the name begins, and where the arguments end. */
  readonly name: number
  readonly end: number
  /** From the name to the arguments; of rows, to the first key. */
  readonly between: string
  readonly json: boolean
  /** Of rows: from the key to the value. */
  readonly keyed: string
}

function callIn(turn: string, name: string, value: string): Found | null {
  const valueAt = turn.lastIndexOf(value)
  const key = value === words.value ? keys[0] : keys[1]
  const keyAt = turn.lastIndexOf(key, valueAt)
  const nameAt = turn.lastIndexOf(name, keyAt)
  if (valueAt === -1 || keyAt === -1 || nameAt === -1) return null
  const nameEnd = nameAt + name.length
  const json = /\{\s*"$/.exec(turn.slice(nameEnd, keyAt))
  const close = /^"\s*\}/.exec(turn.slice(valueAt + value.length))
  if (json !== null && close !== null)
    return {
      name: nameAt,
      end: valueAt + value.length + close[0].length,
      between: turn.slice(nameEnd, nameEnd + json.index),
      json: true,
      keyed: '',
    }
  return {
    name: nameAt,
    end: valueAt + value.length,
    between: turn.slice(nameEnd, keyAt),
    json: false,
    keyed: turn.slice(keyAt + key.length, valueAt),
  }
}

/** Some templates put an empty thought in front of every call. */
function unthought(text: string, thought: Wrapping | null): string {
  const marks = [thought, { open: '<think>', close: '</think>' }].filter(each => each !== null)
  for (const { open, close } of marks) {
    const at = text.indexOf(close)
    if (at !== -1 && ['', open].includes(text.slice(0, at).replaceAll(/\s/g, '')))
      return text.slice(at + close.length).trimStart()
  }
  return text
}

/** JSON with spaces, as models write it. */
const spaced = (given: Given) =>
  `{${Object.entries(given)
    .map(([key, value]) => `${JSON.stringify(key)}: ${JSON.stringify(value)}`)
    .join(', ')}}`
