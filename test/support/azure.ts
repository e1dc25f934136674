/** Azure OpenAI with one deployment, and the authority that gives tokens for it, as they speak over the wire. */
import { randomUUID } from 'node:crypto'
import { chunk, event, jsonAnswer, lastChunk, streamHead } from '../hostile/scripts.ts'
import { type HostileUpstream, hostileUpstream, type Script } from '../hostile/upstream.ts'

export const azureDeployment = 'gpt 4o'
/** What really answers. */
export const azureModel = 'gpt-4o-2024-08-06'
export const azureKey = 'key-of-azure-7Hq2VtX9'
export const azureApplication = {
  tenant: '00000000-aaaa-bbbb-cccc-000000000000',
  id: 'the-application',
  secret: 'canary-of-the-app-5Wd',
}
/** A word that its filter does not let pass. */
export const forbiddenWord = 'forbidden'
export const filterFinding = {
  code: 'ResponsibleAIPolicyViolation',
  content_filter_result: { violence: { filtered: true, severity: 'high' } },
}

export interface FakeAzure {
  readonly resource: HostileUpstream
  readonly authority: HostileUpstream
  /** Tokens that were given out and still count. */
  readonly tokens: Set<string>
  close(): Promise<void>
}

export async function startAzure(): Promise<FakeAzure> {
  const tokens = new Set<string>()
  const [resource, authority] = await Promise.all([
    hostileUpstream(resourceOf(tokens)),
    hostileUpstream(giving(tokens)),
  ])
  return {
    ...{ resource, authority, tokens },
    async close() {
      await Promise.all([resource.close(), authority.close()])
    },
  }
}

const giving =
  (tokens: Set<string>): Script =>
  (wire, { path, body, ...request }) => {
    const { tenant, id, secret } = azureApplication
    const asked = Object.fromEntries(new URLSearchParams(body))
    const known = path === `/${tenant}/oauth2/v2.0/token` && asked.client_id === id && asked.client_secret === secret
    if (!known || asked.grant_type !== 'client_credentials' || asked.scope === undefined)
      return jsonAnswer(401, { error: 'invalid_client', error_description: 'AADSTS7000215: Invalid client secret.' })(
        wire,
        {
          ...{ path, body, ...request },
        },
      )
    const token = `eyJ.${randomUUID()}.sig`
    tokens.add(token)
    const value = { token_type: 'Bearer', expires_in: 3599, ext_expires_in: 3599, access_token: token }
    return jsonAnswer(200, value)(wire, { path, body, ...request })
  }

const safe = { hate: { filtered: false, severity: 'safe' } }
const envelope = { id: 'chatcmpl-azure', created: 1_700_000_001, model: azureModel, system_fingerprint: 'fp_azure' }
const usage = { prompt_tokens: 9, completion_tokens: 2, total_tokens: 11 }
const refused = (code: string, message: string) => ({ error: { code, message } })

const resourceOf =
  (tokens: ReadonlySet<string>): Script =>
  async (wire, request) => {
    const say = (status: number, value: unknown) => jsonAnswer(status, value)(wire, request)
    const { authorization, 'api-key': key } = request.headers
    if (key !== azureKey && !tokens.has(authorization?.replace('Bearer ', '') ?? ''))
      return say(401, refused('401', 'Access denied due to invalid subscription key or wrong API endpoint.'))
    // What could be deployed, not what is.
    if (request.method === 'GET' && /^\/openai\/(v1\/)?models(\?|$)/.test(request.path))
      return say(200, { object: 'list', data: [{ id: azureModel, object: 'model', created_at: 1_700_000_000 }] })
    const body = JSON.parse(request.body)
    const url = new URL(request.path, 'http://azure')
    const [, deployment] = /^\/openai\/deployments\/([^/]+)\/chat\/completions$/.exec(url.pathname) ?? []
    const isNew = url.pathname === '/openai/v1/chat/completions'
    if (!isNew && (deployment === undefined || !url.searchParams.has('api-version')))
      return say(404, refused('404', 'Resource not found'))
    if ((isNew ? body.model : decodeURIComponent(deployment ?? '')) !== azureDeployment)
      return say(404, refused('DeploymentNotFound', 'The API deployment for this resource does not exist.'))
    if (request.body.includes(forbiddenWord)) {
      const error = { param: 'prompt', code: 'content_filter', status: 400, innererror: filterFinding }
      return say(400, { error: { message: 'The response was filtered.', type: null, ...error } })
    }
    const prompt_filter_results = [{ prompt_index: 0, content_filter_results: safe }]
    if (body.stream !== true) {
      const message = { role: 'assistant', content: 'Hello there', refusal: null }
      const choice = { index: 0, message, logprobs: null, finish_reason: 'stop', content_filter_results: safe }
      return say(200, { ...envelope, object: 'chat.completion', choices: [choice], usage, prompt_filter_results })
    }
    const send = (value: object) => wire.send(chunk(event({ ...envelope, object: 'chat.completion.chunk', ...value })))
    const piece = (delta: object, finish_reason: string | null = null) =>
      send({ choices: [{ index: 0, delta, logprobs: null, finish_reason, content_filter_results: safe }] })
    await wire.send(streamHead)
    await send({ id: '', object: '', created: 0, model: '', choices: [], prompt_filter_results })
    await piece({ role: 'assistant', content: '' })
    await piece({ content: 'Hello' })
    await piece({ content: ' there' })
    await piece({}, 'stop')
    if (body.stream_options?.include_usage === true) await send({ choices: [], usage })
    await wire.send(chunk('data: [DONE]\n\n') + lastChunk)
  }
