/** What the scheduler of a store kept, for people and programs; safe beside a living writer. Owns nothing, writes nothing. */
import { resolve } from 'node:path'
import { hasCode } from '../base/errors.ts'
import type { StoredDecision } from '../format/index.ts'
import { isUnbegun, newestNumber, noStore, noStoreIn, readNewest } from '../manifest/index.ts'
import { directoryError, FileStorage, type Storage } from '../storage/index.ts'
import { newestRecord } from './keeper.ts'

export interface DayPart {
  /** Where it begins, ms after the begin of the cycle, which is midnight UTC where the cycle is a day. */
  readonly fromMs: number
  /** Event-loop utilisation, 0 to 1, and keys written a second. */
  readonly load: number
  readonly keysPerSecond: number
  /** Cycles in which it was seen. */
  readonly seen: number
}

export interface Explanation {
  /** When it was kept, ms since 1970; 0: nothing was, or nothing that verifies. */
  readonly savedMs: number
  readonly cycleMs: number
  /** Newest last; like decisions in a row are one. */
  readonly decisions: readonly StoredDecision[]
  /** Parts of the cycle of which something is known. */
  readonly day: readonly DayPart[]
}

/** @throws TIDEMARK_NO_STORE, TIDEMARK_DIRECTORY, TIDEMARK_STORAGE */
export async function explainDirectory(directory: string): Promise<Explanation> {
  try {
    return await explainStore(new FileStorage(directory), resolve(directory))
  } catch (error) {
    throw directoryError(resolve(directory), error, 'reads')
  }
}

export async function explainStore(storage: Storage, name: string): Promise<Explanation> {
  if ((await newestNumber(storage)) === 0) throw noStoreIn(name, noStore(), 'correct the path')
  const record = await newestRecord(storage)
  if (record === undefined && (await isDeadAtBirth(storage))) throw noStoreIn(name, noStore(true))
  if (record === undefined) return { savedMs: 0, cycleMs: 0, decisions: [], day: [] }
  const { savedMs, cycleMs, decisions, load, rate, weight } = record
  const day = weight.flatMap((seen, part) =>
    seen > 0 ? [{ fromMs: (part * cycleMs) / weight.length, load: load[part] as number, keysPerSecond: rate[part] as number, seen }] : [],
  )
  return { savedMs, cycleMs, decisions, day }
}

async function isDeadAtBirth(storage: Storage): Promise<boolean> {
  const none = await readNewest(storage).then(
    () => false,
    error => hasCode(error, 'TIDEMARK_MANIFEST_DAMAGED'),
  )
  return none && (await isUnbegun(storage))
}
