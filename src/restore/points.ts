/** Recovery points: the oldest fold point that is kept, and the committed epochs the log still holds behind it. Reads and verifies the log; keeps no state. */
import { resolve } from 'node:path'
import { POINTS_LISTED_MAX } from '../base/limits.ts'
import { type Pauser, systemPauser } from '../base/pauser.ts'
import {
  type CatalogueEntry,
  entriesOf,
  LOG_HEADER_BYTES,
  type LogPosition,
  laggingIn,
  type Manifest,
  manifestName,
} from '../format/index.ts'
import { LogScan } from '../log/index.ts'
import { newestNumber, noStoreIn } from '../manifest/index.ts'
import { FileStorage, type Storage } from '../storage/index.ts'
import { type Believe, besideWriter, openAgain } from './beside.ts'
import { isUnfit, readKept, type Unfit, unfitSegment } from './kept.ts'
import { ListedPoints } from './listed.ts'
import { type OpenedStore, openForReading } from './open.ts'
import type { RecoveryPoint } from './recovery-point.ts'

const VERIFIED = ['checksums', 'chain'] as const

/**
 * The points up to `epochMax`, as of when each is read, or to the fold point where that is later, newest first: the oldest fold point that is kept, and
 * the log behind it. Where the log is damaged, or what the fold point stands on is missing, the list goes on at the next fold point that is kept, be it the
 * last epoch that was read; behind the newest of them it ends. Beyond the newest `most` only fold points that are kept are listed, and what is left out
 * between them is counted. What the store gave up meanwhile is not in the list: one that folds beyond its retention, or goes back to the past.
 * @throws what is wrong with the first fold point where nothing can stand on any
 */
export async function listPoints(
  storage: Storage,
  epochMax: () => number,
  pause: Pauser,
  most = POINTS_LISTED_MAX,
): Promise<readonly RecoveryPoint[]> {
  return await besideWriter(storage, await openForReading(storage, pause), pause, async (opened, believe) => {
    const { manifest } = opened
    // What is folded was acknowledged, if after this was asked for.
    const upTo = (): number => Math.max(epochMax(), manifest.fold?.epoch ?? 0)
    const points = await pointsOf(storage, opened, { epochMax: upTo, most }, pause, believe)
    if ((await newestNumber(storage)) === manifest.number) return points
    const newest = (await openAgain(storage, pause))?.manifest ?? manifest
    // Of history that was given up since, nobody can say from here where it ended.
    if (newest.lineage.at(-1)?.id !== manifest.lineage.at(-1)?.id) await believe(undefined)
    const oldest = oldestKept(newest)
    const left = points.findLast(({ epoch }) => epoch >= oldest)
    // Nothing that was read is kept, and something is.
    if (left === undefined && oldest > 0) await believe(manifestName(manifest.number))
    const isInside = (left?.unlisted?.lastEpoch ?? 0) >= oldest && (left?.unlisted?.firstEpoch ?? oldest) < oldest
    // Nor how much of what is counted together is kept.
    if (isInside) await believe(undefined)
    return points.filter(({ epoch }) => epoch >= oldest).map(point => (point === left ? since(point, oldest) : point))
  })
}

/** As `listPoints`, for who has no store: an open at the newest point may not succeed where others do. @throws TIDEMARK_NO_STORE, TIDEMARK_DIRECTORY */
export async function pointsOfDirectory(directory: string): Promise<readonly RecoveryPoint[]> {
  try {
    return await listPoints(new FileStorage(directory), () => Number.POSITIVE_INFINITY, systemPauser())
  } catch (error) {
    throw noStoreIn(resolve(directory), error, 'correct the path')
  }
}

/** The epoch of the oldest fold point that is kept. */
function oldestKept({ retained, fold }: Manifest): number {
  return (retained[0] ?? fold)?.epoch ?? 0
}

/** As the oldest point of a list: what lies before `oldest` is not kept any more. */
function since(point: RecoveryPoint, oldest: number): RecoveryPoint {
  const { lost, unlisted } = point
  const { firstLostEpoch = 0, lastLostEpoch = -1 } = lost ?? {}
  return {
    ...point,
    lost: lost === undefined || lastLostEpoch < oldest ? undefined : { ...lost, firstLostEpoch: Math.max(firstLostEpoch, oldest) },
    unlisted: (unlisted?.firstEpoch ?? -1) < oldest ? undefined : unlisted,
  }
}

async function pointsOf(
  storage: Storage,
  { manifest, leftOverEpoch }: OpenedStore,
  { epochMax, most }: { readonly epochMax: () => number; readonly most: number },
  pause: Pauser,
  believe: Believe,
): Promise<RecoveryPoint[]> {
  const { storeId, log, lineage, fold: known } = manifest
  /** What keeps epochs from `next` on from being restored. */
  let wrong: Pick<Unfit, 'file' | 'message'> | undefined
  /** The first fold point on which nothing can stand. */
  let unfit: Unfit | undefined
  const kept = [...manifest.retained, { number: manifest.number, epoch: manifest.fold?.epoch ?? 0, timeMs: 0 }]
  const foldPoints = new Set(kept.map(({ epoch }) => epoch))
  const points = new ListedPoints(most, epoch => foldPoints.has(epoch))
  let next = kept[0]?.epoch as number
  const add = (
    epoch: number,
    time: number,
    bytes: number,
    catalogue: readonly CatalogueEntry[],
    verified: RecoveryPoint['verified'],
  ): void => {
    const entries = entriesOf(catalogue)
    const lost = wrong && next < epoch ? { firstLostEpoch: Math.max(1, next), lastLostEpoch: epoch - 1, ...wrong } : undefined
    const lagging = laggingIn(catalogue)
    points.add({ epoch, time, lineage: lineageOf(lineage, epoch), bytes, entries, lagging, verified, lost, unlisted: undefined })
    wrong = undefined
    next = epoch + 1
  }
  for (const point of kept) {
    const { number, epoch: from } = point
    // One at the last epoch that was read leads on where its file ends with it, and was damaged behind that epoch.
    if (from < next - 1) continue
    if (from > epochMax()) break
    const found =
      number === manifest.number ? ((await unfitSegment(storage, manifest)) ?? manifest) : await readKept(storage, manifest, point)
    if (isUnfit(found)) {
      await believe(found.file)
      unfit ??= found
      wrong ??= { file: found.file, message: found.message }
      continue
    }
    const { fold } = found
    if (fold !== null && fold.epoch >= next) add(fold.epoch, fold.timeMs, 0, fold.catalogue, [])
    const options = { known, leftOverEpoch, payloads: false, onDamage: 'fall-back', pause } as const
    const scan = new LogScan({ storage, storeId, log, from: fold ?? undefined, ...options })
    let before: LogPosition | null = fold
    for await (const item of scan) {
      if (item.type !== 'commit') continue
      const { commit, position } = item
      if (commit.epoch > epochMax()) break
      const start = before?.file === position.file ? before.bytes : LOG_HEADER_BYTES
      add(commit.epoch, commit.timeMs, position.bytes - start, commit.catalogue, VERIFIED)
      before = position
    }
    const { damage } = scan.report
    if (damage === null) break
    const { file, offset, message } = damage
    await believe(file)
    wrong = { file, message: `${file} is damaged at ${offset}: ${message}` }
  }
  const listed = points.newestFirst()
  if (listed.length === 0 && unfit !== undefined) throw unfit.error
  return listed
}

/** That in which the epoch was written: the last that began before it. */
function lineageOf(lineage: Manifest['lineage'], epoch: number): string {
  return lineage.findLast(({ forkEpoch }) => forkEpoch < epoch)?.id ?? ''
}
