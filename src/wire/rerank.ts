/** `POST /v1/rerank`: not OpenAI's, but common; in the form that Jina, Cohere, llama.cpp and vLLM share. */
import { type Static, Type } from 'typebox'
import { EndUser, ModelName, nullable, text, textLengthMax } from './common.ts'

const documentsMax = 2048
const DocumentText = Type.String({ minLength: 1, maxLength: textLengthMax })

export const RerankRequest = Type.Object({
  model: ModelName,
  query: Type.String({ minLength: 1, maxLength: textLengthMax, description: 'What is looked for.' }),
  documents: Type.Array(Type.Union([DocumentText, Type.Object({ text: DocumentText })]), {
    minItems: 1,
    maxItems: documentsMax,
    description: 'Texts, or objects with a `text`.',
  }),
  top_n: Type.Optional(
    nullable(Type.Integer({ minimum: 1 }), 'How many of the most relevant documents are told of. Default: all.'),
  ),
  return_documents: Type.Optional(nullable(Type.Boolean(), 'Send the texts back too. Default: false.')),
  user: Type.Optional(EndUser),
})
export type RerankRequest = Static<typeof RerankRequest>

export const Reranking = Type.Object({
  object: Type.Literal('list'),
  model: Type.String(),
  results: Type.Array(
    Type.Object({
      index: Type.Integer({ minimum: 0, description: 'Which of the documents this is.' }),
      relevance_score: Type.Number({ minimum: 0, maximum: 1, description: 'How well it answers the query.' }),
      document: Type.Optional(Type.Object({ text: text() })),
    }),
    { description: 'The most relevant first.' },
  ),
  usage: Type.Object({ prompt_tokens: Type.Integer({ minimum: 0 }), total_tokens: Type.Integer({ minimum: 0 }) }),
})
export type Reranking = Static<typeof Reranking>
