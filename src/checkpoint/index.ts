export { Checkpointer, type CheckpointerEvents, type CheckpointPoint, type EngineStatus } from './checkpointer.ts'
export type { Refusal } from './refusals.ts'
