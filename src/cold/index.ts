/** Entries that are stored and not in the heap (RFC 0006, section 4). */
export { ColdCollection } from './cold-collection.ts'
export { type ColdSegment, ColdState, type ColdView } from './cold-state.ts'
export { Evictor, type EvictorParts } from './evictor.ts'
export { Following, type FollowingParts, type TailHolder } from './following.ts'
export { Homecoming, type HomecomingParts } from './homecoming.ts'
export { Hydration, type HydrationParts, type HydrationProgress } from './hydration.ts'
export { TouchOrder, type TouchOrderParts } from './touch-order.ts'
