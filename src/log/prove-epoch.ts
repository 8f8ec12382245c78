/**
 * Making durable the last epoch that another run left in a log file. It may be in the page cache only, and a sync alone would not change that:
 * after one that failed the cache shows bytes that are nowhere else and that no later sync writes. So the epoch is written over itself, with the
 * bytes it has, and synced then. All before it was synced before it was appended. Owns nothing.
 *
 * Invariants: nothing is written unless the epoch is whole; a cut at any place leaves bytes that were there already, or are to be.
 */
import { TidemarkError } from '../base/errors.ts'
import { SCAN_READ_BYTES } from '../base/limits.ts'
import type { LogPosition } from '../format/index.ts'
import type { Storage, StorageFile } from '../storage/index.ts'
import { LogScan } from './scan.ts'

/**
 * The epoch that goes on from `before` and ends at `end`, in one file.
 * @throws TIDEMARK_FAILED when the sync fails or the bytes are others than when they were accepted; the storage's error when a call before the sync
 * fails, which says nothing about the bytes, or when they cannot be read
 */
export async function proveEpoch(storage: Storage, storeId: string, before: LogPosition, end: LogPosition): Promise<void> {
  const file = end.file as string
  const handle = await storage.open(file, 'append')
  try {
    await assertWhole(storage, storeId, before, end)
    await writeAgain(handle, before.bytes, end.bytes)
    await handle.sync().catch(cause => {
      throw failed(file, 'could not be synced', cause)
    })
  } finally {
    await handle.close().catch(() => {})
  }
  // What was written again was read, and the cache may have let go of it before: what it shows now is what is on the device.
  await assertWhole(storage, storeId, before, end)
}

async function writeAgain(handle: StorageFile, from: number, to: number): Promise<void> {
  for (let at = from; at < to; ) {
    const piece = await handle.read(at, Math.min(SCAN_READ_BYTES, to - at))
    if (piece.length === 0) throw failed(handle.path, `ends at ${at}, before its last epoch does`)
    await handle.overwrite(at, piece)
    at += piece.length
  }
}

async function assertWhole(storage: Storage, storeId: string, before: LogPosition, end: LogPosition): Promise<void> {
  const file = end.file as string
  const log = [{ file, end: { bytes: end.bytes, epoch: end.epoch, digest: end.digest } }]
  const { damage } = await new LogScan({ storage, storeId, log, from: before, payloads: false, onDamage: 'fall-back' }).run()
  if (damage !== null) throw failed(file, `does not read any more as it did: ${damage.message}`)
}

function failed(file: string, what: string, cause?: unknown): TidemarkError {
  const why = cause === undefined ? '' : `: ${(cause as Error).message}`
  return new TidemarkError('TIDEMARK_FAILED', `what the last run left in ${file} ${what}${why}`, {
    ...(cause === undefined ? {} : { cause }),
    file,
    hint: 'check the device, then open the store again: it goes on with what it finds whole, once that is on the device',
  })
}
