/**
 * Unpacking the blocks of an epoch, one behind the other.
 *
 * Does not own: reading blocks, what is in them.
 * Invariants: blocks come in their order, and what cannot be unpacked fails where its block would come.
 */
import { hasCode } from '../base/errors.ts'
import { isOutOfMemory } from '../base/out-of-memory.ts'
import type { Pauser } from '../base/pauser.ts'
import { type Decompress, openDecompress } from '../format/index.ts'
import type { StoredBlock } from './epoch.ts'

export interface UnpackedBlock {
  readonly offset: number
  /** As its frame names it. */
  readonly compression: number
  readonly bytes: Buffer
}

/** Bytes that are no block though they are those that were written. */
export class BadBlock extends Error {
  readonly offset: number

  constructor(offset: number, cause: Error) {
    super(cause.message, { cause })
    this.offset = offset
  }
}

/** What is to be thrown where work on the block at `offset` threw: where that says nothing of its bytes, as for want of memory, the same. */
export function badBlock(error: unknown, offset: number): unknown {
  if (!hasCode(error, 'TIDEMARK_VALUE_DAMAGED') || isOutOfMemory((error as Error).cause)) return error
  return new BadBlock(offset, error as Error)
}

/** `pause` is awaited before each block. */
export async function* unpack(blocks: AsyncIterable<StoredBlock>, pause: Pauser): AsyncGenerator<UnpackedBlock> {
  const opened = new Map<number, Decompress>()
  for await (const { header, offset, payload } of blocks) {
    await pause()
    const { compression, rawLength } = header
    const decompress = opened.get(compression) ?? (await openDecompress(compression))
    opened.set(compression, decompress)
    yield { offset, compression, bytes: unpacked(decompress, payload, rawLength, offset) }
  }
}

function unpacked(decompress: Decompress, payload: Buffer, rawLength: number, offset: number): Buffer {
  try {
    return decompress(payload, rawLength)
  } catch (error) {
    throw badBlock(error, offset)
  }
}
