/** Opening a store for writing, for reading, and from an older point; loading what it holds. */
export { EncodedValue, type LoadedCollection, Loader } from './loader.ts'
export { load, type LoadRequest, type LoadResult } from './load.ts'
export { forkAt, type OpenedStore, type OpenFacts, openForReading, openForWriting } from './open.ts'
export { listPoints, type RecoveryPoint } from './points.ts'
