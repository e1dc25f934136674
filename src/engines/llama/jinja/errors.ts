/** The template is wrong, or was given what it cannot work with. */
export class TemplateError extends Error {}

/** The template asks for more than its budget. */
export class BudgetSpent extends Error {
  /** Of what, e.g. `steps`. */
  readonly what: string

  constructor(what: string) {
    super(`budget of ${what}`)
    this.what = what
  }
}
