/** The body of every error. All four keys are always there. */
import { type Static, Type } from 'typebox'
import { nullable } from './common.ts'

export const ErrorBody = Type.Object({
  error: Type.Object({
    message: Type.String({ description: 'What went wrong, for people.' }),
    type: Type.String({ description: 'The family of the error, e.g. `invalid_request_error`.' }),
    param: nullable(Type.String(), 'The parameter at fault, e.g. `messages[0].content`.'),
    code: nullable(Type.String(), 'The error, for programs, e.g. `model_not_found`.'),
  }),
})
export type ErrorBody = Static<typeof ErrorBody>
