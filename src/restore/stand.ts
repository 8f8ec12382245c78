/**
 * What a restore stands on: which manifest it starts from, and to which epoch it reads the log behind it.
 *
 * Owns nothing. Does not own: the judgement of the log (log/), what is loaded (load.ts).
 * Invariants: a restore stands on the newest fold point that is kept and not beyond the point asked for. A time means the newest epoch whose
 * barrier was not later by the wall clock: times need not rise, for the clock may have been set back, so all of the log behind a fold point that
 * is early enough is looked at. Damage in it counts only where an epoch that it took may be the one.
 */
import { hasCode } from '../base/errors.ts'
import { type Manifest, manifestName, type RetainedPoint } from '../format/index.ts'
import { LogScan, type ScanOptions } from '../log/index.ts'
import { readManifest } from '../manifest/index.ts'
import { isErrno, type Storage } from '../storage/index.ts'
import type { Believe } from './beside.ts'

export interface Stand {
  readonly image: Manifest
  readonly until: ScanOptions['until']
}

/** Undefined when what is asked for is older than all that is kept. */
export async function standOn(
  storage: Storage,
  newest: Manifest,
  at: 'latest' | number | Date,
  pause: () => Promise<void> | undefined,
  believe: Believe,
): Promise<Stand | undefined> {
  if (at === 'latest') return { image: newest, until: undefined }
  if (typeof at === 'number') return await standAt(storage, newest, at, believe)
  const timeMs = at.getTime()
  const image = await newestKept(storage, newest, point => point.timeMs <= timeMs, believe)
  if (image === undefined) return undefined
  const { storeId, log } = newest
  let found = image.fold?.epoch ?? 0
  let mayFollow = true
  const from = image.fold ?? undefined
  const scan = new LogScan({ storage, storeId, log, from, payloads: false, onDamage: 'fall-back', pause: () => pause() ?? undefined })
  for await (const item of scan) {
    mayFollow = item.commit.timeMs <= timeMs
    if (mayFollow) found = item.commit.epoch
  }
  const { damage } = scan.report
  if (damage !== null) await believe(damage.file)
  // Whoever reads to the damage refuses it, or falls back from it.
  return damage !== null && mayFollow ? { image, until: undefined } : await standAt(storage, newest, found, believe)
}

async function standAt(storage: Storage, newest: Manifest, epoch: number, believe: Believe): Promise<Stand | undefined> {
  const image = await newestKept(storage, newest, point => point.epoch <= epoch, believe)
  return image === undefined ? undefined : { image, until: { epoch } }
}

type Point = Pick<RetainedPoint, 'epoch' | 'timeMs'>

/** The manifest of the newest fold point that reaches so far back; before the first epoch is far enough for all. */
async function newestKept(
  storage: Storage,
  newest: Manifest,
  reaches: (point: Point) => boolean,
  believe: Believe,
): Promise<Manifest | undefined> {
  if (newest.fold === null || reaches(newest.fold)) return newest
  for (const point of newest.retained.toReversed()) {
    if (point.epoch > 0 && !reaches(point)) continue
    try {
      return await readManifest(storage, point.number)
    } catch (error) {
      // An older one will do, with more of the log behind it.
      const unread = isErrno(error, 'EIO') || isErrno((error as Error).cause, 'ENOENT')
      if (!unread && !hasCode(error, 'TIDEMARK_MANIFEST_DAMAGED')) throw error
      await believe(manifestName(point.number))
    }
  }
  return undefined
}
