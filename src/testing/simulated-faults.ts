/**
 * Faults to inject into a simulated storage: which call fails, how, and what it did all the same.
 *
 * Owns: the counting of calls per fault and the draw of chance. Does not own: the effect, which is the storage's.
 */
import type { ErrnoName, StorageOperation } from '../storage/index.ts'
import type { SeededRandom } from './random.ts'

export interface Fault {
  /** The call that fails; 'any' for all that can. */
  readonly operation: StorageOperation | 'any'
  readonly errno: ErrnoName
  /** Fails the Nth such call, counted from 1 since the fault was injected. */
  readonly nth?: number
  /** Fails each such call with this probability. With neither this nor `nth`, every call fails. */
  readonly probability?: number
  /** Only calls on paths that begin so. */
  readonly path?: string
  /** Fails at most this many calls; default 1 with `nth`, else without end. */
  readonly times?: number
  /** append: bytes that are written before the error; default 0, 'random' for a part drawn by chance. */
  readonly writtenBytes?: number | 'random'
  /** createIfAbsent, remove, open (the name that it makes), syncFolder, truncate, close: it happened, and only the answer is an error. */
  readonly applied?: boolean
  /**
   * sync: what becomes of the data. drop (default): forgotten, while reads go on to show it and a second sync succeeds, as Linux does.
   * part: some writes are forgotten. keep: still dirty, so that a second sync would save it.
   */
  readonly data?: 'drop' | 'part' | 'keep'
}

interface Injected {
  readonly fault: Fault
  calls: number
  failed: number
}

export class FaultPlan {
  readonly #random: SeededRandom
  readonly #injected = new Set<Injected>()
  /** Calls that failed by injection so far. */
  failed = 0

  constructor(random: SeededRandom) {
    this.#random = random
  }

  /** From now on; the function given back takes the fault out again. */
  inject(fault: Fault): () => void {
    const injected: Injected = { fault, calls: 0, failed: 0 }
    this.#injected.add(injected)
    return () => {
      this.#injected.delete(injected)
    }
  }

  clear(): void {
    this.#injected.clear()
  }

  /** The fault this call meets, if any. Every fault that matches counts the call. */
  meet(operation: StorageOperation, path: string): Fault | undefined {
    let met: Fault | undefined
    for (const injected of this.#injected) {
      const { fault } = injected
      if (fault.operation !== 'any' && fault.operation !== operation) continue
      if (fault.path !== undefined && !path.startsWith(fault.path)) continue
      injected.calls++
      if (met !== undefined || injected.failed >= (fault.times ?? (fault.nth === undefined ? Number.POSITIVE_INFINITY : 1))) continue
      if (fault.nth !== undefined && injected.calls < fault.nth) continue
      if (fault.probability !== undefined && !this.#random.chance(fault.probability)) continue
      injected.failed++
      met = fault
    }
    if (met !== undefined) this.failed++
    return met
  }
}
