import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TidemarkError } from '../base/errors.ts'
import type { Pauser } from '../base/pauser.ts'
import { FIRST_PLACE, type SegmentEntry } from '../format/index.ts'
import { Image, RecordTable } from '../image/index.ts'
import { SimulatedScheduler } from '../testing/index.ts'
import { type ColdSegment, ColdState } from './cold-state.ts'
import { Hydration } from './hydration.ts'

/** No block; its description takes two pieces of work, and cannot be read the first time. */
class Described extends RecordTable implements ColdSegment {
  readonly entry: SegmentEntry
  readonly blocks = 0
  readonly sharedBytes = 0
  comesHome = false
  atHome = false
  tries = 0
  readonly #scheduler: SimulatedScheduler

  constructor(scheduler: SimulatedScheduler) {
    super()
    this.#scheduler = scheduler
    const counts = { from: 0, through: 1, records: 1, tombstones: 0, rawBytes: 1 }
    this.entry = { file: 'segment/a.seg', bytes: 1, sha256: '', describedAt: 1, ...counts, first: FIRST_PLACE, last: FIRST_PLACE }
  }

  async describe(pause: Pauser = () => undefined): Promise<void> {
    if (this.tries++ === 0) throw new TidemarkError('TIDEMARK_STORAGE', 'EIO')
    for (const ms of [3, 4]) {
      await pause()
      this.#scheduler.clock.advance(ms)
    }
    this.atHome = true
  }

  /** It is not the filter alone. */
  async describeBlocks(): Promise<void> {
    throw new TidemarkError('TIDEMARK_STORAGE', 'EIO')
  }

  has = (): boolean => true
  blockOf = (): number => -1
  storedRange = (): never => assert.fail('no block')
  wanted = (): never => assert.fail('no block')
  read = (): never => assert.fail('no block')
  unpack = (): never => assert.fail('no block')
  keep = (): never => assert.fail('no block')
  async close(): Promise<void> {}
}

test('what describes a segment and could not be read at first is checked in turns of its own, each of them counted', async () => {
  const scheduler = new SimulatedScheduler()
  const segment = new Described(scheduler)
  const base = [{ start: FIRST_PLACE, through: 0, layer: null }]
  const state = new ColdState({ image: new Image({ tables: [], young: [segment], base }), segments: [segment] }, () => 0)
  const slices: number[] = []
  const stalled = (ms: number): void => void slices.push(ms)
  const hydration = new Hydration(state, { clock: scheduler.clock, scheduler, loopLoad: () => 0, stallMsMax: 1, stalled })
  await scheduler.run(hydration.done)
  assert.equal(segment.tries, 2)
  assert.deepEqual(
    slices.filter(ms => ms > 0).map(ms => Math.round(ms)),
    [3, 4],
  )
})
