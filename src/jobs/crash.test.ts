import { crashRounds } from './crash.rounds.ts'

crashRounds(2, 20)
