/**
 * Measures the built-in language model on held-out cases: `node training/evaluate.ts [--asks held|trained] [--model FILE]
 * [--skill NAME] [--cases N] [--data FOLDER] [--wrong N] [--temperature T] [--json]`. Prints the share of right answers
 * per skill and language, through llama.cpp with the chat template of the file.
 *
 * `--asks held` (default): ways of asking, names, numbers and reviews that training never used. `--asks trained`: ways of
 * asking of the training, with names, numbers and reviews that it never used.
 */
import { parseArgs } from 'node:util'
import { openRunner } from './language/engine.ts'
import { ENGLISH_ONLY, heldCases, SKILL_NAMES, type SkillName } from './language/heldout.ts'
import { readSources } from './language/sources.ts'
import { VIEWS, type View } from './language/views.ts'

const { values } = parseArgs({
  options: {
    asks: { type: 'string', default: 'held' },
    model: { type: 'string', default: 'models/parlance-tiny-1.gguf' },
    data: { type: 'string', default: '../shared/data' },
    skill: { type: 'string' },
    cases: { type: 'string', default: '100' },
    wrong: { type: 'string', default: '0' },
    temperature: { type: 'string', default: '0' },
    json: { type: 'boolean', default: false },
  },
})

interface Row {
  readonly skill: SkillName
  readonly language: 'en' | 'zh'
  readonly right: number
  readonly cases: number
}

const view = (Object.keys(VIEWS) as View[]).find(name => name === values.asks)
if (view === undefined) throw new RangeError(`no asks ${values.asks}; there are held and trained`)
const skills = SKILL_NAMES.filter(name => values.skill === undefined || values.skill.split(',').includes(name))
if (skills.length === 0) throw new RangeError(`no skill ${values.skill}; there are ${SKILL_NAMES.join(', ')}`)
const sources = readSources(values.data)
const runner = await openRunner(values.model, Number(values.temperature))
const rows: Row[] = []
for (const skill of skills) {
  for (const language of ['en', 'zh'] as const) {
    if (language === 'en' || !ENGLISH_ONLY.has(skill)) rows.push(await measure(skill, language))
  }
}
const { tokens, seconds } = runner.speed()
await runner.close()
if (values.json)
  console.log(JSON.stringify({ asks: view, rows, tokensPerSecond: Math.round(tokens / seconds) }, null, 2))
else {
  console.log(`\n${tokens} tokens at ${Math.round(tokens / seconds)} tokens/s, one stream, one thread`)
}

async function measure(skill: SkillName, language: 'en' | 'zh'): Promise<Row> {
  const cases = heldCases(sources, skill, language, Number(values.cases), view)
  let right = 0
  let shown = 0
  for (const one of cases) {
    const answer =
      one.prompt === undefined
        ? await runner.chat(one.messages ?? [], one.tools)
        : await runner.complete(one.prompt, one.maxTokens ?? 64)
    if (one.right(answer.text, answer.ended)) right++
    else if (shown++ < Number(values.wrong)) {
      console.log(
        `  asked ${JSON.stringify(one.prompt ?? one.messages?.at(-1)?.content)}\n  wants ${JSON.stringify(one.expected)}\n  said  ${JSON.stringify(answer.text)}`,
      )
    }
  }
  if (!values.json)
    console.log(
      `${skill.padEnd(20)} ${language}  ${String(right).padStart(4)} of ${cases.length}  ${((100 * right) / cases.length).toFixed(1)} %`,
    )
  return { skill, language, right, cases: cases.length }
}
