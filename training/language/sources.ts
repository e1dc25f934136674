/** Reads the public data sets that the training draws on. Only their text is used; see README.md for the folder's layout. */
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** One comment with the numbers of its labels (see goemotions/labels.txt). */
export interface Comment {
  readonly text: string
  readonly labels: readonly number[]
}

export interface Sources {
  /** Lists of the corpora set by path, e.g. `humans/firstNames`. */
  readonly corpora: (path: string) => unknown
  /** [text, intent] by split. */
  readonly clinc: Record<'train' | 'val' | 'test' | 'oos_train' | 'oos_test', readonly (readonly [string, string])[]>
  readonly emotions: Record<'train' | 'test', readonly Comment[]>
  /** English and Chinese sentence pairs. */
  readonly pairs: readonly (readonly [string, string])[]
  /** Instructions: the seeds for training, the user-oriented ones for evaluation. */
  readonly instructions: Record<'train' | 'test', readonly string[]>
  readonly problems: Record<'train' | 'test', readonly string[]>
  readonly utterances: readonly { readonly text: string; readonly intent: string }[]
  /** Paragraphs of the books. */
  readonly prose: readonly string[]
  readonly capitals: readonly string[]
}

/** Throws when a file of the folder is missing. Files may be xz-compressed (`xz` must be on the PATH). */
export function readSources(folder: string): Sources {
  const text = (path: string): string => readText(join(folder, path))
  const lines = (path: string): string[] =>
    text(path)
      .split('\n')
      .filter(line => line.trim())
  const comments = (path: string): Comment[] =>
    lines(path).map(line => {
      const [body = '', labels = ''] = line.split('\t')
      return { text: body, labels: labels.split(',').map(Number) }
    })
  const json = (path: string): unknown => JSON.parse(text(path))
  return {
    corpora: path => json(`corpora/data/${path}.json`),
    clinc: json('clinc150/data_full.json') as Sources['clinc'],
    emotions: { train: comments('goemotions/train.tsv'), test: comments('goemotions/test.tsv') },
    pairs: lines('tatoeba-en-zh/cmn.txt').map(line => {
      const [en = '', zh = ''] = line.split('\t')
      return [en, zh.trim()] as const
    }),
    instructions: {
      train: lines('self-instruct-seeds/seed_tasks.jsonl').map(instruction),
      test: lines('self-instruct-seeds/user_oriented_instructions.jsonl').map(instruction),
    },
    problems: { train: lines('gsm8k/train.jsonl').map(question), test: lines('gsm8k/test.jsonl').map(question) },
    utterances: lines('hwu64/hwu64.jsonl').map(line => JSON.parse(line) as { text: string; intent: string }),
    prose: readdirSync(join(folder, 'standardebooks'))
      .filter(name => /\.txt(\.xz)?$/.test(name) && name !== 'SOURCE.txt')
      .sort()
      .flatMap(name => text(`standardebooks/${name.replace(/\.xz$/, '')}`).split(/\n+/))
      .filter(line => line.length > 60),
    capitals: (json('country-json/country-by-capital-city.json') as { city: string | null }[]).flatMap(
      ({ city }) => city ?? [],
    ),
  }
}

function instruction(line: string): string {
  return (JSON.parse(line) as { instruction: string }).instruction
}

function question(line: string): string {
  return (JSON.parse(line) as { question: string }).question
}

/** A text file, or its xz-compressed twin. */
function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    return execFileSync('xz', ['-dc', `${path}.xz`], { encoding: 'utf8', maxBuffer: 2 ** 29 })
  }
}
