/** Calls of the storage that fail for a while. */
import type { ErrnoName, StorageOperation } from '../../src/storage/index.ts'
import type { Fault } from '../../src/testing/index.ts'
import type { Life } from './life.ts'

// A look-up that fails is thrown at whoever asks, and so is a read of what is folded: see cold-store.test.ts.
const FAULTS: readonly (readonly [
  operation: StorageOperation | 'any',
  errno: ErrnoName,
  path?: string | undefined,
  more?: Partial<Fault>,
])[] = [
  ['append', 'ENOSPC'],
  ['sync', 'EIO'],
  ['createIfAbsent', 'ENOSPC'],
  ['syncFolder', 'EIO'],
  ['open', 'EMFILE'],
  ['any', 'EIO', 'log'],
  ['remove', 'EIO'],
  ['list', 'EIO'],
  ['read', 'EIO', 'manifest'],
  // It happened, and only the answer is an error; or it happened in part.
  ['createIfAbsent', 'EIO', undefined, { applied: true }],
  ['syncFolder', 'EIO', undefined, { applied: true }],
  ['remove', 'EIO', undefined, { applied: true }],
  ['sync', 'EIO', undefined, { data: 'part' }],
  ['sync', 'EIO', undefined, { data: 'keep' }],
  ['close', 'EIO'],
]

export function inject(life: Life, kind: number, ms: number): void {
  const [operation, errno, path, more] = FAULTS[kind % FAULTS.length] as (typeof FAULTS)[number]
  life.faulted = true
  const heal = life.storage.inject({
    operation,
    errno,
    ...more,
    ...(path === undefined ? {} : { path }),
    ...(kind >= FAULTS.length ? { probability: 0.5 } : {}),
    ...(operation === 'append' ? { writtenBytes: 'random' as const } : {}),
  })
  life.scheduler.after(ms, heal)
}

/** One call of an open fails, the so-manieth of its kind. */
export function injectAtOpen(life: Life, number: number): void {
  const [operation, errno, path, more] = FAULTS[number % FAULTS.length] as (typeof FAULTS)[number]
  const nth = 1 + (Math.floor(number / FAULTS.length) % 25)
  life.storage.inject({ operation, errno, nth, ...more, ...(path === undefined ? {} : { path }) })
}
