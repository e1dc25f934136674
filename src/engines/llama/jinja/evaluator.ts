import type { Budget } from './budget.ts'
import { TemplateError } from './errors.ts'
import { filtered } from './filters.ts'
import { attribute, item } from './methods.ts'
import { operated, signed, sliced } from './operators.ts'
import { Scope } from './scope.ts'
import type { Body, CallBlockNode, CallNode, FilterName, ForNode, MemberNode, Node, ParameterNode } from './syntax.ts'
import { tested } from './tests.ts'
import {
  type Arguments,
  Callable,
  float,
  isDict,
  isKey,
  itemsOf,
  type Key,
  Loop,
  Namespace,
  textKey,
  truth,
  typeName,
  type Value,
} from './values.ts'
import { textOf } from './writing.ts'

/** How a body ended: at its end, or at `break` or `continue`. */
type Flow = 'end' | 'Break' | 'Continue'

/** Runs a template over its variables. */
export class Evaluator {
  readonly #budget: Budget

  constructor(budget: Budget) {
    this.#budget = budget
  }

  /** @throws TemplateError, BudgetSpent, Raised */
  render(program: Node, scope: Scope): string {
    return this.#text(program.type === 'Program' ? program.body : [program], scope)
  }

  #text(body: Body, scope: Scope): string {
    const out: string[] = []
    this.#body(body, scope, out)
    return out.join('')
  }

  #body(body: Body, scope: Scope, out: string[]): Flow {
    for (const node of body) {
      const flow = this.#statement(node, scope, out)
      if (flow !== 'end') return flow
    }
    return 'end'
  }

  #statement(node: Node, scope: Scope, out: string[]): Flow {
    this.#budget.step()
    switch (node.type) {
      case 'Break':
      case 'Continue':
        return node.type
      case 'Comment':
        return 'end'
      case 'If': {
        this.#budget.enter()
        const flow = this.#body(truth(this.#value(node.test, scope)) ? node.body : node.alternate, scope, out)
        this.#budget.leave()
        return flow
      }
      case 'For':
        this.#budget.nested(() => this.#loop(node, scope, out))
        return 'end'
      case 'Set':
        this.#assign(node.assignee, node.value ? this.#value(node.value, scope) : this.#text(node.body, scope), scope)
        return 'end'
      case 'Macro':
        scope.set(node.name.value, this.#macro(node.args, node.body, scope))
        return 'end'
      case 'CallStatement':
        this.#print(this.#callBlock(node, scope), out)
        return 'end'
      case 'FilterStatement':
        this.#print(this.#filter(this.#text(node.body, scope), node.filter, scope), out)
        return 'end'
      case 'StringLiteral':
        // The text between the tags is that of the template, not made here.
        out.push(node.value)
        return 'end'
      default:
        this.#print(this.#value(node, scope), out)
        return 'end'
    }
  }

  #print(value: Value, out: string[]): void {
    const text = textOf(value, this.#budget)
    this.#budget.text(text.length)
    out.push(text)
  }

  #loop(node: ForNode, scope: Scope, out: string[]): void {
    const { iterable } = node
    const [source, condition] = iterable.type === 'SelectExpression' ? [iterable.lhs, iterable.test] : [iterable, null]
    let items = itemsOf(this.#value(source, scope), this.#budget)
    const inside = (one: Value) => {
      const inner = new Scope(scope)
      this.#assign(node.loopvar, one, inner)
      return inner
    }
    if (condition !== null) items = items.filter(one => truth(this.#value(condition, inside(one))))
    if (items.length === 0) this.#body(node.defaultBlock, scope, out)
    // A list that grows meanwhile is gone through as it was.
    const { length } = items
    for (let at = 0; at < length; at++) {
      this.#budget.step()
      const inner = inside(items[at])
      inner.set('loop', new Loop(items, at))
      if (this.#body(node.body, inner, out) === 'Break') break
    }
  }

  #assign(target: Node, value: Value, scope: Scope): void {
    if (target.type === 'Identifier') scope.set(target.value, value)
    else if (target.type === 'TupleLiteral') {
      const parts = itemsOf(value, this.#budget)
      if (parts.length !== target.value.length)
        throw new TemplateError(`${parts.length} values do not go into ${target.value.length} names`)
      for (const [i, part] of target.value.entries()) this.#assign(part, parts[i], scope)
    } else if (target.type === 'MemberExpression' && target.property.type === 'Identifier' && !target.computed) {
      const object = this.#value(target.object, scope)
      if (!(object instanceof Namespace)) throw new TemplateError('attributes are set on a namespace alone')
      object.fields.set(target.property.value, value)
    } else throw new TemplateError('nothing can be set there')
  }

  #macro(parameters: readonly ParameterNode[], body: Body, outside: Scope): Callable {
    return new Callable(given => {
      const scope = new Scope(outside)
      this.#budget.enter()
      this.#parameters(parameters, given, scope)
      const text = this.#text(body, scope)
      this.#budget.leave()
      return text
    })
  }

  #parameters(parameters: readonly ParameterNode[], { list, named }: Arguments, scope: Scope): void {
    const rest = new Map<Key, Value>(named)
    scope.set('varargs', list.slice(parameters.length))
    for (const [i, parameter] of parameters.entries()) {
      const name = parameter.type === 'Identifier' ? parameter.value : parameter.key.value
      const value = i < list.length ? list[i] : named.get(name)
      const absent = i >= list.length && !named.has(name)
      rest.delete(name)
      scope.set(name, absent && parameter.type !== 'Identifier' ? this.#value(parameter.value, scope) : value)
    }
    if (rest.has('caller')) scope.set('caller', rest.get('caller'))
    rest.delete('caller')
    scope.set('kwargs', rest)
  }

  #callBlock(node: CallBlockNode, scope: Scope): Value {
    const caller = this.#macro(node.callerArgs ?? [], node.body, scope)
    const { list, named } = this.#arguments(node.call.args, scope)
    return this.#called(node.call.callee, { list, named: new Map([...named, ['caller', caller]]) }, scope)
  }

  #value(node: Node, scope: Scope): Value {
    this.#budget.step()
    this.#budget.enter()
    const value = this.#evaluated(node, scope)
    this.#budget.leave()
    return value
  }

  #evaluated(node: Node, scope: Scope): Value {
    switch (node.type) {
      case 'StringLiteral':
      case 'IntegerLiteral':
        return node.value
      case 'FloatLiteral':
        return float(node.value)
      case 'ArrayLiteral':
      case 'TupleLiteral':
        this.#budget.items(node.value.length)
        return node.value.map(one => this.#value(one, scope))
      case 'ObjectLiteral':
        return this.#dict(node.value, scope)
      case 'Identifier':
        return scope.get(node.value)
      case 'MemberExpression':
        return this.#member(node, scope)
      case 'CallExpression':
        return this.#called(node.callee, this.#arguments(node.args, scope), scope)
      case 'FilterExpression':
        return this.#filter(this.#value(node.operand, scope), node.filter, scope)
      case 'TestExpression':
        return tested(node.test.value, this.#value(node.operand, scope), [], this.#budget) !== node.negate
      case 'SelectExpression':
        return truth(this.#value(node.test, scope)) ? this.#value(node.lhs, scope) : undefined
      case 'Ternary':
        return this.#value(truth(this.#value(node.condition, scope)) ? node.trueExpr : node.falseExpr, scope)
      case 'UnaryExpression': {
        const value = this.#value(node.argument, scope)
        return node.operator.value === 'not' ? !truth(value) : signed(node.operator.value, value)
      }
      case 'BinaryExpression': {
        const left = this.#value(node.left, scope)
        const { value: operator } = node.operator
        if (operator === 'and') return truth(left) ? this.#value(node.right, scope) : left
        if (operator === 'or') return truth(left) ? left : this.#value(node.right, scope)
        return operated(operator, left, this.#value(node.right, scope), this.#budget)
      }
      default:
        throw new TemplateError(`'${node.type}' is no value`)
    }
  }

  #dict(entries: ReadonlyMap<Node, Node>, scope: Scope): Value {
    this.#budget.items(2 * entries.size)
    return new Map(
      [...entries].map(([key, value]) => {
        const name = this.#value(key, scope)
        if (!isKey(name)) throw new TemplateError(`${typeName(name)} is no key`)
        return [name, this.#value(value, scope)]
      }),
    )
  }

  #member({ object, property, computed }: MemberNode, scope: Scope): Value {
    const value = this.#value(object, scope)
    if (!computed) {
      if (property.type === 'Identifier') return attribute(value, property.value, this.#budget)
      return item(value, this.#value(property, scope), this.#budget)
    }
    if (property.type !== 'SliceExpression') return item(value, this.#value(property, scope), this.#budget)
    const bounds = [property.start, property.stop, property.step]
    const at = bounds.map(bound => (bound === undefined ? undefined : this.#value(bound, scope)))
    return sliced(value, at, this.#budget)
  }

  #called(callee: Node, given: Arguments, scope: Scope): Value {
    const value = this.#value(callee, scope)
    if (value instanceof Callable) return value.call(given)
    const name = callee.type === 'MemberExpression' ? callee.property : callee
    throw new TemplateError(
      `${name.type === 'Identifier' ? `'${name.value}'` : 'what is called'} is ${typeName(value)}, no function`,
    )
  }

  #arguments(args: Body, scope: Scope): Arguments {
    const list: Value[] = []
    const named = new Map<string, Value>()
    for (const node of args) {
      if (node.type === 'KeywordArgumentExpression') named.set(node.key.value, this.#value(node.value, scope))
      else if (node.type === 'SpreadExpression') {
        const items = itemsOf(this.#value(node.argument, scope), this.#budget)
        this.#budget.items(items.length)
        for (const one of items) list.push(one)
      } else if (node.type === 'KeywordSpreadExpression') {
        const value = this.#value(node.argument, scope)
        if (!isDict(value)) throw new TemplateError(`a dict is needed, not ${typeName(value)}`)
        this.#budget.items(value.size)
        for (const [key, one] of value) named.set(textKey(key), one)
      } else list.push(this.#value(node, scope))
    }
    return { list, named }
  }

  #filter(value: Value, filter: FilterName, scope: Scope): Value {
    const call: CallNode | null = filter.type === 'CallExpression' ? filter : null
    const name = call === null ? filter : call.callee
    if (name.type !== 'Identifier') throw new TemplateError('a filter has a name')
    const given = call === null ? nothing : this.#arguments(call.args, scope)
    return filtered(name.value, value, given, this.#budget)
  }
}

const nothing: Arguments = { list: [], named: new Map() }
