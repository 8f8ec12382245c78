/**
 * The raw blocks that look-ups read last, of any number of segments together.
 * Owns: which blocks are held. Invariant: no more bytes than `bytesMax`; a larger block is not held. First in, first out.
 */
import { SEGMENT_CACHE_BYTES } from '../base/limits.ts'

interface Slot {
  readonly of: Map<number, Buffer>
  readonly block: number
  readonly bytes: number
}

export class BlockCache {
  readonly #bytesMax: number
  readonly #slots = new Set<Slot>()
  #bytes = 0

  constructor(bytesMax: number = SEGMENT_CACHE_BYTES) {
    this.#bytesMax = bytesMax
  }

  /** Bytes held. */
  get bytes(): number {
    return this.#bytes
  }

  /** Puts a block that is not there into `of`, where it stays until its turn to go. */
  add(of: Map<number, Buffer>, block: number, raw: Buffer): void {
    const bytes = raw.buffer.byteLength
    if (bytes > this.#bytesMax) return
    of.set(block, raw)
    this.#slots.add({ of, block, bytes })
    this.#bytes += bytes
    for (const slot of this.#slots) {
      if (this.#bytes <= this.#bytesMax) return
      this.#drop(slot)
    }
  }

  /** Forgets the blocks of one segment. */
  forget(of: Map<number, Buffer>): void {
    for (const slot of this.#slots) if (slot.of === of) this.#drop(slot)
  }

  #drop(slot: Slot): void {
    this.#slots.delete(slot)
    this.#bytes -= slot.bytes
    slot.of.delete(slot.block)
  }
}
