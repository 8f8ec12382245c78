/** When a store at rest asks for a fold for what was dropped, and looks for points that are too old. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CatalogueEntry, Manifest, SegmentEntry } from '../format/index.ts'
import { ageLookMs } from '../manifest/index.ts'
import { SimulatedScheduler } from '../testing/index.ts'
import { AtRest, REPEAT_MS } from './at-rest.ts'

const entry = (id: number, entries: number) => ({ id, entries }) as CatalogueEntry
const segment = (first: number, last: number) => ({ first: { collection: first }, last: { collection: last } }) as unknown as SegmentEntry

function rig(retained = 0) {
  const scheduler = new SimulatedScheduler()
  const start = scheduler.clock.monotonic()
  const now = (): number => scheduler.clock.monotonic() - start
  const state = {
    number: 1,
    catalogue: [entry(1, 5), entry(2, 0)],
    young: [] as SegmentEntry[],
    base: [] as SegmentEntry[],
    publishedAt: 0,
  }
  const asked: number[] = []
  const looked: number[] = []
  const retention = { keepLast: 3, keepMs: 3_600_000 }
  const atRest = new AtRest({
    ...{ scheduler, monotonic: now, retention, publishedAt: () => state.publishedAt },
    manifest: () => {
      const { number, catalogue, young, base } = state
      const ranges = base.map(one => ({ segment: one }))
      return { number, fold: { catalogue }, young, base: ranges, retained: { length: retained } } as unknown as Manifest
    },
    dropped: () => void asked.push(now()),
    aged: () => void looked.push(now()),
  })
  const pass = (ms: number): Promise<void> => scheduler.run(scheduler.clock.monotonic() + ms)
  return { atRest, state, asked, looked, pass, lookMs: ageLookMs(retention) }
}

test('what was dropped is asked for once, half a minute behind the last manifest, and again when more is', async () => {
  const { atRest, state, asked, pass } = rig()
  atRest.committed([entry(1, 6), entry(2, 0)])
  await pass(100_000)
  assert.deepEqual([asked, atRest.asks], [[], false])
  state.publishedAt = 90_000
  atRest.committed([entry(2, 0)])
  atRest.committed([entry(2, 0), entry(3, 1)])
  assert.equal(atRest.asks, true)
  await pass(100_000)
  assert.deepEqual([asked, atRest.asks], [[90_000 + REPEAT_MS], false])
  Object.assign(state, { number: 2, catalogue: [entry(2, 0), entry(3, 1)], publishedAt: 130_000 })
  atRest.folded()
  await pass(100_000)
  assert.equal(asked.length, 1)
  // What was dropped while that fold was under way.
  atRest.committed([entry(2, 0)])
  await pass(0)
  assert.deepEqual(asked.slice(1), [300_000], 'at once, for the last manifest is older')
})

test('a collection without an entry is asked for where a segment of the newest manifest begins or ends with it', async () => {
  const { atRest, state, asked, pass } = rig()
  atRest.committed([entry(1, 5)])
  await pass(100_000)
  assert.deepEqual(asked, [])
  let count = 0
  for (const held of [{ young: [segment(2, 3)] }, { base: [segment(1, 2)] }]) {
    Object.assign(state, { number: state.number + 1, young: [segment(1, 1)], base: [], ...held })
    atRest.folded()
    await pass(100_000)
    assert.equal(asked.length, ++count)
    Object.assign(state, { number: state.number + 1, young: [segment(1, 1)], base: [] })
    atRest.folded()
    await pass(100_000)
    assert.equal(asked.length, count)
  }
})

test('points are looked at again and again, by one timer, where more are kept than their number asks for; nothing comes behind the end', async () => {
  for (const [retained, looks] of [
    [2, 0],
    [3, 3],
  ] as const) {
    const { atRest, asked, looked, pass, lookMs } = rig(retained)
    atRest.committed([entry(1, 5), entry(2, 0)])
    atRest.folded()
    atRest.folded()
    await pass(3 * lookMs + 10)
    assert.equal(looked.length, looks)
    atRest.committed([])
    assert.equal(atRest.asks, true)
    atRest.stop()
    assert.equal(atRest.asks, false)
    atRest.committed([])
    atRest.folded()
    await pass(10 * lookMs)
    assert.deepEqual([looked.length, asked], [looks, []])
  }
})
