/**
 * The first and the last bytes of a segment file, and its frames. Byte table: docs/format/segment.md.
 *
 * Does: encodes and checks both. The header stands at both ends, so that one read of the description brings the salt.
 * Invariants: a header that verifies is that of the file whose name it carries; a frame verifies only in its own file at its own offset.
 */
import { crc32 } from 'node:zlib'
import { TidemarkError } from '../base/errors.ts'
import { BLOCK_RAW_BYTES_MAX, SEGMENT_DESCRIPTION_BYTES_MAX } from '../base/limits.ts'
import type { FrameFamily } from './frame.ts'

export const SEGMENT_FORMAT = 1
export const SEGMENT_HEADER_BYTES = 48
const MAGIC = Buffer.from('tideseg\n')

export const SEGMENT_BLOCK = 1
export const SEGMENT_INDEX = 2
export const SEGMENT_FILTER = 3
export const SEGMENT_FACTS = 4

export const SEGMENT_FRAMES: FrameFamily = {
  name: 'segment',
  magic: Buffer.from([0xf7, 0x54, 0x53, 0x46]),
  rawBytesMax: [0, BLOCK_RAW_BYTES_MAX, SEGMENT_DESCRIPTION_BYTES_MAX, SEGMENT_DESCRIPTION_BYTES_MAX, SEGMENT_DESCRIPTION_BYTES_MAX],
}

export interface SegmentHeader {
  /** Those of the file's name. */
  readonly token: number
  readonly sequence: number
  /** Random: takes part in every frame's checksum. */
  readonly salt: number
  /** Where the index begins; 0 in the header at the front. */
  readonly describedAt: number
}

export function encodeSegmentHeader(header: SegmentHeader): Buffer {
  const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES)
  MAGIC.copy(bytes)
  bytes.writeUInt16LE(SEGMENT_FORMAT, 8)
  bytes.writeUInt16LE(SEGMENT_HEADER_BYTES, 10)
  bytes.writeUInt32LE(header.token, 16)
  bytes.writeUInt32LE(header.sequence, 20)
  bytes.writeUInt32LE(header.salt, 24)
  bytes.writeBigUInt64LE(BigInt(header.describedAt), 32)
  bytes.writeUInt32LE(crc32(bytes.subarray(0, SEGMENT_HEADER_BYTES - 4)), SEGMENT_HEADER_BYTES - 4)
  return bytes
}

/** The header at `at`; undefined when there is none. One of a later format under a checksum that holds is TIDEMARK_FORMAT_NEWER. */
export function decodeSegmentHeader(bytes: Buffer, at: number, file: string): SegmentHeader | undefined {
  if (at < 0 || at + SEGMENT_HEADER_BYTES > bytes.length || bytes.compare(MAGIC, 0, MAGIC.length, at, at + MAGIC.length) !== 0)
    return undefined
  const end = at + SEGMENT_HEADER_BYTES - 4
  if (crc32(bytes.subarray(at, end)) !== bytes.readUInt32LE(end)) return undefined
  const version = bytes.readUInt16LE(at + 8)
  const zero = bytes.readUInt32LE(at + 12) | bytes.readUInt32LE(at + 28) | bytes.readUInt32LE(at + 40)
  if (version !== SEGMENT_FORMAT || bytes.readUInt16LE(at + 10) !== SEGMENT_HEADER_BYTES || zero !== 0) {
    throw new TidemarkError('TIDEMARK_FORMAT_NEWER', `${file} has segment format ${version}, this is version ${SEGMENT_FORMAT}`, {
      file,
      hint: 'open this store with the version that wrote it',
    })
  }
  const describedAt = Number(bytes.readBigUInt64LE(at + 32))
  if (!Number.isSafeInteger(describedAt)) return undefined
  return { token: bytes.readUInt32LE(at + 16), sequence: bytes.readUInt32LE(at + 20), salt: bytes.readUInt32LE(at + 24), describedAt }
}
