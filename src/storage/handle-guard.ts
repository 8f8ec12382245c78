/**
 * The rules of an open file that do not depend on where its bytes live. Every storage's file passes each call through one of these.
 *
 * Owns: whether the file is open, busy or failed. Does not own: descriptors, offsets, bytes.
 * Invariants: at most one change at a time; no call reaches the storage after close began; close waits for reads that are under way;
 * after the first error of a change, every change rejects with that error.
 */
import { assert } from '../base/errors.ts'
import type { OpenMode, StorageOperation } from './contract.ts'
import { storageError } from './errors.ts'

export class HandleGuard {
  readonly path: string
  readonly mode: OpenMode
  #closing = false
  #changing = false
  #reading = 0
  #failure: unknown
  #failed = false
  #idle: (() => void) | undefined

  constructor(path: string, mode: OpenMode) {
    this.path = path
    this.mode = mode
  }

  /** append, overwrite, sync, truncate. */
  async change<T>(operation: StorageOperation, run: () => Promise<T>): Promise<T> {
    assert(!this.#closing, `${operation} of ${this.path} after close`)
    assert(!this.#changing, `${operation} of ${this.path} while another change is under way`)
    assert(this.mode !== 'read' || operation === 'sync', `${operation} of ${this.path}, which is open for reading`)
    if (this.#failed) throw this.#failure
    this.#changing = true
    try {
      return await run()
    } catch (cause) {
      this.#failure = storageError(operation, this.path, cause)
      this.#failed = true
      throw this.#failure
    } finally {
      this.#changing = false
    }
  }

  /** read, size. */
  async look<T>(operation: StorageOperation, run: () => Promise<T>): Promise<T> {
    assert(!this.#closing, `${operation} of ${this.path} after close`)
    this.#reading++
    try {
      return await run()
    } catch (cause) {
      throw storageError(operation, this.path, cause)
    } finally {
      if (--this.#reading === 0) this.#idle?.()
    }
  }

  /** readNow. */
  lookNow<T>(operation: StorageOperation, run: () => T): T {
    assert(!this.#closing, `${operation} of ${this.path} after close`)
    try {
      return run()
    } catch (cause) {
      throw storageError(operation, this.path, cause)
    }
  }

  async close(run: () => Promise<void>): Promise<void> {
    if (this.#closing) return
    assert(!this.#changing, `close of ${this.path} while a change is under way`)
    this.#closing = true
    if (this.#reading > 0) {
      await new Promise<void>(resolve => {
        this.#idle = resolve
      })
    }
    try {
      await run()
    } catch (cause) {
      throw storageError('close', this.path, cause)
    }
  }
}

/** Memory for so many bytes: the given, where they fit. */
export function roomFor(bytes: number, memory: Buffer | undefined): Buffer {
  return memory !== undefined && bytes <= memory.length ? memory.subarray(0, bytes) : Buffer.allocUnsafeSlow(bytes)
}

/** Offsets and lengths are the caller's own arithmetic: a wrong one is a bug, not an input. */
export function checkRange(offset: number, length: number): void {
  assert(Number.isSafeInteger(offset) && offset >= 0, `offset ${offset}`)
  assert(Number.isSafeInteger(length) && length >= 0, `length ${length}`)
}
