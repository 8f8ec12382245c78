/** What a user of the store sees beside its methods. */
export { ClosedMap } from './closed-map.ts'
export { Events, type StoreEvents } from './events.ts'
export type { CollectionOptions, Restored, StoreStats, TimeoutOptions } from './types.ts'
