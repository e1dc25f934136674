import assert from 'node:assert/strict'
import { test } from 'node:test'
import Type from 'typebox'
import { operation } from '../platform/operation.ts'
import { openapi } from './openapi.ts'

const Body = Type.Object({
  name: Type.String(),
  list: Type.Optional(Type.Array(Type.Object({ id: Type.String() }))),
  maybe: Type.Optional(Type.Union([Type.Object({ id: Type.String() }), Type.Null()])),
  map: Type.Optional(Type.Unsafe<object>({ type: 'object', additionalProperties: { type: 'string' } })),
})
const declared = (strict?: true) =>
  operation({
    id: 'things.create',
    method: 'POST',
    path: '/v1/things',
    summary: 'Makes a thing.',
    body: Body,
    ...(strict !== undefined && { strict }),
    reply: Type.Object({}),
    scope: 'organization.write',
    bills: 'nothing',
    run: () => ({ kind: 'json', value: {} }),
  })

/** What a client would be generated from. */
function bodyOf(strict?: true): unknown {
  const document = JSON.parse(JSON.stringify(openapi([declared(strict)], '1')))
  return document.paths['/v1/things'].post.requestBody.content['application/json'].schema
}

test('a body in which nothing unknown may stand says so at every depth', () => {
  const id = { type: 'object', required: ['id'], properties: { id: { type: 'string' } }, additionalProperties: false }
  assert.deepEqual(bodyOf(true), {
    type: 'object',
    required: ['name'],
    properties: {
      name: { type: 'string' },
      list: { type: 'array', items: id },
      maybe: { anyOf: [id, { type: 'null' }] },
      map: { type: 'object', additionalProperties: { type: 'string' } },
    },
    additionalProperties: false,
  })
})

test('another body is described as it is', () => assert.deepEqual(bodyOf(), JSON.parse(JSON.stringify(Body))))

test('a form is described with its file, and content of another type as such', () => {
  const upload = operation({
    id: 'things.upload',
    method: 'POST',
    path: '/v1/things/upload',
    summary: 'Takes a thing.',
    body: Body,
    form: { file: 'thing', room: async () => 10 },
    reply: Type.String(),
    replyType: 'application/octet-stream',
    scope: 'organization.write',
    bills: 'nothing',
    run: () => ({ kind: 'json', value: {} }),
  })
  const { requestBody, responses } = JSON.parse(JSON.stringify(openapi([upload], '1'))).paths['/v1/things/upload'].post
  assert.deepEqual(Object.keys(requestBody.content), ['multipart/form-data'])
  const { properties, required } = requestBody.content['multipart/form-data'].schema
  assert.deepEqual(properties.thing, { type: 'string', contentMediaType: 'application/octet-stream' })
  assert.deepEqual(
    [Object.keys(properties), required],
    [
      ['thing', 'name', 'list', 'maybe', 'map'],
      ['thing', 'name'],
    ],
  )
  assert.deepEqual(responses[200].content, { 'application/octet-stream': { schema: { type: 'string' } } })
})
