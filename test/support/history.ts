/** A store with a past: a service that kept fold points of a month had one a day. And what damages it. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { open } from 'tidemark'
import { systemClock } from '../../src/base/clock.ts'
import { FRAME_HEADER_BYTES } from '../../src/format/index.ts'
import { LogScan } from '../../src/log/index.ts'
import { type Components, openStore } from '../../src/open.ts'
import { openForReading } from '../../src/restore/index.ts'
import { FileStorage } from '../../src/storage/index.ts'
import type { Store } from '../../src/store.ts'

const DAY_MS = 86_400_000

export interface Past {
  /** Each ends with a fold point. */
  readonly days: number
  readonly epochsADay: number
  /** Bytes of one more epoch, which is left behind the last fold point. */
  readonly tailBytes: number
  /** Ms that a day takes. */
  readonly dayMs?: number
  readonly keepLast?: number
}

export async function makeHistory(folder: string, past: Past): Promise<void> {
  const { days, epochsADay, tailBytes, dayMs = DAY_MS, keepLast = 1 } = past
  let day = -2 * days
  const clock = { ...systemClock, now: () => systemClock.now() + day * dayMs }
  const settings = { checkpoint: { intervalMs: 0 }, retention: { keepLast, keepMs: 30 * DAY_MS } }
  const opened = (thresholds: Components['thresholds']): Promise<Store> =>
    openStore(folder, settings, { clock, writer: 'inline', thresholds: { paced: false, ...thresholds } })
  const unfolded = (): Promise<Store> => opened({ bytes: 2 ** 40, records: 2 ** 40 })
  for (let epoch = 0; day < -days; day++) {
    let store = await unfolded()
    for (const last = epoch + epochsADay; epoch < last; ) {
      store.map('map').set(++epoch, 'x'.repeat(200))
      await store.checkpoint()
    }
    await store.close()
    store = await opened({ bytes: 100, fanIn: 100 })
    while (store.stats().upkeep.foldedEpoch < epoch) await setTimeout(5)
    await store.close()
  }
  const store = await unfolded()
  const tail = store.map<string, number>('tail')
  for (let at = 0; at < tailBytes / 1000; at++) tail.set(at, 'y'.repeat(1000))
  await store.checkpoint()
  await store.close()
}

/** Of what can be restored, newest first. */
export async function epochsOf(folder: string): Promise<number[]> {
  const store = await open(folder, { readOnly: true, restore: { hydrate: 'on-demand' } })
  const points = await store.recoveryPoints()
  await store.close()
  return points.map(({ epoch }) => epoch)
}

/** Changes a byte of the epoch's first block in the log; gives the file. */
export async function damage(folder: string, epoch: number): Promise<string> {
  const storage = new FileStorage(folder)
  const { log, storeId } = (await openForReading(storage)).manifest
  for await (const item of new LogScan({ storage, storeId, log })) {
    if (item.type === 'commit' || item.commit.epoch !== epoch) continue
    flip(join(folder, item.file), item.offset + FRAME_HEADER_BYTES + 3)
    return item.file
  }
  throw new Error('no such epoch')
}

export function flip(path: string, at: number): void {
  const data = readFileSync(path)
  data[at] = (data[at] as number) ^ 0x10
  writeFileSync(path, data)
}
