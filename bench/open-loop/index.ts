export type { OpenLoopAssignment, OpenLoopResult } from './contract.ts'
export { turnsSeen } from './seen.ts'
