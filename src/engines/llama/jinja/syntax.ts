import { parse, tokenize } from '@huggingface/jinja'
import { TemplateError } from './errors.ts'

/** A template as the package's parser gives it: the parts that are evaluated here. Its own declarations do not resolve under Node's module rules. */
export type Node =
  | { readonly type: 'Program'; readonly body: Body }
  | { readonly type: 'If'; readonly test: Node; readonly body: Body; readonly alternate: Body }
  | ForNode
  | { readonly type: 'Set'; readonly assignee: Node; readonly value: Node | null; readonly body: Body }
  | MacroNode
  | CallBlockNode
  | { readonly type: 'FilterStatement'; readonly filter: FilterName; readonly body: Body }
  | { readonly type: 'Break' | 'Continue' | 'Comment' }
  | ValueNode

type ValueNode =
  | { readonly type: 'IntegerLiteral' | 'FloatLiteral'; readonly value: number }
  | { readonly type: 'StringLiteral'; readonly value: string }
  | { readonly type: 'ArrayLiteral' | 'TupleLiteral'; readonly value: Body }
  | { readonly type: 'ObjectLiteral'; readonly value: ReadonlyMap<Node, Node> }
  | NameNode
  | MemberNode
  | CallNode
  | { readonly type: 'FilterExpression'; readonly operand: Node; readonly filter: FilterName }
  | { readonly type: 'TestExpression'; readonly operand: Node; readonly negate: boolean; readonly test: NameNode }
  | { readonly type: 'SelectExpression'; readonly lhs: Node; readonly test: Node }
  | { readonly type: 'Ternary'; readonly condition: Node; readonly trueExpr: Node; readonly falseExpr: Node }
  | { readonly type: 'UnaryExpression'; readonly operator: Operator; readonly argument: Node }
  | { readonly type: 'BinaryExpression'; readonly operator: Operator; readonly left: Node; readonly right: Node }
  | SliceNode
  | KeywordNode
  | { readonly type: 'SpreadExpression' | 'KeywordSpreadExpression'; readonly argument: Node }

export type Body = readonly Node[]
interface Operator {
  readonly value: string
}
export interface NameNode {
  readonly type: 'Identifier'
  readonly value: string
}
export interface CallNode {
  readonly type: 'CallExpression'
  readonly callee: Node
  readonly args: Body
}
export interface MemberNode {
  readonly type: 'MemberExpression'
  readonly object: Node
  readonly property: Node
  readonly computed: boolean
}
export interface SliceNode {
  readonly type: 'SliceExpression'
  readonly start: Node | undefined
  readonly stop: Node | undefined
  readonly step: Node | undefined
}
export interface KeywordNode {
  readonly type: 'KeywordArgumentExpression'
  readonly key: NameNode
  readonly value: Node
}
export interface ForNode {
  readonly type: 'For'
  readonly loopvar: Node
  readonly iterable: Node
  readonly body: Body
  readonly defaultBlock: Body
}
export interface MacroNode {
  readonly type: 'Macro'
  readonly name: NameNode
  readonly args: readonly ParameterNode[]
  readonly body: Body
}
export interface CallBlockNode {
  readonly type: 'CallStatement'
  readonly call: CallNode
  readonly callerArgs: readonly ParameterNode[] | null
  readonly body: Body
}
export type ParameterNode = NameNode | KeywordNode
export type FilterName = NameNode | CallNode

/** Published templates have 20,000 characters at most. */
const lengthMax = 262_144
/** The package's tokenizer takes time in the square of a run of white space. */
const spaceMax = 1000

/** @throws TemplateError when the source is no template, or one that nobody would write */
export function parseTemplate(source: string): Node {
  if (source.length > lengthMax) throw new TemplateError(`it is longer than ${lengthMax} characters`)
  if (longestSpace(source) > spaceMax) throw new TemplateError(`it holds more than ${spaceMax} white spaces in a row`)
  try {
    const program: Node = parse(tokenize(source, { lstrip_blocks: true, trim_blocks: true }))
    return program
  } catch (error) {
    throw new TemplateError(error instanceof Error ? error.message : 'unknown error', { cause: error })
  }
}

function longestSpace(text: string): number {
  let longest = 0
  let run = 0
  for (let at = 0; at < text.length; at++) {
    run = /\s/.test(text.charAt(at)) ? run + 1 : 0
    if (run > longest) longest = run
  }
  return longest
}
