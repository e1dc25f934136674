/** Jinja's tests: `value is name`. */
import type { Budget } from './budget.ts'
import { TemplateError } from './errors.ts'
import { Callable, compare, contains, equal, isDict, isFloat, isNumber, plainNumber, type Value } from './values.ts'

type Test = (value: Value, given: readonly Value[], budget: Budget) => boolean

/** @throws TemplateError for a test that nobody knows */
export function tested(name: string, value: Value, given: readonly Value[], budget: Budget): boolean {
  const test = tests.get(name)
  if (test === undefined) throw new TemplateError(`there is no test '${name.slice(0, 64)}'`)
  return test(value, given, budget)
}

const whole = (value: Value) => {
  if (!isNumber(value)) throw new TemplateError('only a number is odd or even')
  return plainNumber(value)
}
const same: Test = (value, [other], budget) => equal(value, other, budget)
const different: Test = (value, [other], budget) => !equal(value, other, budget)
const less: Test = (value, [other], budget) => compare(value, other, budget) < 0
const more: Test = (value, [other], budget) => compare(value, other, budget) > 0

const tests: ReadonlyMap<string, Test> = new Map<string, Test>([
  ['defined', value => value !== undefined],
  ['undefined', value => value === undefined],
  ['none', value => value === null],
  ['true', value => value === true],
  ['false', value => value === false],
  ['boolean', value => typeof value === 'boolean'],
  ['string', value => typeof value === 'string'],
  ['number', isNumber],
  ['integer', value => typeof value === 'number' && Number.isInteger(value)],
  ['float', isFloat],
  ['mapping', isDict],
  ['sequence', value => typeof value === 'string' || Array.isArray(value) || isDict(value)],
  ['iterable', value => typeof value === 'string' || Array.isArray(value) || isDict(value) || value === undefined],
  ['callable', value => value instanceof Callable],
  ['odd', value => Math.abs(whole(value) % 2) === 1],
  ['even', value => whole(value) % 2 === 0],
  ['divisibleby', (value, [by]) => whole(value) % whole(by) === 0],
  ['lower', value => typeof value === 'string' && value !== value.toUpperCase() && value === value.toLowerCase()],
  ['upper', value => typeof value === 'string' && value !== value.toLowerCase() && value === value.toUpperCase()],
  ['in', (value, [container], budget) => contains(container, value, budget)],
  ['sameas', (value, [other]) => value === other],
  ['eq', same],
  ['==', same],
  ['equalto', same],
  ['ne', different],
  ['!=', different],
  ['lt', less],
  ['<', less],
  ['lessthan', less],
  ['gt', more],
  ['>', more],
  ['greaterthan', more],
  ['le', (...all) => !more(...all)],
  ['<=', (...all) => !more(...all)],
  ['ge', (...all) => !less(...all)],
  ['>=', (...all) => !less(...all)],
])
