/**
 * Unpacking the blocks of an epoch, one behind the other, or some ahead by threads of the pool.
 *
 * Owns: how far ahead. Does not own: reading blocks, what is in them.
 * Invariants: blocks come in their order, and what cannot be unpacked fails where its block would come; where reading fails those that are ahead do not
 * come; ahead are AHEAD_BYTES of raw blocks at most, or one.
 */
import { hasCode } from '../base/errors.ts'
import { isOutOfMemory } from '../base/out-of-memory.ts'
import { type Decompress, type DecompressAside, openDecompress, openDecompressAside } from '../format/index.ts'
import type { Pause, StoredBlock } from './epoch.ts'

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

/** Some more than there are threads in the pool, of blocks as they are written. */
const AHEAD_BYTES = 512 * 1024

/** `pause` is awaited before each block where nothing else is. */
export async function* unpack(blocks: AsyncIterable<StoredBlock>, aside: boolean, pause: Pause): AsyncGenerator<UnpackedBlock> {
  yield* aside ? unpackAhead(blocks, pause) : unpackInTurn(blocks, pause)
}

async function* unpackInTurn(blocks: AsyncIterable<StoredBlock>, pause: Pause): AsyncGenerator<UnpackedBlock> {
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

interface Ahead {
  readonly offset: number
  readonly compression: number
  readonly rawLength: number
  readonly bytes: Promise<Buffer>
}

async function* unpackAhead(blocks: AsyncIterable<StoredBlock>, pause: Pause): AsyncGenerator<UnpackedBlock> {
  const opened = new Map<number, DecompressAside>()
  const ahead: Ahead[] = []
  let aheadBytes = 0
  for await (const { header, offset, payload } of blocks) {
    const { compression, rawLength } = header
    while (ahead.length > 0 && aheadBytes + rawLength > AHEAD_BYTES) yield await next()
    await pause()
    const decompress = opened.get(compression) ?? (await openDecompressAside(compression))
    opened.set(compression, decompress)
    const bytes = (async () => await decompress(payload, rawLength))()
    // Told where its block would come; who stops before is told nothing.
    bytes.catch(() => {})
    ahead.push({ offset, compression, rawLength, bytes })
    aheadBytes += rawLength
  }
  while (ahead.length > 0) yield await next()

  async function next(): Promise<UnpackedBlock> {
    const { offset, compression, rawLength, bytes } = ahead.shift() as Ahead
    aheadBytes -= rawLength
    const unpacked = await bytes.catch(error => {
      throw badBlock(error, offset)
    })
    return { offset, compression, bytes: unpacked }
  }
}
