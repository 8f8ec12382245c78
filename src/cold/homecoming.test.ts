import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ByteWriter } from '../base/bytes.ts'
import { Histogram } from '../base/histogram.ts'
import { Collection, Space } from '../capture/index.ts'
import { tideCodec } from '../codec/index.ts'
import { appendPut, appendTombstone, EMPTY_BASE } from '../format/index.ts'
import { Image, RecordTable } from '../image/index.ts'
import type { LayerCursor, Range } from '../segment/index.ts'
import { SimulatedScheduler } from '../testing/index.ts'
import { ColdCollection } from './cold-collection.ts'
import { ColdState } from './cold-state.ts'
import { Homecoming } from './homecoming.ts'

const RECORD_MS = 0.01
const PASSED_MAX = 64

/** A walk over it takes some time for each record. */
class Slow extends RecordTable {
  readonly #scheduler: SimulatedScheduler

  constructor(scheduler: SimulatedScheduler) {
    super()
    this.#scheduler = scheduler
  }

  override cursor(range?: Range): LayerCursor {
    const cursor = super.cursor(range)
    const next = cursor.next.bind(cursor)
    cursor.next = () => {
      this.#scheduler.clock.advance(RECORD_MS)
      return next()
    }
    return cursor
  }
}

test('where objects come home a slice ends in time, however many entries were deleted between two', async () => {
  const scheduler = new SimulatedScheduler()
  const writer = new ByteWriter(64)
  for (let at = 0; at < 20_000; at++) appendTombstone(writer, 1, at)
  for (const key of [5000, 20_000]) appendPut(writer, 1, key, `value ${key}`, tideCodec)
  const table = new Slow(scheduler)
  table.add(writer.view())
  const base = EMPTY_BASE.map(({ start, through }) => ({ start, through, layer: null }))
  const state = new ColdState({ image: new Image({ tables: [table], young: [], base }), segments: [] }, () => 0)
  const space = new Space(new Histogram(), () => 0)
  const cold = { cold: new ColdCollection(state, 1, tideCodec), coldCount: 2 }
  const collection = new Collection(space, 'map', 'map', tideCodec, 1, new Map(), cold)
  const slices: number[] = []
  const homecoming = new Homecoming(state, {
    ...{ clock: scheduler.clock, scheduler, loopLoad: () => 0, stallMsMax: 1, mode: 'eager' },
    ...{ stalled: (ms: number) => void slices.push(ms), collections: () => [collection] },
    ...{ settleSome: () => true, sortSome: () => true },
  })
  await scheduler.run(homecoming.done)
  assert.ok(collection.cold?.hasDecoded(5000))
  assert.deepEqual([collection.live.size, collection.get(5000), collection.get(20_000)], [0, 'value 5000', 'value 20000'])
  // Half of the budget, and a step.
  assert.ok(Math.max(...slices) < 0.5 + (PASSED_MAX + 1) * RECORD_MS, `a slice of ${Math.max(...slices)} ms`)
})
