import { bad, Fault } from './fault.ts'

/** Changes that cannot be made as things stand. */
export const administrationFaults = {
  // 400: the administration, as things stand
  lastOwner: () =>
    bad('An organization needs at least one owner. Make somebody else an owner first.', null, 'last_owner'),
  alreadyMember: (param: string, of: 'organization' | 'project') =>
    bad(`Invalid '${param}': this user is already a member of the ${of}.`, param, 'already_member'),
  alreadyInvited: (id: string) =>
    bad(
      `Invalid 'email': the invite '${id}' for this address is pending. Delete it first.`,
      'email',
      'already_invited',
    ),
  inviteAccepted: () =>
    bad('The invite was accepted and cannot be deleted any more. Remove the user instead.', null, 'invite_accepted'),
  inviteInvalid: () =>
    bad('The invite is not valid: it was accepted or deleted, or has expired.', 'token', 'invalid_invite'),
  accountExists: () =>
    bad('There is an account with this e-mail address. Sign in with it to accept the invite.', null, 'account_exists'),
  inviteOfAnother: () =>
    bad('The invite is for another e-mail address than that of your account.', null, 'invite_of_another'),
  notInProject: (email: string, projectId: string) =>
    bad(
      `${email} is not in the project '${projectId}': a key of theirs would not work there.`,
      'email',
      'not_in_project',
    ),
  projectArchived: (id: string) => bad(`The project '${id}' is archived.`, null, 'project_archived'),
  defaultProject: () => bad('The default project of an organization cannot be archived.', null, 'default_project'),
  keyExpired: () => bad('The key has expired and cannot be rotated. Create a new one.', null, 'key_expired'),
  setupInvalid: () =>
    bad(
      'The set-up token is not valid: it was used, is older than 15 minutes, or an owner can sign in already. A start of the server prints a new one where none can.',
      'token',
      'invalid_setup_token',
    ),
  passwordElsewhere: () => bad('This account signs in elsewhere and has no password here.', 'password', 'no_password'),
  /** What the provider of identities or the browser brought back is not what was sent out. */
  oidcFailed: (why: string, cause?: unknown) =>
    bad(`Signing in did not work: ${why}. Start again.`, null, 'oidc_failed', cause),
  /** One wording, so that nobody learns whether a code exists. */
  codeInvalid: () =>
    bad('The code is not valid: it does not exist, was redeemed, or has expired.', 'code', 'invalid_code'),
  nameTaken: (param: string, name: string) =>
    bad(`Invalid '${param}': the name '${name}' is taken.`, param, 'name_taken'),

  // 409: upstreams and routes, as things stand
  nameInUse: (param: string, name: string, why: string) =>
    conflict(`Invalid '${param}': the name '${name}' is taken: ${why}.`, 'name_in_use', param),
  /** What the file says is changed in the file. */
  setByFile: (kind: 'upstream' | 'route', name: string) =>
    conflict(
      `The ${kind} '${name}' is set under \`${kind === 'upstream' ? 'upstreams' : 'models'}\` in parlance.yaml. Change it there, and start the server anew.`,
      'set_by_file',
    ),
  upstreamInUse: (name: string, models: readonly string[]) =>
    conflict(
      `The upstream '${name}' is used by the routes ${listed(models)}. Change or delete them first.`,
      'upstream_in_use',
    ),
  aliasLeadsThere: (model: string, alias: string) =>
    conflict(
      `The route '${model}' cannot be deleted: the alias \`${alias}\` of parlance.yaml leads to it.`,
      'route_in_use',
    ),
  changedMeanwhile: (kind: string, name: string) =>
    conflict(`The ${kind} '${name}' was changed by somebody else at the same time. Try again.`, 'changed_meanwhile'),
  secretsLost: (kind: string, name: string, why: string) =>
    conflict(
      `The ${kind} '${name}' cannot be changed: ${why}. A change that names all of its secrets is accepted.`,
      'secrets_unreadable',
    ),
}

const conflict = (message: string, code: string, param: string | null = null) =>
  new Fault({ status: 409, message, code, param, headers: { 'x-should-retry': 'false' } })

const listedMax = 10

function listed(names: readonly string[]): string {
  const more = names.length - listedMax
  const shown = names.slice(0, listedMax).map(name => `'${name}'`)
  return shown.join(', ') + (more > 0 ? ` and ${more} more` : '')
}
