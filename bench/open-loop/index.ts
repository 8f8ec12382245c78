export type { OpenLoopAssignment, OpenLoopResult } from './contract.ts'
export { SLICE_MS } from './control.ts'
export { turnsSeen } from './seen.ts'
