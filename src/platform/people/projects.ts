import { type Fault, fault } from '../../lib/faults.ts'
import type { ProjectsTable } from '../../store/schema/accounts.ts'
import type { Store } from '../../store/store.ts'
import { type Page, type PageAsked, readPage } from '../page.ts'
import { type Acting, checkId, commit, holdProject, missing, plainText } from './acting.ts'

export type ProjectRow = ProjectsTable

/** The oldest first. @throws Fault 400 for a cursor that is not in the list */
export function listProjects(
  store: Store,
  organizationId: string,
  { include_archived = false, ...asked }: PageAsked & { include_archived?: boolean },
): Promise<Page<ProjectRow>> {
  const query = projectsOf(store, organizationId).$if(!include_archived, all => all.where('archived_at', 'is', null))
  return readPage(query, asked, { table: 'projects', order: 'asc', limit: 20 })
}

/** @throws Fault 404 */
export async function findProject(store: Store, organizationId: string, projectId: string): Promise<ProjectRow> {
  checkId('project', projectId)
  const found = await projectsOf(store, organizationId).where('id', '=', projectId).executeTakeFirst()
  if (found === undefined) throw missing('project', projectId)
  return found
}

/** A project in which something may be changed. @throws Fault 404; 400 `project_archived` */
export async function findLiveProject(store: Store, organizationId: string, projectId: string): Promise<ProjectRow> {
  const project = await findProject(store, organizationId, projectId)
  if (project.archived_at !== null) throw fault.projectArchived(projectId)
  return project
}

/** Where people of an organisation work when nobody says otherwise: its oldest project, which is never archived. */
export const defaultProject = (store: Store, organizationId: string): Promise<ProjectRow> =>
  projectsOf(store, organizationId).orderBy('created_at').orderBy('id').limit(1).executeTakeFirstOrThrow()

/** @throws Fault 400 for a name that is none */
export async function createProject(acting: Acting, name: string): Promise<ProjectRow> {
  const { store, caller, clock, ids } = acting
  const row: ProjectRow = {
    id: ids.make('project'),
    organization_id: caller.organizationId,
    name: plainText('name', name),
    created_at: clock.now(),
    archived_at: null,
  }
  await commit(
    acting,
    [store.build.insertInto('projects').values(row)],
    [{ type: 'project.created', subjectId: row.id, projectId: row.id, details: { data: { name: row.name } } }],
    async () => missing('project', row.id),
  )
  return row
}

/** @throws Fault 404; 400 `project_archived` */
export async function renameProject(acting: Acting, projectId: string, asked: string): Promise<ProjectRow> {
  const { store, caller } = acting
  const { organizationId } = caller
  const project = await findLiveProject(store, organizationId, projectId)
  const name = plainText('name', asked)
  const rename = store.build
    .updateTable('projects')
    .set({ name })
    .where('id', '=', projectId)
    .where('organization_id', '=', organizationId)
  await commit(
    acting,
    [holdProject(store, organizationId, projectId), rename],
    [{ type: 'project.updated', subjectId: projectId, projectId, details: { changes_requested: { name } } }],
    goneOrArchived(acting, projectId),
  )
  return { ...project, name }
}

/** Ends the project and its keys at once; what it holds stays. Archiving it again changes nothing. @throws Fault 404; 400 `default_project` */
export async function archiveProject(acting: Acting, projectId: string): Promise<ProjectRow> {
  const { store, caller, clock } = acting
  const { organizationId } = caller
  const project = await findProject(store, organizationId, projectId)
  if (project.archived_at !== null) return project
  const { id: usual } = await defaultProject(store, organizationId)
  if (usual === projectId) throw fault.defaultProject()
  const archived_at = clock.now()
  const archive = store.build
    .updateTable('projects')
    .set({ archived_at })
    .where('id', '=', projectId)
    .where('organization_id', '=', organizationId)
  await commit(
    acting,
    [holdProject(store, organizationId, projectId), archive],
    [{ type: 'project.archived', subjectId: projectId, projectId }],
    goneOrArchived(acting, projectId),
  )
  return { ...project, archived_at }
}

/** Why `holdProject` found no row. */
export const goneOrArchived =
  ({ store, caller }: Pick<Acting, 'store' | 'caller'>, projectId: string) =>
  async (): Promise<Fault> => {
    const project = await projectsOf(store, caller.organizationId).where('id', '=', projectId).executeTakeFirst()
    return project === undefined ? missing('project', projectId) : fault.projectArchived(projectId)
  }

const projectsOf = (store: Store, organizationId: string) =>
  store.read.selectFrom('projects').selectAll().where('organization_id', '=', organizationId)
