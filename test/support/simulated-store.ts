/** A store in simulated time on a simulated disk, for tests that ask what is written and what comes back. */
import type { CheckpointPoint } from '../../src/checkpoint/index.ts'
import { type Components, openStore } from '../../src/open.ts'
import type { Settings } from '../../src/options.ts'
import type { Store } from '../../src/store.ts'
import { type CrashOptions, SeededRandom, SimulatedScheduler, SimulatedStorage } from '../../src/testing/index.ts'

export class SimulatedStore {
  readonly scheduler = new SimulatedScheduler({ seed: 1 })
  readonly clock = this.scheduler.clock
  storage = new SimulatedStorage({ seed: 1, scheduler: this.scheduler })
  readonly points: CheckpointPoint[] = []
  readonly settings: Settings
  /** Durability does not keep up, as far as the store is told. */
  pressed = false
  /** How busy the loop is. */
  load = 0
  thresholds: Components['thresholds']
  fileBytesMax: Components['fileBytesMax']
  store!: Store

  constructor(settings: Settings = {}) {
    // Compression would run in real time.
    this.settings = { checkpoint: { intervalMs: 0 }, ...settings, compression: 'none' }
  }

  async open(settings: Settings = {}): Promise<Store> {
    const { scheduler, storage, clock } = this
    const components: Components = {
      ...{ storage, scheduler, clock, random: new SeededRandom(1), pressed: () => this.pressed, loopLoad: () => this.load },
      ...(this.fileBytesMax === undefined ? {} : { fileBytesMax: this.fileBytesMax }),
      ...(this.thresholds === undefined ? {} : { thresholds: this.thresholds }),
    }
    this.store = await this.run(openStore('simulated', { ...this.settings, ...settings }, components))
    this.store.on('checkpoint', point => this.points.push(point))
    return this.store
  }

  run<T>(promise: Promise<T>): Promise<T> {
    return this.scheduler.run(promise)
  }

  pass(ms: number): Promise<void> {
    return this.scheduler.run(this.clock.monotonic() + ms)
  }

  checkpoint(): Promise<CheckpointPoint> {
    return this.run(this.store.checkpoint())
  }

  async close(): Promise<void> {
    await this.run(this.store.close())
  }

  /** The process is gone, and of what was not synced all, nothing or some. */
  async crash(settings: Settings = {}, power: CrashOptions = { mode: 'lost' }): Promise<Store> {
    const { disk } = this.storage.crash(power)
    this.storage.powerOff()
    this.storage = new SimulatedStorage({ seed: 2, scheduler: this.scheduler, disk })
    return await this.open(settings)
  }
}
