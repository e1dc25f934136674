import { spawn } from 'node:child_process'

export interface PythonJinja {
  /** Null: it fails. */
  render(source: string, variables: object): Promise<string | null>
  stop(): void
}

const script = `
import json, sys
from datetime import datetime
from jinja2.ext import Extension
from jinja2.sandbox import SandboxedEnvironment
class Generation(Extension):
    tags = {"generation"}
    def parse(self, parser):
        next(parser.stream)
        return parser.parse_statements(["name:endgeneration"], drop_needle=True)
def refuse(message): raise ValueError(message)
def tojson(value, ensure_ascii=False, **options): return json.dumps(value, ensure_ascii=ensure_ascii, **options)
env = SandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols", Generation])
env.filters["tojson"] = tojson
env.globals.update(raise_exception=refuse, strftime_now=lambda form: datetime.now().strftime(form))
print("ready", flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    try: answer = env.from_string(asked["source"]).render(**asked["variables"])
    except Exception: answer = None
    print(json.dumps(answer), flush=True)
`

/** The templates of Python, as the transformers library sets them up. Null where there is no Python with Jinja. */
export async function pythonJinja(): Promise<PythonJinja | null> {
  const child = spawn('python3', ['-c', script], { stdio: ['pipe', 'pipe', 'ignore'] })
  const lines = child.stdout.setEncoding('utf8')[Symbol.asyncIterator]()
  let rest = ''
  const line = async (): Promise<string | null> => {
    while (!rest.includes('\n')) {
      const { value, done } = await lines.next()
      if (done) return null
      rest += value
    }
    const [first = '', ...others] = rest.split('\n')
    rest = others.join('\n')
    return first
  }
  const absent = new Promise<null>(resolve => child.once('error', () => resolve(null)))
  if ((await Promise.race([line(), absent])) !== 'ready') return null
  return {
    async render(source, variables) {
      child.stdin.write(`${JSON.stringify({ source, variables })}\n`)
      const answer: unknown = JSON.parse((await line()) ?? 'null')
      return typeof answer === 'string' ? answer : null
    },
    stop: () => child.stdin.end(),
  }
}
