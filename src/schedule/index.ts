/** When the barrier falls and when upkeep may run, with reasons. */
export { Cadence, type CadenceParts, type Look } from './cadence.ts'
export { type DayPart, type Explanation, explainDirectory, explainStore } from './explain.ts'
export { Keeper } from './keeper.ts'
export { PRESSURE_HIGH, PRESSURE_LOW } from './pressure.ts'
export {
  type BarrierReason,
  type CadenceSettings,
  type Changed,
  type Committed,
  type CutReason,
  DECISIONS,
  type Decision,
  type DecisionReason,
  type DecisionType,
  type LagAges,
  type ScheduleStats,
  type Seen,
  type UpkeepLevel,
} from './types.ts'
