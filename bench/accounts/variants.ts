/** What the server of the benchmark is started as; the first is what the others are compared with. */
export const variants = ['without', 'as installed', 'with limits'] as const
export type Variant = (typeof variants)[number]
