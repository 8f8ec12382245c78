/**
 * Making durable the last epoch that another run left in a log file. It may be in the page cache only, and a sync alone would not change that:
 * after one that failed the cache shows bytes that are nowhere else and that no later sync writes. So the epoch is written over itself, with the
 * bytes it has, and synced then. All before it was synced before it was appended. Owns nothing.
 *
 * Invariants: nothing is written but frames whose checksums hold in the very memory they are written from; a cut at any place leaves bytes that were
 * there already, or are to be.
 */
import { hasCode, TidemarkError } from '../base/errors.ts'
import { decodeFrameHeader, FRAME_HEADER_BYTES, type LogEntry, type LogPosition, payloadMatches } from '../format/index.ts'
import { notWhereItWas, type Storage, type StorageFile } from '../storage/index.ts'
import { MISSING, openLog } from './open-log.ts'
import { readsOtherwise } from './reads-otherwise.ts'
import { LogScan } from './scan.ts'
import type { EpochPlace } from './scan-items.ts'
import { isUnreadable, type Window } from './window.ts'

/**
 * The epoch that ends at `end`, in one file.
 * @throws TIDEMARK_FAILED when the sync fails or the bytes are others than when they were accepted; the storage's error when a call before the sync
 * fails, which says nothing about the bytes, or when they cannot be read; TIDEMARK_STORAGE when the file is not there
 */
export async function proveEpoch(storage: Storage, storeId: string, place: EpochPlace, end: LogPosition): Promise<void> {
  const file = end.file as string
  const handle = await storage.open(file, 'append')
  try {
    await assertWhole(storage, storeId, place, end)
    await writeAgain(storage, storeId, place, end, handle)
    await handle.sync().catch(cause => {
      throw failed(file, 'could not be synced', cause)
    })
  } finally {
    await handle.close().catch(() => {})
  }
  // What was written again was read, and the cache may have let go of it before: what it shows now is what is on the device.
  await assertWhole(storage, storeId, place, end)
}

async function writeAgain(
  storage: Storage,
  storeId: string,
  { start, commitAt }: EpochPlace,
  end: LogPosition,
  handle: StorageFile,
): Promise<void> {
  const log = await openLog(storage, entryOf(end), storeId, undefined)
  if (!('window' in log)) throw readsNoMore(handle.path, log.message, log.message)
  const { window, header } = log
  /** Bytes of the frame; 0: it is not whole, and stays as it is. `spare`: nor is it missed where the device does not give it back. */
  const again = async (at: number, spare = false): Promise<number> => {
    const frame = await wholeFrame(window, at, header.salt).catch(error => {
      if (!spare || !isUnreadable(error)) throw error
    })
    if (!frame) return 0
    await handle.overwrite(at, frame)
    return frame.length
  }
  try {
    for (let at = start; at < commitAt; ) {
      const length = await again(at)
      if (length === 0) throw readsOtherwise({ file: handle.path, offset: at }, left(handle.path))
      at += length
    }
    // Either may be damaged or missing; they are of one length.
    const length = await again(commitAt)
    const echoAt = length > 0 ? commitAt + length : (commitAt + end.bytes) / 2
    const echo = Number.isInteger(echoAt) && echoAt < end.bytes ? await again(echoAt, length > 0) : 0
    if (length === 0 && echo === 0) throw readsOtherwise({ file: handle.path, offset: commitAt }, left(handle.path))
  } finally {
    await window.file.close().catch(() => {})
  }
}

async function wholeFrame(window: Window, at: number, salt: number): Promise<Buffer | undefined> {
  const head = await window.view(at, FRAME_HEADER_BYTES)
  const header = decodeFrameHeader(head, 0, salt, at)
  if (header === undefined) return undefined
  const payload = await window.view(at + FRAME_HEADER_BYTES, header.storedLength)
  return payloadMatches(header, payload) ? Buffer.concat([head, payload]) : undefined
}

/** Its file, as if it were closed there. */
function entryOf({ file, bytes, epoch, digest }: LogPosition): LogEntry {
  return { file: file as string, end: { bytes, epoch, digest } }
}

async function assertWhole(storage: Storage, storeId: string, { before }: EpochPlace, end: LogPosition): Promise<void> {
  const entry = entryOf(end)
  // What the device does not give back now it may give back later.
  await new LogScan({ storage, storeId, log: [entry], from: before, payloads: false, onDamage: 'refuse' }).run().catch(error => {
    if (!hasCode(error, 'TIDEMARK_LOG_DAMAGED')) throw error
    throw readsNoMore(entry.file, (error as TidemarkError).info?.['message'], (error as Error).message)
  })
}

/** Where the file is not there, nothing is known of its bytes: the directory was moved away, and may be put back. */
function readsNoMore(file: string, found: unknown, why: string): TidemarkError {
  return found === MISSING ? notWhereItWas(file, 'is gone') : failed(file, `does not read any more as it did: ${why}`)
}

const left = (file: string): string => `what the last run left in ${file}`

function failed(file: string, what: string, cause?: unknown): TidemarkError {
  const why = cause === undefined ? '' : `: ${(cause as Error).message}`
  return new TidemarkError('TIDEMARK_FAILED', `${left(file)} ${what}${why}`, {
    ...(cause === undefined ? {} : { cause }),
    file,
    hint: 'check the device, then open the store again: it goes on with what it finds whole, once that is on the device',
  })
}
