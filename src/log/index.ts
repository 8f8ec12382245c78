/** The log: appending to a file, reading the files a manifest names. */
export type { Pause } from './epoch.ts'
export { holdsCommit } from './headless.ts'
export { LogLength } from './log-length.ts'
export { type CommitResult, LogWriter, type LogWriterStart } from './log-writer.ts'
export { lastSeenIn, openLog } from './open-log.ts'
export { proveEpoch } from './prove-epoch.ts'
export { readsOtherwise } from './reads-otherwise.ts'
export {
  type BlockItem,
  type CommitItem,
  type EpochPlace,
  holdsNothing,
  type LogDamage,
  type LogItem,
  LogScan,
  type ScanOptions,
  type ScanReport,
  type TornTail,
} from './scan.ts'
export { ownMemory } from './window.ts'
