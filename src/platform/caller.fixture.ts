import { type Caller, type Scope, scopes } from './access.ts'

const every: ReadonlySet<Scope> = new Set(Object.keys(scopes) as Scope[])

/** Somebody who may do everything, for tests. */
export const testCaller = (more: Partial<Caller> = {}): Caller => ({
  kind: 'user',
  keyId: 'key_1',
  userId: 'user-1',
  organizationId: 'org-1',
  organizationName: 'test',
  projectId: 'proj_1',
  role: 'owner',
  projectRole: 'owner',
  granted: every,
  allowed: every,
  ownedProjects: new Set(),
  models: null,
  ...more,
})
