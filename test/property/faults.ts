/** Calls of the storage that fail for a while. */
import type { ErrnoName, StorageOperation } from '../../src/storage/index.ts'
import type { Life } from './life.ts'

// A look-up that fails is thrown at whoever asks, and so is a read of what is folded: see cold-store.test.ts.
const FAULTS: readonly (readonly [operation: StorageOperation | 'any', errno: ErrnoName, path?: string])[] = [
  ['append', 'ENOSPC'],
  ['sync', 'EIO'],
  ['createIfAbsent', 'ENOSPC'],
  ['syncFolder', 'EIO'],
  ['open', 'EMFILE'],
  ['any', 'EIO', 'log'],
  ['remove', 'EIO'],
  ['list', 'EIO'],
  ['read', 'EIO', 'manifest'],
]

export function inject(life: Life, kind: number, ms: number): void {
  const [operation, errno, path] = FAULTS[kind % FAULTS.length] as (typeof FAULTS)[number]
  life.faulted = true
  const heal = life.storage.inject({
    operation,
    errno,
    ...(path === undefined ? {} : { path }),
    ...(kind >= FAULTS.length ? { probability: 0.5 } : {}),
    ...(operation === 'append' ? { writtenBytes: 'random' as const } : {}),
  })
  life.scheduler.after(ms, heal)
}
