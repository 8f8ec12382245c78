/** A store with a past: a service that kept fold points of a month had one a day. */
import { setTimeout } from 'node:timers/promises'
import { open } from 'tidemark'
import { systemClock } from '../../src/base/clock.ts'
import { type Components, openStore } from '../../src/open.ts'
import type { Store } from '../../src/store.ts'

const DAY_MS = 86_400_000

export interface Past {
  /** Each ends with a fold point. */
  readonly days: number
  readonly epochsADay: number
  /** Bytes of one more epoch, which is left behind the last fold point. */
  readonly tailBytes: number
}

export async function makeHistory(folder: string, { days, epochsADay, tailBytes }: Past): Promise<void> {
  let day = -2 * days
  const clock = { ...systemClock, now: () => systemClock.now() + day * DAY_MS }
  const settings = { checkpoint: { intervalMs: 0 }, retention: { keepLast: 1, keepMs: 30 * DAY_MS } }
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
