import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { operations } from '../../operations/index.ts'
import { azurePaths, azureUrl, isAzure } from './paths.ts'

const pathsOf = (method: string, path: string) =>
  azurePaths(
    operations.find(one => one.method === method && one.path === path) ?? assert.fail(`${method} ${path} is there`),
  )

describe('Azure’s paths follow from the operations', () => {
  test('what asks a model is found under a deployment as well', () => {
    for (const rest of ['chat/completions', 'completions', 'embeddings', 'edits'])
      assert.deepEqual(pathsOf('POST', `/v1/${rest}`), [
        `/openai/${rest}`,
        `/openai/v1/${rest}`,
        `/openai/deployments/{deployment}/${rest}`,
      ])
  })

  test('what has a state is found without', () => {
    assert.deepEqual(pathsOf('GET', '/v1/models'), ['/openai/models', '/openai/v1/models'])
    assert.deepEqual(pathsOf('GET', '/v1/chat/completions'), [
      '/openai/chat/completions',
      '/openai/v1/chat/completions',
    ])
    assert.deepEqual(pathsOf('DELETE', '/v1/models/{model}'), ['/openai/models/{model}', '/openai/v1/models/{model}'])
  })

  test('signing in, the administration, the commands of this machine and what is older than Azure are not there', () => {
    const away = /^\/v1\/(?:organization|parlance|engines|dashboard|usage)(?:\/|$)/
    const expected = operations.filter(({ path }) => away.test(path))
    assert.ok(expected.length > 20)
    assert.deepEqual(
      operations.filter(one => azurePaths(one).length === 0).map(({ id }) => id),
      expected.map(({ id }) => id),
    )
  })
})

describe('a URL loses what makes no difference', () => {
  for (const [given, left] of [
    ['/openai/models?api-version=2024-02-01', '/openai/models'],
    ['/openai/models?API-Version=x&limit=2&api-version', '/openai/models?limit=2'],
    ['/openai/models?limit=2', '/openai/models?limit=2'],
    ['/v1/openai/deployments/m/completions?api-version=1', '/openai/deployments/m/completions'],
    ['//openai/deployments/m/completions', '/openai/deployments/m/completions'],
    ['/openai/deployments/a/openai/deployments/b/completions', '/openai/deployments/b/completions'],
  ] as const)
    test(given, () => {
      assert.equal(azureUrl(given), left)
      assert.ok(isAzure(azureUrl(given)))
    })

  for (const other of [
    '/v1/models?api-version=2024-02-01',
    '/v1/models?after=/openai/deployments/m/completions',
    '/v1/models/openai/gpt-4',
    '/v1/openai/models?api-version=1',
    '/openapi.json',
    '/openai',
    '*',
  ])
    test(`${other} stays as it is`, () => {
      assert.equal(azureUrl(other), other)
      assert.ok(!isAzure(other))
    })
})
