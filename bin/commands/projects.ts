import { Project } from '../../src/wire/organization/projects.ts'
import { everyProject, projectNamed } from '../named.ts'
import { table } from '../table.ts'
import { day, plain } from '../values.ts'
import { command, verb } from '../verbs.ts'

export const help = `parlance projects: where keys work, with people, limits and usage of their own.

  projects list            The projects of the organisation.
      --archived           Those that were archived, too.
  projects create NAME     A new project.
  projects archive P       End a project for good, by name or id: its keys end at once.

  With each: --json, --organization NAME, --data-dir FOLDER.
`

export const run = command(
  'projects',
  {
    list: verb({
      options: { archived: 'flag' },
      async run({ call, flag, print }) {
        const projects = await everyProject(call, flag('archived'))
        const row = ({ id, name, status, created_at }: Project) => [id, plain(name), status, day(created_at)]
        print(projects, () => table([['ID', 'NAME', 'STATUS', 'CREATED'], ...projects.map(row)]))
      },
    }),
    create: verb({
      takes: ['NAME'],
      async run({ call, words: [name], print }) {
        const made = await call('organization.projects.create', { body: { name }, reply: Project })
        print(made, () => `Made the project ${plain(made.name)} (${made.id}).\n`)
      },
    }),
    archive: verb({
      takes: ['PROJECT'],
      async run({ call, words: [asked = ''], print }) {
        const { id } = await projectNamed(call, asked)
        const project = await call('organization.projects.archive', { params: { project_id: id }, reply: Project })
        print(project, () => `Archived the project ${plain(project.name)} (${id}). Its keys have ended.\n`)
      },
    }),
  },
  'list',
)
