/**
 * JSON lines: what fine-tuning and batches are fed with. A file is read as a stream, in turns with everything else that the process
 * does; problems name the line, the field and the reason.
 *
 *     const { lines, problems } = await checkJsonl(bytes, batchLine('/v1/chat/completions'), { problemsMax: 20 })
 *     for await (const entry of readJsonl(bytes)) …
 */
export { batchBytesMax, batchLine, batchLinesMax } from './batch.ts'
export { checkJsonl, lineBytesMax, readJsonl } from './read.ts'
export type { JsonlBounds, JsonlEntry, JsonlObject, JsonlReport, LineForm, LineProblem } from './types.ts'
