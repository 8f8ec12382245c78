/** When the barrier falls and when upkeep may run, with reasons. */
export { Bursts } from './bursts.ts'
export { Cadence } from './cadence.ts'
export { type DayPart, type Explanation, explainDirectory, explainStore } from './explain.ts'
export { Keeper } from './keeper.ts'
export { PRESSURE_HIGH } from './pressure.ts'
export {
  type BarrierReason,
  type CadenceParts,
  type CadenceSettings,
  type Changed,
  type Committed,
  type CutReason,
  DECISIONS,
  type Decision,
  type DecisionReason,
  type DecisionType,
  type LagAges,
  type Look,
  type ScheduleStats,
  type Seen,
  type Took,
  type UpkeepLevel,
} from './types.ts'
