import { comeBack, sendOut } from '../../platform/oidc/coming-back.ts'
import { operation } from '../../platform/operation.ts'
import { Redirect, SignInWays } from '../../wire/sessions.ts'
import { cookie, unkept } from './shown.ts'

export const startOidc = operation({
  id: 'parlance.oidc.start',
  method: 'GET',
  path: '/v1/parlance/oidc/start',
  summary: 'Leads a browser to the provider of identities of the settings.',
  reply: Redirect,
  redirects: true,
  scope: 'anyone',
  bills: 'nothing',
  async run(_input, context) {
    const { location, cookie } = await sendOut(context)
    return redirect(location, cookie)
  },
})

export const retrieveSignIn = operation({
  id: 'parlance.sign_in.retrieve',
  method: 'GET',
  path: '/v1/parlance/sign-in',
  summary: 'Tells which ways there are to sign in.',
  reply: SignInWays,
  scope: 'anyone',
  bills: 'nothing',
  run(_input, { signIn }) {
    const ways: SignInWays['ways'] = signIn.oidc === undefined ? ['password'] : ['password', 'oidc']
    return { kind: 'json', value: { object: 'parlance.sign_in', ways } satisfies SignInWays }
  },
})

/** Its parameters are read as they come: providers add some of their own. */
export const finishOidc = operation({
  id: 'parlance.oidc.callback',
  method: 'GET',
  path: '/v1/parlance/oidc/callback',
  summary: 'Where the provider of identities leads the browser back to: signs in, and leads on to the start page.',
  reply: Redirect,
  redirects: true,
  scope: 'anyone',
  bills: 'nothing',
  async run(_input, context) {
    const { secret, cookie: ended } = await comeBack(context)
    return redirect('/', [...cookie(context, secret), ...ended])
  },
})

const redirect = (location: string, cookies: readonly string[]) => ({
  kind: 'json' as const,
  status: 302,
  headers: ['location', location, ...unkept, ...cookies],
  value: { object: 'parlance.redirect', location } satisfies Redirect,
})
