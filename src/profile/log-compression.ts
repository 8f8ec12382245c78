/**
 * How the log was compressed, as far as its blocks tell.
 *
 * A block is stored as it is where compression is off, and where it would not have shrunk: those stored so are compressed again, a sample of
 * them, and only what shrinks then tells that compression was off.
 * Owns: the bytes by compression, and the sample. Does not own: what longer intervals or other settings would take (measure.ts).
 * Invariant: at most SAMPLE_MAX pieces of blocks are kept, whatever the history.
 */
import { BLOCK_RAW_BYTES } from '../base/limits.ts'
import { COMPRESS_BYTES_MIN, COMPRESSION_DEFLATE, COMPRESSION_ZSTD, openCompress } from '../format/index.ts'
import type { Measuring } from './measure.ts'
import type { Profile } from './types.ts'

const SAMPLE_MAX = 32
/** 2 ** 32 over the golden ratio: its multiples are spread evenly, also those of every second or third block. */
const SPREAD = 0x9e3779b1
/** One encoder makes a few bytes more of a block than another. */
const ENCODERS_DIFFER_BYTES = 16

interface Piece {
  readonly rank: number
  /** Of the block; `bytes` are its beginning. */
  readonly blockBytes: number
  readonly bytes: Buffer
}

export class LogCompression {
  #zstd = 0
  #deflate = 0
  /** Stored as they are, though large enough to be compressed. */
  #plain = 0
  #plainBlocks = 0
  /** Those with the lowest ranks. */
  readonly #sample: Piece[] = []

  /** A block of the log, unpacked. */
  add(bytes: Buffer, compression: number): void {
    if (compression === COMPRESSION_ZSTD) this.#zstd += bytes.length
    else if (compression === COMPRESSION_DEFLATE) this.#deflate += bytes.length
    else if (bytes.length >= COMPRESS_BYTES_MIN) this.#addPlain(bytes)
  }

  async found({ pause }: Pick<Measuring, 'pause'>): Promise<Profile['history']['compression']> {
    const compressed = this.#zstd + this.#deflate
    if (this.#plain > compressed && this.#plain * (await this.#shrinkingShare(pause)) > compressed) return 'none'
    return compressed === 0 ? 'unknown' : this.#zstd >= this.#deflate ? 'zstd' : 'deflate'
  }

  #addPlain(bytes: Buffer): void {
    this.#plain += bytes.length
    const rank = Math.imul(this.#plainBlocks++, SPREAD) >>> 0
    if (this.#sample.length === SAMPLE_MAX) {
      if (rank > (this.#sample.at(-1) as Piece).rank) return
      this.#sample.pop()
    }
    this.#sample.push({ rank, blockBytes: bytes.length, bytes: Buffer.from(bytes.subarray(0, BLOCK_RAW_BYTES)) })
    this.#sample.sort((a, b) => a.rank - b.rank)
  }

  /** Of the bytes that were stored as they are, whose blocks would have shrunk whatever the encoder. */
  async #shrinkingShare(pause: Measuring['pause']): Promise<number> {
    const encoders = [await openCompress('zstd'), await openCompress('deflate')]
    let shrinking = 0
    let all = 0
    for (const { bytes, blockBytes } of this.#sample) {
      all += blockBytes
      if (encoders.every(compress => compress(bytes).payload.length + ENCODERS_DIFFER_BYTES < bytes.length)) shrinking += blockBytes
      await pause()
    }
    return all === 0 ? 0 : shrinking / all
  }
}
