/** Recovery points: the oldest fold point that is kept, and the committed epochs the log still holds behind it. Reads and verifies the log; keeps no state. */
import { type CatalogueEntry, type Lagging, LOG_HEADER_BYTES, type LogPosition, laggingIn, type Manifest } from '../format/index.ts'
import { LogScan, type Pause } from '../log/index.ts'
import type { Storage } from '../storage/index.ts'
import { type Believe, besideWriter } from './beside.ts'
import { isUnfit, readKept, type Unfit, unfitSegment } from './kept.ts'
import { openForReading } from './open.ts'

export interface RecoveryPoint {
  readonly epoch: number
  /** Time of the barrier, ms since 1970. */
  readonly time: number
  /** Of the history it was written in. A restore to an earlier point begins a new one, in which the epochs behind that point are counted anew. */
  readonly lineage: string
  /** Bytes the epoch takes in the log, its commit included; 0 when only the segments hold it. */
  readonly bytes: number
  /** Live entries of all collections; at most so many where values were refused. */
  readonly entries: number
  /** Collections that the epoch left out, each with the earlier epoch whose state of it this point has. */
  readonly lagging: readonly Lagging[]
  /**
   * What was checked just now of the epoch in the log: the checksum of every frame, and the digest chain from the fold point before it on. Empty
   * where only segments hold it, of which it is known that they are there: `verify` reads them.
   */
  readonly verified: readonly ('checksums' | 'chain')[]
  /** Kept epochs between the point before this one and this one that cannot be restored. Behind the newest fold point damage ends the list. */
  readonly lost: LostEpochs | undefined
}

export interface LostEpochs {
  readonly firstLostEpoch: number
  readonly lastLostEpoch: number
  readonly file: string
  /** What is wrong with the file, and where. */
  readonly message: string
}

/**
 * The points up to `epochMax`, newest first: the oldest fold point that is kept, and the log behind it. Where the log is damaged, or what the fold
 * point stands on is missing, the list goes on at the next fold point that is kept; behind the newest of them it ends.
 * @throws what is wrong with the first fold point where nothing can stand on any
 */
export async function listPoints(storage: Storage, epochMax: number, pause: Pause): Promise<readonly RecoveryPoint[]> {
  return await besideWriter(storage, await openForReading(storage), ({ manifest }, believe) =>
    pointsOf(storage, manifest, epochMax, pause, believe),
  )
}

async function pointsOf(storage: Storage, manifest: Manifest, epochMax: number, pause: Pause, believe: Believe): Promise<RecoveryPoint[]> {
  const { storeId, log, lineage } = manifest
  const points: RecoveryPoint[] = []
  /** What keeps epochs from `next` on from being restored. */
  let wrong: Pick<Unfit, 'file' | 'message'> | undefined
  /** The first fold point on which nothing can stand. */
  let unfit: Unfit | undefined
  const kept = [...manifest.retained, { number: manifest.number, epoch: manifest.fold?.epoch ?? 0 }]
  let next = kept[0]?.epoch as number
  const add = (
    epoch: number,
    time: number,
    bytes: number,
    catalogue: readonly CatalogueEntry[],
    verified: RecoveryPoint['verified'],
  ): void => {
    const entries = catalogue.reduce((sum, entry) => sum + entry.entries, 0)
    const lost = wrong && next < epoch ? { firstLostEpoch: Math.max(1, next), lastLostEpoch: epoch - 1, ...wrong } : undefined
    points.push({ epoch, time, lineage: lineageOf(lineage, epoch), bytes, entries, lagging: laggingIn(catalogue), verified, lost })
    wrong = undefined
    next = epoch + 1
  }
  for (const { number, epoch: from } of kept) {
    if (from < next) continue
    if (from > epochMax) break
    const found = number === manifest.number ? ((await unfitSegment(storage, manifest)) ?? manifest) : await readKept(storage, number)
    if (isUnfit(found)) {
      await believe(found.file)
      unfit ??= found
      wrong ??= { file: found.file, message: found.message }
      continue
    }
    const { fold } = found
    if (fold !== null) add(fold.epoch, fold.timeMs, 0, fold.catalogue, [])
    const scan = new LogScan({ storage, storeId, log, from: fold ?? undefined, payloads: false, onDamage: 'fall-back', pause })
    let before: LogPosition | null = fold
    for await (const item of scan) {
      if (item.type !== 'commit') continue
      const { commit, position } = item
      if (commit.epoch > epochMax) break
      const start = before?.file === position.file ? before.bytes : LOG_HEADER_BYTES
      add(commit.epoch, commit.timeMs, position.bytes - start, commit.catalogue, ['checksums', 'chain'])
      before = position
    }
    const { damage } = scan.report
    if (damage === null) break
    const { file, offset, message } = damage
    await believe(file)
    wrong = { file, message: `${file} is damaged at ${offset}: ${message}` }
  }
  if (points.length === 0 && unfit !== undefined) throw unfit.error
  return points.reverse()
}

/** That in which the epoch was written: the last that began before it. */
function lineageOf(lineage: Manifest['lineage'], epoch: number): string {
  return lineage.findLast(({ forkEpoch }) => forkEpoch < epoch)?.id ?? ''
}
