/** What a user of the store sees beside its methods. */
export { closeCollection, endCollection } from './closed-map.ts'
export { checkOptions } from './collection-options.ts'
export type { CollectionStats } from './collection-stats.ts'
export { ahead, Ending, type EndingParts } from './ending.ts'
export { Events, type StoreEvents } from './events.ts'
export { forward } from './forward.ts'
export { Listening } from './listening.ts'
export {
  assertNotAsync,
  closed,
  closedWith,
  codecMismatch,
  dropped,
  joined,
  milliseconds,
  nameTaken,
  noFunction,
  noPath,
  stopped,
  synchronous,
  tooMany,
} from './refusals.ts'
export { describeRestore } from './restored.ts'
export { type Schedule, startSchedule } from './schedule.ts'
export { type StatsParts, storeStats } from './store-stats.ts'
export type { CollectionOptions, MemoryStats, Restored, StoreStats, TimeoutOptions } from './types.ts'
export { Upkeep, type UpkeepStats } from './upkeep.ts'
