import type { Kind, KindName } from './kind.ts'

const chat = '/chat/completions'
const completions = '/completions'

/** The limit that every server knows: the name that it has had from the start. */
const olderLimit = { max_completion_tokens: 'max_tokens' }

/**
 * The kinds of upstreams, one row each. To add one: its name in `kind.ts`, a row here, a line in the test's table. A row says what is
 * different from OpenAI's own server, as far as that is documented, and where; what nobody has written down stays out.
 */
export const table: Readonly<Record<KindName, Omit<Kind, 'name'>>> = {
  'openai-compatible': {},

  openai: { baseUrl: 'https://api.openai.com/v1', hosts: ['api.openai.com'] },

  // learn.microsoft.com/azure/ai-foundry/openai/reference (deployments, api-key) and /api-version-lifecycle (/openai/v1).
  azure: {
    hosts: ['openai.azure.com', 'cognitiveservices.azure.com', 'services.ai.azure.com'],
    key: 'api-key',
    deployments: true,
  },

  // docs.vllm.ai/en/stable/serving/openai_compatible_server: it ignores `user` alone, which says nothing about the reply.
  vllm: {},

  // Its words for a prompt that is too long: QwenLM/Qwen3 #1321.
  sglang: { tooLong: /longer than the model's context length/i },

  // How it words a context that is too short is known everywhere: `exceed_context_size_error` (ggml-org/llama.cpp, server).
  'llama.cpp': {},

  ollama: {
    baseUrl: 'http://127.0.0.1:11434/v1',
    // docs.ollama.com/api/openai-compatibility lists what is read; openai/openai.go drops every other field (ollama #3795, #2415).
    renames: olderLimit,
    oneChoice: true,
    ignores: {
      [chat]: [
        ...['logit_bias', 'parallel_tool_calls', 'functions', 'function_call', 'modalities', 'audio', 'prediction'],
        ...['verbosity', 'web_search_options', 'service_tier'],
      ],
      [completions]: ['best_of', 'echo', 'logit_bias'],
    },
  },

  // lmstudio.ai/docs/developer/openai-compat/chat-completions lists what is read: one limit, and no `n`.
  'lm-studio': { baseUrl: 'http://127.0.0.1:1234/v1', renames: olderLimit, oneChoice: true },

  tgi: {
    // huggingface/text-generation-inference, router/src/lib.rs: `n` and `logit_bias` are marked UNUSED (its #2869).
    renames: olderLimit,
    oneChoice: true,
    ignores: { [chat]: ['logit_bias'], [completions]: ['logit_bias'] },
    // huggingface.co/docs/text-generation-inference/reference/api_reference has no embeddings.
    abilities: ['chat', 'complete'],
    // With the status 422: huggingface/chat-ui #340.
    tooLong: /`max_new_tokens` must be <= \d+/,
  },

  deepseek: {
    baseUrl: 'https://api.deepseek.com/v1',
    hosts: ['api.deepseek.com'],
    // api-docs.deepseek.com/api/create-chat-completion; `n` above 1 is answered with 400 (deepseek-ai/DeepSeek-V2 #55).
    renames: olderLimit,
    oneChoice: true,
    // The same pages have no embeddings. Completions are there under https://api.deepseek.com/beta.
    abilities: ['chat', 'complete'],
    // api-docs.deepseek.com/guides/reasoning_model: “will not trigger an error but will also have no effect”.
    ignores: {
      [chat]: ['temperature', 'top_p', 'presence_penalty', 'frequency_penalty'].map(name => ({
        name,
        when: (_, target) => target === 'deepseek-reasoner',
      })),
    },
  },

  groq: {
    baseUrl: 'https://api.groq.com/openai/v1',
    hosts: ['api.groq.com'],
    // console.groq.com/docs/openai: `n` must be 1; what else it does not take it refuses itself.
    oneChoice: true,
    // docs.getbifrost.ai/providers/supported-providers/groq: neither embeddings nor completions.
    abilities: ['chat'],
  },

  mistral: {
    baseUrl: 'https://api.mistral.ai/v1',
    hosts: ['api.mistral.ai'],
    // docs.mistral.ai/api: `max_tokens` and `random_seed`. It refuses every field it does not know (mistralai/platform-docs-public #7).
    renames: { ...olderLimit, seed: 'random_seed' },
    // `stream_options` among them; the usage comes unasked (TabbyML/tabby #4082, openai/openai-agents-python #442).
    usageUnasked: true,
    abilities: ['chat', 'embed'],
  },

  openrouter: {
    baseUrl: 'https://openrouter.ai/api/v1',
    hosts: ['openrouter.ai'],
    // openrouter.ai/docs/features/provider-routing: providers that lack a parameter ignore it, unless this is asked for.
    adds: { provider: { require_parameters: true } },
    // openrouter.ai/docs/client-sdks/typescript/models/parameter lists what it knows: no `n`.
    oneChoice: true,
  },

  // docs.together.ai/docs/openai-api-compatibility.
  together: { baseUrl: 'https://api.together.xyz/v1', hosts: ['api.together.xyz'] },

  fireworks: {
    baseUrl: 'https://api.fireworks.ai/inference/v1',
    hosts: ['api.fireworks.ai'],
    // docs.fireworks.ai/tools-sdks/migrate-to-fireworks: a prompt that leaves too little room lowers `max_tokens` in silence.
    adds: { context_length_exceeded_behavior: 'error' },
  },

  // docs.x.ai: what reasoning models do not take they refuse.
  xai: { baseUrl: 'https://api.x.ai/v1', hosts: ['api.x.ai'] },

  gemini: {
    // ai.google.dev/api/compatibility: chat and embeddings. It refuses every field it does not know (n4ze3m/page-assist #418).
    baseUrl: 'https://generativelanguage.googleapis.com/v1beta/openai',
    hosts: ['generativelanguage.googleapis.com'],
    abilities: ['chat', 'embed'],
    inputsMax: 100, // StarTrail-org/LEANN #214
    // google-gemini/gemini-cli #4692.
    tooLong: /input token count .{0,40}exceeds the maximum number of tokens/i,
  },

  anthropic: {
    baseUrl: 'https://api.anthropic.com/v1',
    hosts: ['api.anthropic.com'],
    // docs.anthropic.com/en/api/openai-sdk: a table of all fields, with “Ignored” and “Must be exactly 1”.
    oneChoice: true,
    ignores: {
      [chat]: [
        ...[
          'logprobs',
          'top_logprobs',
          'logit_bias',
          'presence_penalty',
          'frequency_penalty',
          'seed',
          'response_format',
        ],
        ...['prediction', 'service_tier', 'audio', 'modalities', 'reasoning_effort'],
        { name: 'temperature', when: value => typeof value === 'number' && value > 1 }, // “capped at 1”
      ],
    },
    abilities: ['chat'],
    // docker/docker-agent #569; None9527/NGOClaw, overflow_detect.go.
    tooLong: /exceed context limit|prompt is too long/i,
  },
}
