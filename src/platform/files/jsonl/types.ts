/** What is wrong with one line of a JSONL file. */
export interface LineProblem {
  /** Counted from 1, blank lines included, as editors count. */
  readonly line: number
  /** The field by its way, such as `body.model`; null when it is the line as a whole. */
  readonly param: string | null
  readonly code: string
  /** One sentence; never a word of the line's content. */
  readonly message: string
}

/** An object that stood on a line by itself. */
export interface JsonlObject {
  readonly line: number
  readonly value: Record<string, unknown>
  /** Of the line, without its end. */
  readonly sizeBytes: number
}

export type JsonlEntry = JsonlObject | { readonly line: number; readonly problem: LineProblem }

/** Looks at the object of one line. May remember earlier ones; one form is for one file. */
export type LineForm = (value: Readonly<Record<string, unknown>>, line: number) => Omit<LineProblem, 'line'> | undefined

export interface JsonlBounds {
  /** Longer lines are problems, and are not kept in memory. Default: 8 MiB. */
  readonly lineBytesMax?: number
  /** Lines that hold something; the one beyond is a problem, and the last that is looked at. Default: no bound. */
  readonly linesMax?: number
  /** After so many problems nothing more is looked at. Default: 1. */
  readonly problemsMax?: number
}

export interface JsonlReport {
  /** Lines that hold something. */
  readonly lines: number
  readonly problems: readonly LineProblem[]
}
