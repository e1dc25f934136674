/** The program of llama.cpp's server for tests; without it they are skipped. How to build it: `bench/README.md`. */
export const llamaServer = process.env.LLAMA_SERVER_BIN

/** For `describe` and `it`: why they are left out, or that they are not. */
export const needsLlamaServer = { skip: llamaServer === undefined ? 'LLAMA_SERVER_BIN names no llama-server' : false }
