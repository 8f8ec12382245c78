/** Opening one log file for reading: its header, checked against the manifest and against what came before. */
import { hasCode } from '../base/errors.ts'
import type { Pauser } from '../base/pauser.ts'
import { decodeLogHeader, LOG_HEADER_BYTES, type LogEntry, type LogHeader, type LogPosition, logNumbers } from '../format/index.ts'
import { nameOf, type Storage } from '../storage/index.ts'
import { findEvidence } from './evidence.ts'
import { readExactly, Window } from './window.ts'

export interface OpenLog {
  readonly entry: LogEntry
  readonly header: LogHeader
  readonly window: Window
  /** Where frames begin. */
  readonly start: number
  /** A copy of the header was damaged. */
  readonly healed: boolean
}

export interface NotALog {
  readonly offset: number
  readonly message: string
  /** But for 'damaged' its bytes are whole as far as is known, and the one that is meant may be, too: it is not where it should be. */
  readonly kind: 'missing' | 'foreign' | 'base' | 'damaged'
}

/** Of a file that is not there: it says nothing of its bytes, and it may come back. */
export const MISSING = 'the file is missing'

/** The file, to be closed by the caller, or what is wrong with it: at a second look, for what was answered may have been wrong. */
export async function openLog(...asked: Parameters<typeof openOnce>): Promise<OpenLog | NotALog> {
  const opened = await openOnce(...asked)
  return 'window' in opened ? opened : await openOnce(...asked)
}

async function openOnce(storage: Storage, entry: LogEntry, storeId: string, base: LogPosition | undefined): Promise<OpenLog | NotALog> {
  if (!(await storage.exists(entry.file))) return { offset: 0, message: MISSING, kind: 'missing' }
  const file = await storage.open(entry.file, 'read')
  let opened = false
  try {
    const size = await file.size()
    const limit = entry.end === null ? size : Math.min(entry.end.bytes, size)
    const { header, healed } = decodeLogHeader(await readExactly(file, 0, LOG_HEADER_BYTES), entry.file)
    const numbers = logNumbers(nameOf(entry.file))
    if (header.storeId !== storeId) return { offset: 0, message: 'the file belongs to another store', kind: 'foreign' }
    if (header.token !== numbers?.token || header.sequence !== numbers.sequence)
      return { offset: 0, message: 'the file has another name in its header', kind: 'foreign' }
    if (base !== undefined && (header.baseEpoch !== base.epoch || header.baseDigest !== base.digest)) {
      return { offset: 0, message: `the file goes on from epoch ${header.baseEpoch}, not from epoch ${base.epoch}`, kind: 'base' }
    }
    opened = true
    return { entry, header, window: new Window(file, limit), start: LOG_HEADER_BYTES, healed }
  } catch (error) {
    if (hasCode(error, 'TIDEMARK_LOG_DAMAGED')) return { offset: 0, message: (error as Error).message, kind: 'damaged' }
    throw error
  } finally {
    if (!opened) await file.close()
  }
}

/**
 * What helps. Where the file that is meant is not there its epochs are as whole as they were: only who has lost it gives them up. `asked`: an epoch that
 * was asked for: what is kept before and behind it is not to be given up for it.
 */
export function cureOf(kind: NotALog['kind'], first: number, last: number, asked: number | undefined): string {
  const isDamaged = kind === 'damaged'
  const putBack = 'put the file back, or the folder `manifest` that belongs to it; only where it is lost'
  if (asked !== undefined) {
    const why = isDamaged ? `epochs ${first} to ${last} cannot be read, and so` : putBack
    return `${why} epoch ${asked} cannot be restored: choose another of recoveryPoints() (\`tidemark log\`), before or behind these`
  }
  const fallBack = `keep a copy of the directory, then open with onDamage: 'fall-back' to go on at epoch ${first - 1}`
  return isDamaged
    ? `epochs ${first} to ${last} cannot be read; ${fallBack}`
    : `${putBack}, and with it epochs ${first} to ${last}: ${fallBack}`
}

/** The highest epoch of which this file has a trace; 0 when there is none. `gaps`: as far as the device gives it back. */
export async function lastSeenIn(storage: Storage, entry: LogEntry, storeId: string, pause: Pauser, gaps = false): Promise<number> {
  if (entry.end !== null) return entry.end.epoch
  const opened = await openLog(storage, entry, storeId, undefined)
  if (!('window' in opened)) return 0
  try {
    const { header, window, start } = opened
    return Math.max(header.baseEpoch, (await findEvidence(window, start, header.salt, 0, pause, gaps)).lastSeenEpoch)
  } finally {
    await opened.window.file.close()
  }
}
