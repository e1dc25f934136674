import type { Limits } from './types.ts'

/** Nobody is held back. */
export const noLimits: Limits = { admit: () => undefined, changed: () => Promise.resolve(), close: () => {} }
