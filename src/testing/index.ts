export { SeededRandom } from './random.ts'
export { type DataFate, type NameFate, SECTOR_BYTES, SimulatedDisk } from './simulated-disk.ts'
export type { Fault } from './simulated-faults.ts'
export { SimulatedClock, SimulatedScheduler, type SimulatedSchedulerOptions } from './simulated-scheduler.ts'
export {
  type CrashMode,
  type CrashOptions,
  type SimulatedCall,
  SimulatedStorage,
  type SimulatedStorageOptions,
} from './simulated-storage.ts'
export { type ConformanceCheck, storageConformance } from './storage-conformance.ts'
