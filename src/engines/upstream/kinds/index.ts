/** The kinds of upstreams: what is different about each, where it is asked, and how its requests are made. */
export { severalChoices } from './choices.ts'
export { EntraCredential, type EntraOptions, type EntraSettings, NoToken } from './entra.ts'
export { type Kind, type KindName, kindNames } from './kind.ts'
export { kindOf, kinds, type Place, type PlaceSettings, placeOf, placeProblem } from './place.ts'
export { type Prepare, preparation } from './request.ts'
