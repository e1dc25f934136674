import { bytesOf, stored, tinyModel } from '../models/make.ts'

/**
 * Settings in which the classic names lead to a small model with random weights, for suites that ask much and read little. Its
 * replies mean nothing and end at their limit, but every parameter works on it.
 */
export async function smallModelSettings({ context = 4096 }: { context?: number } = {}): Promise<string> {
  const file = await stored(bytesOf(tinyModel({ endless: true })))
  return `
models:
  small: { file: ${JSON.stringify(file)}, context: ${context} }
aliases:
  gpt-3.5-turbo: small
  gpt-3.5-turbo-instruct: small
`
}
