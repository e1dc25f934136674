/**
 * Jinja, as the templates of chats use it. Reading is the package's, evaluating is ours: with the values of Python, as templates are
 * written for, and with a budget that is paid before anything large is made.
 */
import { Budget, type Limits, type Stopwatch } from './budget.ts'
import { Evaluator } from './evaluator.ts'
import { globalsFor } from './globals.ts'
import { Scope } from './scope.ts'
import { type Node, parseTemplate } from './syntax.ts'
import { fromPlain, type Value } from './values.ts'

export type { Limits, Stopwatch } from './budget.ts'
export { BudgetSpent, TemplateError } from './errors.ts'
export { Raised } from './globals.ts'

/** The time of the world, and how much of it is spent. */
export interface TemplateClock extends Stopwatch {
  date(): Date
}

export class Jinja {
  readonly #program: Node

  /** @throws TemplateError */
  constructor(source: string) {
    this.#program = parseTemplate(source)
  }

  /** @param variables plain objects, lists, texts, numbers and booleans @throws TemplateError, BudgetSpent, Raised */
  render(variables: Readonly<Record<string, unknown>>, limits: Limits, clock: TemplateClock): string {
    const budget = new Budget(limits, clock)
    const globals = new Scope(
      null,
      globalsFor(budget, () => clock.date()),
    )
    const given = new Map<string, Value>(Object.entries(variables).map(([name, value]) => [name, fromPlain(value)]))
    return new Evaluator(budget).render(this.#program, new Scope(globals, given))
  }
}
