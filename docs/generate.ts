import { readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { TSchema } from 'typebox'
import {
  creditSettings,
  modelSettings,
  noticeSettings,
  oidcSettings,
  settings,
  upstreamSettings,
} from '../src/settings.ts'

/**
 * Writes the pages that are made from the code: `npm run docs`. A test compares them with what is committed.
 * `docs/config.md` comes from the settings in `src/settings.ts`.
 */
export const pages: Record<string, () => string> = { 'config.md': configPage }

function configPage(): string {
  const rows = Object.entries(settings).map(([name, row]) => {
    const value = row.default === undefined ? '' : `\`${JSON.stringify(row.default).replaceAll('"', '')}\``
    return `| \`${name}\` | ${row.env.map(name => `\`${name}\``).join(', ')} | ${kind(row.schema)} | ${value} | ${row.sentence} |`
  })
  return `# Settings

Made from \`src/settings.ts\` by \`npm run docs\`.

Settings come from the command line, then the environment, then \`parlance.yaml\`, then these defaults. \`parlance.yaml\` is read from the
folder in which Parlance starts; \`PARLANCE_CONFIG\` names another file. In its texts, \`\${NAME}\` stands for the environment variable
of that name. An unknown setting or a wrong type stops the start with the file and the line.

| setting | environment | type | default | |
|---|---|---|---|---|
${rows.join('\n')}

## An entry of \`upstreams\`

${fields(upstreamSettings)}

## An entry of \`models\`

Either a GGUF file that runs here:

${fields(modelSettings.local)}

or a model of an upstream:

${fields(modelSettings.upstream)}

or models of several upstreams, of which one answers (see [routing](routing.md)):

${fields(modelSettings.routed)}

An entry of \`targets\`:

${fields(modelSettings.target)}

A \`price\` holds USD. Zero is a price:

${fields(modelSettings.price)}

## \`credit\`

${fields(creditSettings)}

## \`mail\` and \`webhook\`

${fields(noticeSettings.mail)}

${fields(noticeSettings.webhook)}

## \`oidc\`

Of a provider through which people sign in ([more](accounts.md#through-a-provider)).

${fields(oidcSettings)}

## Example

\`\`\`yaml
upstreams:
  vllm: { base_url: "http://10.0.0.5:8000/v1", api_key: "\${VLLM_KEY}" }
models:
  llama-3.1-8b: { file: "models/llama-3.1-8b.Q4_K_M.gguf", context: 8192 }
  gpt-4o: { upstream: vllm, name: "Qwen/Qwen3-32B", price: { input: 0.15, output: 0.60 } }
aliases:
  gpt-4: gpt-4o
\`\`\`
`
}

function fields(schema: { properties: Record<string, TSchema>; required?: readonly string[] | undefined }): string {
  const rows = Object.entries(schema.properties).map(([name, field]) => {
    const needed = schema.required?.includes(name) ? 'yes' : ''
    return `| \`${name}\` | ${kind(field)} | ${needed} | ${'description' in field ? field.description : ''} |`
  })
  return `| field | type | needed | |\n|---|---|---|---|\n${rows.join('\n')}`
}

function kind(schema: TSchema): string {
  const type = 'type' in schema ? String(schema.type) : 'object'
  const range = 'minimum' in schema && 'maximum' in schema ? ` ${schema.minimum} to ${schema.maximum}` : ''
  return `${type === 'object' ? 'group' : type}${range}`
}

const folder = fileURLToPath(new URL('.', import.meta.url))

/** The pages whose committed text is not what the code says now. */
export async function stale(): Promise<string[]> {
  const names = Object.keys(pages)
  const committed = await Promise.all(names.map(name => readFile(folder + name, 'utf8').catch(() => '')))
  return names.filter((name, index) => pages[name]!() !== committed[index])
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  for (const [name, page] of Object.entries(pages)) await writeFile(folder + name, page())
