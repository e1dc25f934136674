import type { Operation } from '../../platform/operation.ts'
import { createRoute, deleteRoute, listRoutes, retrieveRoute, updateRoute } from './routes.ts'

export const routeOperations: readonly Operation[] = [listRoutes, createRoute, retrieveRoute, updateRoute, deleteRoute]
