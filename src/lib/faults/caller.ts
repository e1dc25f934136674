import { Fault } from './fault.ts'

/** Who is calling, and what they may do. */
export const callerFaults = {
  // 401, 403: the caller
  noKey: () =>
    new Fault({
      status: 401,
      message:
        "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY). `parlance keys create` makes a new one.",
    }),
  wrongKey: (masked: string) =>
    new Fault({
      status: 401,
      code: 'invalid_api_key',
      message: `Incorrect API key provided: ${masked}. \`parlance keys list\` shows the keys of this server, \`parlance keys create\` makes a new one.`,
    }),
  /** The header names an organisation or project that the key does not belong to. */
  wrongScope: (kind: 'organization' | 'project', name: string) =>
    new Fault({
      status: 401,
      code: `mismatched_${kind}`,
      message: `The key does not belong to the ${kind} '${name}'. Leave out the OpenAI-${kind === 'organization' ? 'Organization' : 'Project'} header, or send the one of the key.`,
    }),

  /** The key exists, but its scopes or the role of its owner do not reach so far. */
  missingScope: (scope: string) =>
    new Fault({
      status: 403,
      code: 'missing_scope',
      message: `You have insufficient permissions for this operation. Missing scopes: ${scope}. Check that you have the correct role in your organization (Reader, Owner) and project (Member, Owner), and if you're using a restricted API key, that it has the necessary scopes.`,
    }),
  /** The key was revoked, or has expired, while the request ran. */
  keyEnded: () =>
    new Fault({
      status: 401,
      code: 'invalid_api_key',
      message: 'The API key was revoked or has expired while the request was running.',
    }),
  /** The same words for an unknown address, a wrong password and an account that was disabled. */
  wrongPassword: () =>
    new Fault({ status: 401, code: 'invalid_credentials', message: 'The e-mail address or the password is wrong.' }),
  sessionOver: () =>
    new Fault({ status: 401, code: 'session_over', message: 'You are not signed in, or not any more. Sign in again.' }),
  signInNeeded: () =>
    new Fault({
      status: 403,
      code: 'sign_in_needed',
      message: 'This is for people who are signed in: an API key cannot stand for one.',
    }),
  noOrganization: () =>
    new Fault({
      status: 403,
      code: 'no_organization',
      message: 'Your account is in no organization. Ask an owner for an invite.',
    }),
  /** A page of another site must not act for whoever is signed in here. */
  foreignOrigin: (origin: string) =>
    new Fault({
      status: 403,
      code: 'origin_not_allowed',
      message: `Pages of '${origin}' may not sign in here or act for whoever is signed in. If that is where people reach this server, set \`public_url\`.`,
    }),
  /** A name that leads here, but is not ours: it may be somebody's trick on a browser (DNS rebinding). */
  foreignHost: (host: string) =>
    new Fault({
      status: 403,
      code: 'host_not_allowed',
      message: `Nobody signs in at '${host}'. If that is where people reach this server, set \`public_url\`.`,
    }),
  csrfHeaderMissing: () =>
    new Fault({
      status: 403,
      code: 'csrf_header_missing',
      message: "A request that changes something needs the header 'X-Parlance-CSRF' beside the cookie, with any value.",
    }),
  /** Somebody who proved who they are, and is nobody here. */
  identityRefused: (why: string) => new Fault({ status: 403, code: 'sign_in_refused', message: why }),
  /** Whoever forgot a price would give the model away; zero is a price. */
  modelNotPriced: (model: string) =>
    new Fault({
      status: 403,
      code: 'model_not_priced',
      message: `The model \`${model}\` has no price for this, and without one it cannot be called. Set \`price\` under \`models\` in parlance.yaml, or the setting \`prices: classic\`; zero is a price.`,
    }),
  /** Rights are never more than those of whoever gives them. */
  beyondMaker: (what: string) =>
    new Fault({
      status: 403,
      code: 'beyond_own_rights',
      message: `A key cannot give more than it has: ${what}.`,
    }),
  keyOfAnother: () =>
    new Fault({
      status: 403,
      code: 'key_of_another',
      message: 'This key also works outside the project: only the person whose key it is can have a new secret for it.',
    }),
  /** Whoever can write the database can do it as well; nobody else can. */
  commandOnly: () =>
    new Fault({
      status: 403,
      code: 'command_only',
      message: 'Only the command `parlance` on the machine of this server may do this.',
    }),
  /** Whoever could make credit could spend without a limit. */
  operatorOnly: () =>
    new Fault({
      status: 403,
      code: 'operator_only',
      message:
        'Only the operator of this server may do this: an owner of its first organization, or `parlance` on the machine itself.',
    }),
  modelKept: (model: string, why: string) =>
    new Fault({
      status: 403,
      code: 'model_not_deletable',
      message: `The model \`${model}\` cannot be deleted: ${why}.`,
    }),

  // 429: signing in
  /** Checking a password is costly on purpose, so only so many are checked at once. */
  signInBusy: () =>
    new Fault({
      status: 429,
      type: 'requests',
      code: 'sign_in_busy',
      message: 'Too many people are signing in at once. Please try again in 2s.',
      headers: { 'retry-after': '2' },
    }),
  /** The same words whether there is such an account or not. */
  signInLater: (retryAfterSeconds: number) =>
    new Fault({
      status: 429,
      type: 'requests',
      code: 'too_many_sign_ins',
      message: `Too many failed attempts to sign in. Please try again in ${retryAfterSeconds}s.`,
      headers: { 'retry-after': String(retryAfterSeconds) },
    }),
}
