import { fault } from '../lib/faults.ts'
import type { KeyKind, OrganizationRole, ProjectRole } from '../store/schema/accounts.ts'

/**
 * What a key may be allowed to do. A newcomer adds a line here and names it in an operation; keys, the command line and the
 * documentation follow.
 */
export const scopes = {
  'model.read': 'See which models there are.',
  'model.request': 'Ask models: chat, completions, embeddings …',
  'model.write': 'Load, unload and remove models.',
  'completion.read': 'Read stored chat completions.',
  'completion.write': 'Change and delete stored chat completions.',
  'api.files.read': 'See and read files.',
  'api.files.write': 'Upload and delete files.',
  'api.batch.read': 'See batches.',
  'api.batch.write': 'Make and cancel batches.',
  'usage.read': 'See what the organisation has spent and what it may spend, as the older tools ask for it.',
  'organization.read': 'See people, projects, keys, limits, usage and the audit log of the organisation.',
  'organization.write': 'Change them.',
} as const

export type Scope = keyof typeof scopes

/**
 * What an operation asks for: a scope of a key or sign-in; `anyone`: nothing, not even credentials; `person`: that somebody is signed
 * in, which no key stands for; `operator`: a command on the machine itself, which no key stands for either.
 */
export type Access = Scope | 'anyone' | 'person' | 'operator'

/** Scopes of the administration; a key of a project never has them. */
export const administrative: ReadonlySet<Scope> = new Set<Scope>(['organization.read', 'organization.write'])
/** What keys of every kind may have. */
const common: ReadonlySet<Scope> = new Set<Scope>(['usage.read'])

/** Who is calling: the key or sign-in, and the organisation and project that it acts in. */
export interface Caller {
  /** `session`: a person at the console. `operator`: whoever owns the machine, at its terminal. `nobody`: without credentials. */
  readonly kind: KeyKind | 'session' | 'operator' | 'nobody'
  /** `session` for whoever is signed in; `terminal` when the operator acts on this machine itself. */
  readonly keyId: string
  /** Which sign-in, as the table `sessions` knows it. */
  readonly sessionHash?: string
  readonly userId: string | null
  readonly organizationId: string
  /** The slug of the `openai-organization` header. */
  readonly organizationName: string
  /** Empty for admin keys, which work in no project, and for a sign-in of somebody who is in none. */
  readonly projectId: string
  readonly role: OrganizationRole
  /** In `projectId`. */
  readonly projectRole: ProjectRole
  /** What the key itself grants, whoever holds it. */
  readonly granted: ReadonlySet<Scope>
  /** What is left of that for what its holder is. */
  readonly allowed: ReadonlySet<Scope>
  /** Projects of which the holder is an owner without being one of the organisation. */
  readonly ownedProjects: ReadonlySet<string>
  /** Names of the models that may be asked; null: all of them. */
  readonly models: ReadonlySet<string> | null
}

/** What a key says about its scopes, as it is stored: `all`, `read` or a JSON list. Unknown names are left out: they give nothing. */
export function scopesOf(stored: string): ReadonlySet<Scope> {
  const every = Object.keys(scopes) as Scope[]
  if (stored === 'all') return new Set(every)
  if (stored === 'read') return new Set(every.filter(scope => scope.endsWith('.read')))
  const listed: unknown = JSON.parse(stored)
  return new Set(Array.isArray(listed) ? every.filter(scope => listed.includes(scope)) : [])
}

/** What remains of a key's scopes for what its holder is: rights are never more than those of the person behind the key. */
export function allowedScopes(
  granted: ReadonlySet<Scope>,
  { kind, role, projectId }: Pick<Caller, 'kind' | 'role' | 'projectId'>,
): ReadonlySet<Scope> {
  const allowed = new Set(granted)
  for (const scope of granted) {
    const isAdministrative = administrative.has(scope)
    const refused =
      projectId === '' // an admin key, or somebody who is in no project
        ? !isAdministrative && !common.has(scope)
        : isAdministrative && (kind === 'project' || kind === 'service_account')
    const beyondReader = role === 'reader' && (scope === 'organization.write' || scope === 'model.write')
    if (refused || beyondReader) allowed.delete(scope)
  }
  return allowed
}

/**
 * @param ownProject the project that the request is about, where its owners may do as much as those of the organisation
 * @throws Fault 403 `missing_scope`, `sign_in_needed`, `command_only`
 */
export function authorize(caller: Caller, access: Access, ownProject?: string): void {
  if (access === 'anyone') return
  if (access === 'person') {
    if (caller.kind !== 'session') throw fault.signInNeeded()
    return
  }
  if (access === 'operator') {
    if (caller.kind !== 'operator') throw fault.commandOnly()
    return
  }
  if (caller.allowed.has(access)) return
  const owns = ownProject !== undefined && caller.ownedProjects.has(ownProject)
  if (!owns || !caller.granted.has(access)) throw fault.missingScope(access)
}

const nothing: ReadonlySet<never> = new Set()

/** Who comes without credentials, to the operations that need none. */
export const nobody: Caller = {
  kind: 'nobody',
  keyId: '',
  userId: null,
  organizationId: '',
  organizationName: '',
  projectId: '',
  role: 'reader',
  projectRole: 'member',
  granted: nothing,
  allowed: nothing,
  ownedProjects: nothing,
  models: nothing,
}

/** Whether this caller may ask this model, by the name in the request or the name of what answers. */
export function mayAsk(caller: Caller, requested: string, target: string): boolean {
  return caller.models === null || caller.models.has(requested) || caller.models.has(target)
}
