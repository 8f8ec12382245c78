/**
 * The raw blocks of one segment that are in memory to stay.
 * Owns: which they are, and how much of them lies in memory that threads share. Does not own: how they come.
 */
import { types } from 'node:util'

export class HomeBlocks {
  count = 0
  /** Memory that V8 does not count: whoever lets go of it has to say so. */
  sharedBytes = 0
  readonly #raw: Buffer[] = []

  of(block: number): Buffer | undefined {
    return this.#raw[block]
  }

  keep(block: number, raw: Buffer): void {
    const before = this.#raw[block]
    if (before === undefined) this.count++
    else this.sharedBytes -= sharedBytesOf(before)
    this.sharedBytes += sharedBytesOf(raw)
    this.#raw[block] = raw
  }
}

function sharedBytesOf(raw: Buffer): number {
  return types.isSharedArrayBuffer(raw.buffer) ? raw.length : 0
}

/** A decoder may leave as much again behind what it decoded. */
export function isMostOfItsMemory(raw: Buffer): boolean {
  return raw.buffer.byteLength <= 2 * raw.length
}
