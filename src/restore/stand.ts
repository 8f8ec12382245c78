/**
 * What a restore stands on: which manifest it starts from, and to which epoch it reads the log behind it.
 *
 * Owns nothing. Does not own: the judgement of the log (log/), what is loaded (load.ts).
 * Invariants: a restore stands on the newest fold point that is kept and not beyond the point asked for. A time means the newest epoch whose
 * barrier was not later by the wall clock: times need not rise, for the clock may have been set back, so all of the log behind a fold point that
 * is early enough is looked at; where none is, for the clock was ahead when they were made, behind each of them, and where
 * damage ends it, behind those beyond the damage, and one right before it. That counts only where an epoch that it took may be the one: it takes none
 * where the next is that of a fold point that can be stood on.
 */
import type { Pauser } from '../base/pauser.ts'
import type { Manifest, RetainedPoint } from '../format/index.ts'
import { type LogDamage, LogScan, type ScanOptions } from '../log/index.ts'
import type { Storage } from '../storage/index.ts'
import type { Believe } from './beside.ts'
import { isUnfit, readKept, type Unfit, unfitSegment } from './kept.ts'
import type { OpenedStore } from './open.ts'

export interface Stand {
  readonly image: Manifest
  readonly until: ScanOptions['until']
  /** What ended the look for a time: what is read now ends there, too, or nobody knows which epoch was the newest that is early enough. */
  readonly damage?: LogDamage
}

interface Looked {
  readonly stand: Stand | Unfit | undefined
  readonly damage: LogDamage | null
}

/**
 * Undefined when what is asked for is older than all that is kept; the first fold point that was passed over, when none that is old enough can be
 * stood on.
 */
export async function standOn(
  storage: Storage,
  opened: OpenedStore,
  at: 'latest' | number | Date,
  pause: Pauser,
  believe: Believe,
): Promise<Stand | Unfit | undefined> {
  const { manifest: newest } = opened
  if (at === 'latest') return { image: newest, until: undefined }
  if (typeof at === 'number') return await standAt(storage, newest, at, believe)
  return await standAtTime(storage, opened, at.getTime(), pause, believe)
}

async function standAtTime(
  storage: Storage,
  { manifest: newest, leftOverEpoch }: OpenedStore,
  timeMs: number,
  pause: Pauser,
  believe: Believe,
): Promise<Stand | Unfit | undefined> {
  const { storeId, log, fold: known } = newest
  /** On the newest epoch that is early enough, at the fold point of `image` or behind it; and what ended the look. */
  const behind = async (image: Manifest, until?: { readonly epoch: number }): Promise<Looked> => {
    const from = image.fold ?? undefined
    let mayFollow = from === undefined || from.timeMs <= timeMs
    let found = mayFollow ? (from?.epoch ?? 0) : undefined
    const options = { payloads: false, onDamage: 'fall-back', pause } as const
    const scan = new LogScan({ storage, storeId, log, leftOverEpoch, from, known, until, ...options })
    for await (const item of scan) {
      mayFollow = item.commit.timeMs <= timeMs
      if (mayFollow) found = item.commit.epoch
    }
    const { damage } = scan.report
    if (damage !== null) await believe(damage.file)
    // Whoever reads to the damage refuses it, or falls back from it.
    if (damage !== null && mayFollow && !(await isHeld(storage, newest, damage.firstLostEpoch)))
      return { stand: { image, until: undefined, damage }, damage }
    return { stand: found === undefined ? undefined : await standAt(storage, newest, found, believe), damage }
  }
  /** The same behind each fold point from epoch `least` on, the newest first. */
  const behindEach = async (least: number): Promise<Stand | Unfit | undefined> => {
    let found: Stand | Unfit | undefined
    let until: { readonly epoch: number } | undefined
    if ((newest.fold?.epoch ?? 0) < least) return undefined
    const unfit = await unfitSegment(storage, newest)
    for (const point of [undefined, ...newest.retained.toReversed()]) {
      if (point !== undefined && point.epoch < least) break
      const kept = await believed(point === undefined ? (unfit ?? newest) : await readKept(storage, newest, point), believe)
      if (isUnfit(kept)) continue
      found = (await behind(kept, until)).stand
      if (found !== undefined && !isUnfit(found)) break
      until = { epoch: kept.fold?.epoch ?? 0 }
    }
    return until === undefined ? (found ?? unfit) : found
  }
  const image = await newestKept(storage, newest, point => point.timeMs <= timeMs, believe)
  if (image === undefined || isUnfit(image)) return (await behindEach(0)) ?? image
  const { stand, damage } = await behind(image)
  if (damage === null) return stand
  // Behind it the clock may have been set back: what a later fold point leads to, or one right before the damage, is newer than all that is lost.
  const later = await behindEach(damage.firstLostEpoch - 1)
  return later === undefined || isUnfit(later) ? stand : later
}

async function standAt(storage: Storage, newest: Manifest, epoch: number, believe: Believe): Promise<Stand | Unfit | undefined> {
  const image = await newestKept(storage, newest, point => point.epoch <= epoch, believe)
  return image === undefined || isUnfit(image) ? image : { image, until: { epoch } }
}

type Point = Pick<RetainedPoint, 'epoch' | 'timeMs'>

/**
 * The manifest of the newest fold point that reaches so far back; before the first epoch is far enough for all. Where nothing can stand on it an older
 * one will do, with more of the log behind it; where on none, what is wrong with the newest.
 */
async function newestKept(
  storage: Storage,
  newest: Manifest,
  reaches: (point: Point) => boolean,
  believe: Believe,
): Promise<Manifest | Unfit | undefined> {
  if (newest.fold === null) return newest
  let passed: Unfit | undefined
  if (reaches(newest.fold)) {
    const found = await believed((await unfitSegment(storage, newest)) ?? newest, believe)
    if (!isUnfit(found)) return found
    passed = found
  }
  for (const point of newest.retained.toReversed()) {
    if (point.epoch > 0 && !reaches(point)) continue
    const kept = await believed(await readKept(storage, newest, point), believe)
    if (!isUnfit(kept)) return kept
    passed ??= kept
  }
  return passed
}

/** Whether a fold point at this very epoch can be stood on. */
async function isHeld(storage: Storage, newest: Manifest, epoch: number): Promise<boolean> {
  if (newest.fold?.epoch === epoch) return (await unfitSegment(storage, newest)) === undefined
  const point = newest.retained.find(each => each.epoch === epoch)
  return point !== undefined && !isUnfit(await readKept(storage, newest, point))
}

async function believed(kept: Manifest | Unfit, believe: Believe): Promise<Manifest | Unfit> {
  if (isUnfit(kept)) await believe(kept.file)
  return kept
}
