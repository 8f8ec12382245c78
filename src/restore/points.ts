/** Recovery points: the committed epochs a store's log still holds. Reads and verifies the log; keeps no state. */
import { LogScan, type Pause } from '../log/index.ts'
import type { Storage } from '../storage/index.ts'
import { openForReading } from './open.ts'

export interface RecoveryPoint {
  readonly epoch: number
  /** Time of the barrier, ms since 1970. */
  readonly time: number
  /** Bytes the epoch takes in the log. */
  readonly bytes: number
  /** Live entries of all collections. */
  readonly entries: number
  /** What was checked just now: the checksum of every frame, and the digest chain from the first epoch on. */
  readonly verified: readonly ('checksums' | 'chain')[]
}

/** The points up to `epochMax`, newest first. Damage ends the list before it. */
export async function listPoints(storage: Storage, epochMax: number, pause: Pause): Promise<readonly RecoveryPoint[]> {
  const { manifest } = await openForReading(storage)
  const scan = new LogScan({ storage, storeId: manifest.storeId, log: manifest.log, payloads: false, onDamage: 'fall-back', pause })
  const points: RecoveryPoint[] = []
  for await (const item of scan) {
    if (item.type !== 'commit') continue
    const { epoch, timeMs, blockBytes, catalogue } = item.commit
    if (epoch > epochMax) break
    const entries = catalogue.reduce((sum, entry) => sum + entry.entries, 0)
    points.push({ epoch, time: timeMs, bytes: blockBytes, entries, verified: ['checksums', 'chain'] })
  }
  return points.reverse()
}
