/** What a user of the store sees beside its methods. */
export { ClosedMap } from './closed-map.ts'
export { Events, type StoreEvents } from './events.ts'
export { memoryStats } from './memory.ts'
export { asyncTransaction, closed, dropped, isThenable, milliseconds, noFunction } from './refusals.ts'
export { type Schedule, startSchedule } from './schedule.ts'
export type { CollectionOptions, Restored, StoreStats, TimeoutOptions } from './types.ts'
export { Upkeep, type UpkeepStats } from './upkeep.ts'
