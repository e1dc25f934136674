import { fault } from '../../lib/faults.ts'
import type { KeyKind } from '../../store/schema/accounts.ts'
import { administrative, allowedScopes, type Caller, type Scope, scopes, scopesOf } from '../access.ts'
import type { KeyRow } from '../key-rows.ts'
import type { Acting } from './acting.ts'

/** What a new key is asked to be. Left out: as much as its maker has. */
export interface Wanted {
  /** `all`, `read`, or names of scopes. */
  scopes?: 'all' | 'read' | readonly string[]
  /** Null: all of them. */
  models?: readonly string[] | null
}

/** What may be given away with a key: never more than the key or sign-in of its maker grants. */
export type Grant = Pick<KeyRow, 'scopes' | 'models'>

/**
 * For a key that works in a project, and so never has the scopes of the administration.
 * @throws Fault 400 for a name that is no scope of a project; 403 for more than the maker has
 */
export const grantForProject = (caller: Caller, wanted: Wanted): Grant => grantFor(caller, 'project', wanted)

/**
 * For a key of any kind.
 * @throws Fault 400 for a name that is no scope of such a key; 403 for more than the maker has
 */
export function grantFor(caller: Caller, kind: KeyKind, { scopes, models }: Wanted): Grant {
  return { scopes: scopesFor(caller, kind, scopes), models: modelsFor(caller, models) }
}

/** For an admin key: the scopes of its maker. */
export const grantForAdmin = (caller: Caller): Grant => ({ scopes: inherited(caller), models: modelsFor(caller) })

/** @throws Fault 403 when a key may do more than this caller's, who therefore must not come to know a secret of it */
export function checkWithin(caller: Caller, { kind, scopes, models }: Grant & { kind: KeyKind }): void {
  const works = (scope: Scope) => kind === 'user' || kind === 'admin' || !administrative.has(scope)
  for (const scope of scopesOf(typeof scopes === 'string' ? scopes : JSON.stringify(scopes)))
    if (works(scope) && !caller.granted.has(scope)) throw fault.missingScope(scope)
  modelsFor(caller, models)
}

/** @returns who makes a key for themselves. @throws Fault 403 for a caller behind whom is nobody */
export function personOf({ caller }: Pick<Acting, 'caller'>): string {
  if (caller.userId === null) throw fault.missingScope('organization.write')
  return caller.userId
}

function scopesFor(caller: Caller, kind: KeyKind, asked: Wanted['scopes']): KeyRow['scopes'] {
  if (asked === undefined) return inherited(caller)
  if (asked === 'all' || asked === 'read') {
    checkWithin(caller, { kind, scopes: asked, models: [] })
    return asked
  }
  const place = kind === 'admin' ? '' : 'project'
  const known = [...allowedScopes(scopesOf('all'), { kind, role: 'owner', projectId: place })]
  const names = asked.map((name, place) => {
    const scope = known.find(one => one === name)
    if (scope === undefined)
      throw fault.invalidValue(
        `scopes[${place}]`,
        `Invalid value: '${name}'. Supported values are: ${known.map(one => `'${one}'`).join(', ')}.`,
      )
    return scope
  })
  checkWithin(caller, { kind, scopes: names, models: [] })
  return [...new Set(names)]
}

function modelsFor(caller: Caller, asked?: readonly string[] | null): readonly string[] | null {
  const own = caller.models
  if (own === null) return asked === undefined || asked === null ? null : [...new Set(asked)]
  if (asked === undefined) return [...own]
  if (asked === null || asked.some(model => !own.has(model))) throw fault.beyondMaker('models')
  return [...new Set(asked)]
}

function inherited(caller: Caller): KeyRow['scopes'] {
  const every = Object.keys(scopes) as Scope[]
  return every.every(scope => caller.granted.has(scope)) ? 'all' : [...caller.granted]
}
