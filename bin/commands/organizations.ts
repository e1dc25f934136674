import { Organization, OrganizationList } from '../../src/wire/operator.ts'
import { UsageError } from '../run.ts'
import { table } from '../table.ts'
import { day, plain } from '../values.ts'
import { command, verb } from '../verbs.ts'

export const help = `parlance organizations: who shares this server without seeing one another.

  organizations list       All of them. The first is the operator's.
  organizations create NAME --owner EMAIL
                           A new one with a default project. NAME goes into the header
                           OpenAI-Organization and into --organization of the other commands.
      --owner EMAIL        Its first owner; \`keys create --organization NAME\` makes them a key.
      --title TEXT         Its name for people. Default: NAME.

  With each: --json, --data-dir FOLDER.
`

export const run = command(
  'organizations',
  {
    list: verb({
      of: 'server',
      async run({ call, print }) {
        const { data } = await call('operator.organizations.list', { reply: OrganizationList })
        const row = ({ id, name, title, credit, created_at }: Organization) => [
          ...[id, name, plain(title), credit ? 'yes' : 'no', day(created_at)],
        ]
        print(data, () => table([['ID', 'NAME', 'TITLE', 'CREDIT', 'CREATED'], ...data.map(row)]))
      },
    }),
    create: verb({
      takes: ['NAME'],
      options: { owner: 'text', title: 'text' },
      of: 'server',
      async run({ call, text, words: [name], print, note }) {
        const [email, title] = [text('owner'), text('title')]
        if (email === undefined)
          throw new UsageError('Whose is it? `parlance organizations create NAME --owner EMAIL`.')
        const body = { name, owner: { email }, ...(title !== undefined && { title }) }
        const made = await call('operator.organizations.create', { body, reply: Organization })
        print(made, () => `Made the organisation ${made.name} (${made.id}).\n`)
        note(`A key for its owner: parlance keys create --organization ${made.name}`)
      },
    }),
  },
  'list',
)
