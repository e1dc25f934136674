import type { Static, TSchema } from 'typebox'
import { fault } from '../../lib/faults.ts'
import { check, refuseUnknown } from '../../wire/check.ts'
import { ellipsis, parted } from './fields.ts'

/** Bytes of JSON of one entry. */
const settingsBytesMax = 65_536

/**
 * Settings that somebody sends to a running server, where nothing reads them from an environment or fills them in.
 * @throws Fault 400 for what does not fit, for a secret in the form that replies show, for `${NAME}`, and for what is too large
 */
export function checkSettings<Schema extends TSchema>(
  schema: Schema,
  value: object,
): asserts value is object & Static<Schema> {
  refuseUnknown(schema, value)
  check(schema, value)
  const size = Buffer.byteLength(JSON.stringify(value))
  if (size > settingsBytesMax)
    throw fault.badRequest(`The settings are ${size} bytes of JSON; at most ${settingsBytesMax} are kept.`)
  const { secrets } = parted(schema, value)
  for (const [path, secret] of secrets) {
    const texts = typeof secret === 'string' ? [secret] : Object.values(secret ?? {})
    const param = path
      .map(step => (typeof step === 'number' ? `[${step}]` : `.${step}`))
      .join('')
      .slice(1)
    if (texts.some(text => typeof text === 'string' && text.includes(ellipsis)))
      throw fault.invalidValue(
        param,
        `Invalid '${param}': this is the shortened form that is shown. Send the secret, or leave the field out to keep it.`,
      )
  }
  const variable = /\$\{[A-Za-z_]\w*\}/.exec(JSON.stringify(value))
  if (variable !== null)
    throw fault.badRequest(
      `The settings hold '${variable[0].slice(0, 100)}': the environment is read for parlance.yaml alone. Send the value.`,
    )
}
