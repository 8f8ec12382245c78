/** Opening a store for writing, for reading, and from an older point; loading what it holds. */

export { openAgain } from './beside.ts'
export { type Copied, type CopyOptions, copyDirectory, copyStore } from './copy.ts'
export { takeDirectory } from './directory.ts'
export { forkAt } from './fork.ts'
export { type LoadRequest, type LoadResult, load } from './load.ts'
export { type OpenedStore, type OpenFacts, openForReading, openForWriting } from './open.ts'
export { listPoints, pointsOfDirectory } from './points.ts'
export type { LostEpochs, RecoveryPoint, UnlistedEpochs } from './recovery-point.ts'
export { readTail, type Tail, type TailRequest } from './tail.ts'
export { Trial } from './trial.ts'
export { type FileReport, type Verification, verifyDirectory } from './verify.ts'
