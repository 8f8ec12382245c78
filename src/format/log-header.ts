/**
 * The header of a log file. Byte table: docs/format/log-header.md.
 *
 * Does: encodes and checks it. It stands twice, in two sectors, so that one bad sector does not take the file with it.
 * Invariants: frames begin at LOG_HEADER_BYTES; nothing of the file is believed when neither copy is whole.
 */
import { crc32 } from 'node:zlib'
import { TidemarkError } from '../base/errors.ts'

export const LOG_FORMAT = 1
/** Both copies with their padding: frames begin here. */
export const LOG_HEADER_BYTES = 1024
const COPY_AT = 512
const COPY_BYTES = 96
const MAGIC = Buffer.from('tidelog\n')

export interface LogHeader {
  /** 32 hex digits. */
  readonly storeId: string
  readonly token: number
  readonly sequence: number
  /** Epoch and digest of the last commit before this file. */
  readonly baseEpoch: number
  readonly baseDigest: string
  /** Random: takes part in every frame's checksum. */
  readonly salt: number
}

export function encodeLogHeader(header: LogHeader): Buffer {
  const bytes = Buffer.alloc(LOG_HEADER_BYTES)
  MAGIC.copy(bytes)
  bytes.writeUInt16LE(LOG_FORMAT, 8)
  bytes.writeUInt16LE(COPY_BYTES, 10)
  bytes.write(header.storeId, 16, 16, 'hex')
  bytes.writeUInt32LE(header.token, 32)
  bytes.writeUInt32LE(header.sequence, 36)
  bytes.writeBigUInt64LE(BigInt(header.baseEpoch), 40)
  bytes.write(header.baseDigest, 48, 32, 'hex')
  bytes.writeUInt32LE(header.salt, 80)
  bytes.writeUInt32LE(crc32(bytes.subarray(0, COPY_BYTES - 4)), COPY_BYTES - 4)
  bytes.copy(bytes, COPY_AT, 0, COPY_BYTES)
  return bytes
}

/** Reads the first LOG_HEADER_BYTES of a file. `healed`: one of the two copies was damaged. */
export function decodeLogHeader(bytes: Buffer, file: string): { readonly header: LogHeader; readonly healed: boolean } {
  const first = decodeCopy(bytes, 0, file)
  const second = decodeCopy(bytes, COPY_AT, file)
  const header = first ?? second
  const same = first === undefined || second === undefined || bytes.compare(bytes, COPY_AT, COPY_AT + COPY_BYTES, 0, COPY_BYTES) === 0
  if (header === undefined || !same || bytes.length < LOG_HEADER_BYTES) {
    throw new TidemarkError('TIDEMARK_LOG_DAMAGED', `the header of ${file} is damaged`, {
      file,
      info: { file, offset: 0 },
      hint: 'open with onDamage: fall-back to go back to the last healthy epoch',
    })
  }
  const padded = bytes.subarray(COPY_BYTES, COPY_AT).every(isZero) && bytes.subarray(COPY_AT + COPY_BYTES, LOG_HEADER_BYTES).every(isZero)
  return { header, healed: first === undefined || second === undefined || !padded }
}

function decodeCopy(bytes: Buffer, at: number, file: string): LogHeader | undefined {
  if (at + COPY_BYTES > bytes.length || bytes.compare(MAGIC, 0, MAGIC.length, at, at + MAGIC.length) !== 0) return undefined
  if (crc32(bytes.subarray(at, at + COPY_BYTES - 4)) !== bytes.readUInt32LE(at + COPY_BYTES - 4)) return undefined
  const version = bytes.readUInt16LE(at + 8)
  const zero = bytes.readUInt32LE(at + 12) | bytes.readUInt32LE(at + 84) | bytes.readUInt32LE(at + 88)
  if (version !== LOG_FORMAT || bytes.readUInt16LE(at + 10) !== COPY_BYTES || zero !== 0) {
    throw new TidemarkError('TIDEMARK_FORMAT_NEWER', `${file} has log format ${version}, this is version ${LOG_FORMAT}`, {
      file,
      hint: 'open this store with the version that wrote it',
    })
  }
  const baseEpoch = Number(bytes.readBigUInt64LE(at + 40))
  if (!Number.isSafeInteger(baseEpoch)) return undefined
  return {
    storeId: bytes.toString('hex', at + 16, at + 32),
    token: bytes.readUInt32LE(at + 32),
    sequence: bytes.readUInt32LE(at + 36),
    baseEpoch,
    baseDigest: bytes.toString('hex', at + 48, at + 80),
    salt: bytes.readUInt32LE(at + 80),
  }
}

function isZero(byte: number): boolean {
  return byte === 0
}
