/** Recovery points: the oldest fold point that is kept, and the committed epochs the log still holds behind it. Reads and verifies the log; keeps no state. */
import { type CatalogueEntry, type Lagging, laggingIn, type Manifest } from '../format/index.ts'
import { LogScan, type Pause } from '../log/index.ts'
import type { Storage } from '../storage/index.ts'
import { type Believe, besideWriter } from './beside.ts'
import { standOn } from './load.ts'
import { openForReading } from './open.ts'

export interface RecoveryPoint {
  readonly epoch: number
  /** Time of the barrier, ms since 1970. */
  readonly time: number
  /** Bytes the epoch takes in the log; 0 when only the segments hold it. */
  readonly bytes: number
  /** Live entries of all collections; at most so many where values were refused. */
  readonly entries: number
  /** Collections that the epoch left out, each with the earlier epoch whose state of it this point has. */
  readonly lagging: readonly Lagging[]
  /** What was checked just now: the checksum of every frame, and the digest chain from the first epoch on. */
  readonly verified: readonly ('checksums' | 'chain')[]
}

/** The points up to `epochMax`, newest first: the oldest fold point that is kept, and the log behind it. Damage ends the list before it. */
export async function listPoints(storage: Storage, epochMax: number, pause: Pause): Promise<readonly RecoveryPoint[]> {
  return await besideWriter(storage, await openForReading(storage), ({ manifest }, believe) =>
    pointsOf(storage, manifest, epochMax, pause, believe),
  )
}

async function pointsOf(storage: Storage, manifest: Manifest, epochMax: number, pause: Pause, believe: Believe): Promise<RecoveryPoint[]> {
  const { storeId, log } = manifest
  const { fold } = (await standOn(storage, manifest, manifest.retained[0]?.epoch ?? 'latest')) ?? manifest
  const scan = new LogScan({ storage, storeId, log, from: fold ?? undefined, payloads: false, onDamage: 'fall-back', pause })
  const points: RecoveryPoint[] = []
  const add = (epoch: number, time: number, bytes: number, catalogue: readonly CatalogueEntry[]): void => {
    const entries = catalogue.reduce((sum, entry) => sum + entry.entries, 0)
    points.push({ epoch, time, bytes, entries, lagging: laggingIn(catalogue), verified: ['checksums', 'chain'] })
  }
  if (fold !== null && fold.epoch <= epochMax) add(fold.epoch, fold.timeMs, 0, fold.catalogue)
  for await (const item of scan) {
    if (item.type !== 'commit') continue
    const { epoch, timeMs, blockBytes, catalogue } = item.commit
    if (epoch > epochMax) break
    add(epoch, timeMs, blockBytes, catalogue)
  }
  const { damage } = scan.report
  if (damage !== null) await believe(damage.file)
  return points.reverse()
}
