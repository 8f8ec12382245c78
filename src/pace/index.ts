/** Pacing: one budget for all that is written, and the rhythm in which upkeep takes its part (RFC 0007). */
export { Budget, type BudgetParts } from './budget.ts'
export { Flow } from './flow.ts'
export { logToll, manifestToll, PacedStorage, proofToll, type Toll, upkeepToll } from './paced-storage.ts'
export { floorRate, foldAt, foldBarMs, foldDueAt, foldRate, type MergeCost, mergeRate } from './plan.ts'
export { Rhythm, type RhythmParts, type Work } from './rhythm.ts'
