import { definitionOf, type EncodingName, isEncodingName } from './definitions.ts'
import { Encoding } from './encoding.ts'
import { encodingNameForModel } from './models.ts'
import { loadTable, readTable, type TableName } from './ranks.ts'
import type { Vocabulary } from './vocabulary.ts'

/** Tables and encodings are read once and kept; encodings over the same table share it. */
const tables = new Map<TableName, Vocabulary>()
const loading = new Map<TableName, Promise<Vocabulary>>()
const encodings = new Map<EncodingName, Encoding>()

/** The encoding of this name. The first call reads its table and holds the thread for some tens of milliseconds. @throws Fault 400 `unknown_encoding` */
export function getEncoding(name: string): Encoding {
  const { table } = definitionOf(name)
  return encodings.get(known(name)) ?? keep(known(name), tables.get(table) ?? readTable(table))
}

/** The same, but reads the table in slices of a few milliseconds. @throws Fault 400 `unknown_encoding` */
export async function loadEncoding(name: string): Promise<Encoding> {
  const { table } = definitionOf(name)
  const kept = encodings.get(known(name))
  if (kept !== undefined) return kept
  const vocabulary = tables.get(table)
  if (vocabulary !== undefined) return keep(known(name), vocabulary)
  let read = loading.get(table)
  if (read === undefined) {
    read = loadTable(table).finally(() => loading.delete(table))
    loading.set(table, read)
  }
  const loaded = await read
  return encodings.get(known(name)) ?? keep(known(name), tables.get(table) ?? loaded)
}

/** The encoding of a model, by any of its names. @throws Fault 404 `model_not_found` */
export function encodingForModel(model: string): Encoding {
  return getEncoding(encodingNameForModel(model))
}

function known(name: string): EncodingName {
  if (!isEncodingName(name)) throw new Error(`'${name}' has a definition and must be a known name`)
  return name
}

function keep(name: EncodingName, vocabulary: Vocabulary): Encoding {
  const encoding = new Encoding(name, vocabulary)
  tables.set(definitionOf(name).table, vocabulary)
  encodings.set(name, encoding)
  return encoding
}
