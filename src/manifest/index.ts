/** The root of trust: which manifest counts, and how the next comes about. */
export * from './folding.ts'
export * from './manifest-store.ts'
export * from './named-change.ts'
export * from './no-store.ts'
export * from './numbers.ts'
export * from './point-ages.ts'
export * from './retention.ts'
export * from './transitions.ts'
