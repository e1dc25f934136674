import type { Value } from './values.ts'

/** The variables that can be seen from one place of a template. */
export class Scope {
  readonly #parent: Scope | null
  readonly #values: Map<string, Value>

  constructor(parent: Scope | null, values: Map<string, Value> = new Map()) {
    this.#parent = parent
    this.#values = values
  }

  get(name: string): Value {
    for (let scope: Scope | null = this; scope !== null; scope = scope.#parent)
      if (scope.#values.has(name)) return scope.#values.get(name)
    return undefined
  }

  set(name: string, value: Value): void {
    this.#values.set(name, value)
  }
}
