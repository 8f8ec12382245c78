/** From barriers to committed epochs. */
export { Checkpointer } from './checkpointer.ts'
export type { Hold } from './holds.ts'
export { Inside } from './inside.ts'
export { changedIn } from './looks.ts'
export type { Refusal } from './refusals.ts'
export { StallBudget } from './stall-budget.ts'
export type { CheckpointerEvents, CheckpointerParts, CheckpointPoint, EngineStatus, StallInfo } from './types.ts'
