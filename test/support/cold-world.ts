/** A simulated machine with one store that folds and merges little by little, so that a few hundred entries are a state in segments. */
import { openEveryDecompress } from '../../src/format/index.ts'
import { type Components, openStore } from '../../src/open.ts'
import type { Settings } from '../../src/options.ts'
import type { Store } from '../../src/store.ts'
import { SimulatedScheduler, SimulatedStorage } from '../../src/testing/index.ts'

/** Folds about every 40 entries, merges what there is. */
export const SMALL = {
  bytes: 2000,
  fanIn: 3,
  smallestBytes: 3000,
  youngBytesMax: 20_000,
  slackBytes: 5000,
  slackRecords: 300,
  baseBytes: 4000,
  graceMs: 100,
}

export class World {
  readonly scheduler = new SimulatedScheduler({ seed: 7 })
  readonly storage: SimulatedStorage

  constructor(disk?: SimulatedStorage['disk']) {
    this.storage = new SimulatedStorage({ seed: 7, scheduler: this.scheduler, ...(disk === undefined ? {} : { disk }) })
  }

  async open(settings: Settings = {}, components: Components = {}): Promise<Store> {
    const { scheduler, storage } = this
    await openEveryDecompress()
    const given: Settings = { checkpoint: { intervalMs: 0 }, compression: 'none', ...settings }
    const parts: Components = { storage, scheduler, clock: scheduler.clock, writer: 'inline', thresholds: SMALL, ...components }
    return await this.run(openStore('simulated', given, parts))
  }

  run<T>(promise: Promise<T>): Promise<T> {
    return this.scheduler.run(promise)
  }

  /** Lets upkeep come to rest, and dead files out of their grace. */
  async rest(ms = 2000): Promise<void> {
    await this.scheduler.run(this.scheduler.clock.monotonic() + ms)
  }
}

export const value = (at: number, round = 0) => ({ at, round, text: `some text of entry ${at}` })

/** Epochs 1 to `rounds`, in each of which all entries are written. */
export async function fill(world: World, store: Store, count: number, rounds = 1): Promise<void> {
  const map = store.map<unknown, number>('map')
  for (let round = 1; round <= rounds; round++) {
    for (let at = 0; at < count; at++) map.set(at, value(at, round))
    await world.run(store.checkpoint())
    await world.rest()
  }
}
