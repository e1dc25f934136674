import type { Operation } from '../../platform/operation.ts'
import { listAuditLogs } from './audit/logs.ts'
import { createAdminApiKey, deleteAdminApiKey, listAdminApiKeys, retrieveAdminApiKey } from './keys/admin.ts'
import {
  createProjectApiKey,
  deleteProjectApiKey,
  listProjectApiKeys,
  retrieveProjectApiKey,
  rotateProjectApiKey,
} from './keys/project.ts'
import { moneyOperations } from './money.ts'
import {
  createOrganizationInvite,
  deleteOrganizationInvite,
  listOrganizationInvites,
  retrieveOrganizationInvite,
} from './people/invites.ts'
import {
  deleteOrganizationUser,
  listOrganizationUsers,
  retrieveOrganizationUser,
  updateOrganizationUser,
} from './people/users.ts'
import {
  archiveOrganizationProject,
  createOrganizationProject,
  listOrganizationProjects,
  retrieveOrganizationProject,
  updateOrganizationProject,
} from './projects/projects.ts'
import {
  createServiceAccount,
  createServiceAccountApiKey,
  deleteServiceAccount,
  listServiceAccounts,
  retrieveServiceAccount,
  updateServiceAccount,
} from './projects/service-accounts.ts'
import {
  createProjectUser,
  deleteProjectUser,
  listProjectUsers,
  retrieveProjectUser,
  updateProjectUser,
} from './projects/users.ts'

/** People, projects, keys, and the audit log. */
export const peopleOperations: readonly Operation[] = [
  listAdminApiKeys,
  createAdminApiKey,
  retrieveAdminApiKey,
  deleteAdminApiKey,
  listOrganizationUsers,
  retrieveOrganizationUser,
  updateOrganizationUser,
  deleteOrganizationUser,
  listOrganizationInvites,
  createOrganizationInvite,
  retrieveOrganizationInvite,
  deleteOrganizationInvite,
  listOrganizationProjects,
  createOrganizationProject,
  retrieveOrganizationProject,
  updateOrganizationProject,
  archiveOrganizationProject,
  listProjectUsers,
  createProjectUser,
  retrieveProjectUser,
  updateProjectUser,
  deleteProjectUser,
  listServiceAccounts,
  createServiceAccount,
  retrieveServiceAccount,
  updateServiceAccount,
  deleteServiceAccount,
  createServiceAccountApiKey,
  listProjectApiKeys,
  createProjectApiKey,
  retrieveProjectApiKey,
  rotateProjectApiKey,
  deleteProjectApiKey,
  listAuditLogs,
]

/** The administration of an organisation. */
export const organizationOperations: readonly Operation[] = [...peopleOperations, ...moneyOperations]
