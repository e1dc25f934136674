import type { Operation } from '../../platform/operation.ts'
import { createKey, deleteKey, listKeys, rotateKey } from './keys.ts'
import { addOrganizationMember, createNewOrganization, listEveryOrganization } from './organizations.ts'

/** For commands on the machine itself. */
export const operatorOperations: readonly Operation[] = [
  listKeys,
  createKey,
  rotateKey,
  deleteKey,
  listEveryOrganization,
  createNewOrganization,
  addOrganizationMember,
]
