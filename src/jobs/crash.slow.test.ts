import { crashRounds } from './crash.rounds.ts'

crashRounds(20, 40)
