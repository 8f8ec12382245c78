/** Opening a store for writing, for reading, and from an older point. */
export { forkAt, type OpenedStore, type OpenFacts, openForReading, openForWriting } from './open.ts'
