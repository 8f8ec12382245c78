/**
 * Frames: the units of a log file and of a segment. Byte table: docs/format/frame.md.
 *
 * Does: builds and checks frame headers and payload checksums. Owns: the layout. Does not own: what payloads mean, compression, I/O.
 * Invariants: the header's checksum starts from the frame's place (the file's salt and the offset), so a frame is valid only in the file
 * and at the offset it was written at: bytes of a log kept as a value are never taken for the log; a length is believed only after the
 * header's checksum holds, and only below its bound.
 */
import { crc32 } from 'node:zlib'
import { TidemarkError } from '../base/errors.ts'
import { BLOCK_RAW_BYTES_MAX } from '../base/limits.ts'

export const FRAME_BLOCK = 1
export const FRAME_COMMIT = 2
/** The same payload as the commit before it: heals a damaged commit frame. */
export const FRAME_ECHO = 3
/** Written after the commit was synced and read back: proves that what lies before it was whole. */
export const FRAME_SEAL = 4
export type FrameKind = typeof FRAME_BLOCK | typeof FRAME_COMMIT | typeof FRAME_ECHO | typeof FRAME_SEAL

export const COMPRESSION_NONE = 0
export const COMPRESSION_DEFLATE = 1
export const COMPRESSION_ZSTD = 2

export const FRAME_HEADER_BYTES = 24
/** Header bytes that take part in the chained digest: all but the two checksums. */
export const FRAME_DIGEST_BYTES = 16
export const FRAME_MAGIC = Buffer.from([0xf7, 0x54, 0x4d, 0x46])
/** A commit names every live collection (at most 65,536, each with two names): bounded before it is allocated. */
export const COMMIT_BYTES_MAX = 64 * 1024 * 1024
export const SEAL_BYTES = 40

export interface FrameHeader<Kind extends number = FrameKind> {
  readonly kind: Kind
  readonly compression: number
  readonly rawLength: number
  readonly storedLength: number
  readonly payloadCrc: number
}

/** Frames of one layout under a magic of their own. Only blocks, kind 1 of every family, are compressed. */
export interface FrameFamily {
  readonly name: string
  readonly magic: Buffer
  /** By kind: the bound of the raw length; the kinds behind it are of a later format. */
  readonly rawBytesMax: readonly number[]
}

const LOG_FRAMES: FrameFamily = {
  name: 'log',
  magic: FRAME_MAGIC,
  rawBytesMax: [0, BLOCK_RAW_BYTES_MAX, COMMIT_BYTES_MAX, COMMIT_BYTES_MAX, SEAL_BYTES],
}

/** What the checksum of a frame's header starts from. */
export function framePlace(salt: number, offset: number): number {
  return (salt ^ (offset % 4294967296) ^ Math.imul(Math.floor(offset / 4294967296), 0x9e3779b1)) >>> 0
}

/** The header for `payload`, to be written at `offset` of the file with this salt. */
export function encodeFrameHeader(
  kind: FrameKind,
  compression: number,
  rawLength: number,
  payload: Uint8Array,
  salt: number,
  offset: number,
): Buffer {
  const facts = { kind, compression, rawLength, storedLength: payload.length, payloadCrc: crc32(payload) }
  return encodeHeaderOf(LOG_FRAMES, facts, salt, offset)
}

/** The header of a frame of any family. */
export function encodeHeaderOf(family: FrameFamily, facts: FrameHeader<number>, salt: number, offset: number): Buffer {
  const header = Buffer.alloc(FRAME_HEADER_BYTES)
  family.magic.copy(header)
  header[4] = facts.kind
  header[5] = facts.compression
  header.writeUInt32LE(facts.rawLength, 8)
  header.writeUInt32LE(facts.storedLength, 12)
  header.writeUInt32LE(facts.payloadCrc, 16)
  header.writeUInt32LE(crc32(header.subarray(0, 20), framePlace(salt, offset)), 20)
  return header
}

/**
 * The header at `at` of `bytes`, which came from `offset` of the file; undefined when there is none, or one with impossible
 * lengths. A kind or a compression that is not known, under a checksum that holds, is of a later format: TIDEMARK_FORMAT_NEWER.
 */
export function decodeFrameHeader(bytes: Buffer, at: number, salt: number, offset: number): FrameHeader | undefined {
  return decodeHeaderOf(LOG_FRAMES, bytes, at, salt, offset) as FrameHeader | undefined
}

/** The same for a frame of any family. */
export function decodeHeaderOf(
  family: FrameFamily,
  bytes: Buffer,
  at: number,
  salt: number,
  offset: number,
): FrameHeader<number> | undefined {
  const { magic, rawBytesMax } = family
  if (at + FRAME_HEADER_BYTES > bytes.length) return undefined
  if (bytes[at] !== magic[0] || bytes[at + 1] !== magic[1]) return undefined
  if (bytes[at + 2] !== magic[2] || bytes[at + 3] !== magic[3]) return undefined
  if (crc32(bytes.subarray(at, at + 20), framePlace(salt, offset)) !== bytes.readUInt32LE(at + 20)) return undefined
  const kind = bytes[at + 4] as number
  const compression = bytes[at + 5] as number
  const rawLength = bytes.readUInt32LE(at + 8)
  const storedLength = bytes.readUInt32LE(at + 12)
  const most = kind === 0 ? undefined : rawBytesMax[kind]
  if (most === undefined || bytes.readUInt16LE(at + 6) !== 0 || compression > COMPRESSION_ZSTD) {
    throw new TidemarkError(
      'TIDEMARK_FORMAT_NEWER',
      `a ${family.name} frame of kind ${kind} with compression ${compression} is not known`,
      {
        hint: 'open this store with the version that wrote it',
      },
    )
  }
  const shrunk = compression === COMPRESSION_NONE ? storedLength === rawLength : kind === FRAME_BLOCK && storedLength < rawLength
  if (rawLength > most || !shrunk) return undefined
  return { kind, compression, rawLength, storedLength, payloadCrc: bytes.readUInt32LE(at + 16) }
}

/**
 * What may be the header of a commit of the log, or of its echo, where nobody knows the salt: its own checksum says nothing, so the payload has to be
 * believed by its own.
 */
export function unplacedCommit(bytes: Buffer, at: number): FrameHeader | undefined {
  if (at + FRAME_HEADER_BYTES > bytes.length || bytes.compare(FRAME_MAGIC, 0, FRAME_MAGIC.length, at, at + FRAME_MAGIC.length) !== 0)
    return undefined
  const kind = bytes[at + 4]
  const length = bytes.readUInt32LE(at + 8)
  if (kind !== FRAME_COMMIT && kind !== FRAME_ECHO) return undefined
  if (length > COMMIT_BYTES_MAX || bytes.readUInt32LE(at + 12) !== length) return undefined
  return { kind, compression: COMPRESSION_NONE, rawLength: length, storedLength: length, payloadCrc: bytes.readUInt32LE(at + 16) }
}

export function payloadMatches(header: FrameHeader<number>, payload: Uint8Array): boolean {
  return payload.length === header.storedLength && crc32(payload) === header.payloadCrc
}
