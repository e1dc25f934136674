/** Of all memory: what is left is for this server, other programs and the cache of files. */
const share = 0.75
/** The built-in model takes a quarter of it. */
const leastBytes = 512 * 1024 * 1024

/** What local models may take together unless the settings say otherwise. @param memoryBytes of the machine or the container */
export const usualBudgetBytes = (memoryBytes: number): number => Math.max(leastBytes, Math.floor(memoryBytes * share))
