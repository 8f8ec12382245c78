/**
 * The payload of a seal frame: epoch and digest of the commit it stands behind. Written when that commit was synced and read back, and
 * not synced itself. With it, a broken epoch was whole once: that is damage. Without it, the epoch may have been torn on its way out.
 */
import { SEAL_BYTES } from './frame.ts'

export interface Seal {
  readonly epoch: number
  readonly digest: string
}

export function encodeSeal(seal: Seal): Buffer {
  const bytes = Buffer.alloc(SEAL_BYTES)
  bytes.writeBigUInt64LE(BigInt(seal.epoch), 0)
  bytes.write(seal.digest, 8, 32, 'hex')
  return bytes
}

/** Undefined for anything that is no seal. */
export function decodeSeal(bytes: Buffer): Seal | undefined {
  if (bytes.length !== SEAL_BYTES) return undefined
  const epoch = Number(bytes.readBigUInt64LE(0))
  return Number.isSafeInteger(epoch) ? { epoch, digest: bytes.toString('hex', 8) } : undefined
}
