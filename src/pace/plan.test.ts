import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Bucket } from './bucket.ts'
import { Flow } from './flow.ts'
import { FLOOR_BYTES_PER_SECOND, floorRate, foldAt, foldBarMs, foldDueAt, foldRate, IDLE_BYTES_PER_SECOND, mergeRate } from './plan.ts'

test('with commits of one size at even times no more than two tables, or two commits, ever lie behind the fold point', () => {
  for (let perCommit = 0.01; perCommit < 3; perCommit += 0.01) {
    const flow = { intervalMs: 1000, lastAt: 0 }
    let tail = 0
    let most = 0
    let fold: { end: number; tables: number } | undefined
    for (let commit = 1; commit <= 400; commit++) {
      flow.lastAt = commit * 1000
      if (fold !== undefined && fold.end <= flow.lastAt) {
        tail -= fold.tables
        fold = undefined
      }
      tail += perCommit
      most = Math.max(most, tail)
      if (fold !== undefined || tail < foldAt(perCommit)) continue
      const barMs = foldBarMs(flow.lastAt, foldDueAt(flow, perCommit, 0), flow.intervalMs)
      assert.ok(barMs > 0, `${perCommit}`)
      fold = { end: flow.lastAt + barMs, tables: tail }
    }
    assert.ok(most <= Math.max(2, 2 * perCommit) + 1e-6, `${perCommit} a commit: ${most} tables`)
  }
})

test('a fold ends within its bar at an even rate; one that was held up goes faster, within bounds, and one nobody waits for no slower', () => {
  const pace = { work: 1000, begin: 0, barMs: 1000 }
  let left = 1000
  for (let now = 0; now < 1000; now += 10) {
    const rate = foldRate(pace, left, now, 10_000)
    assert.ok(rate >= 1000 - 1e-6 && rate <= 1000 + 1e-6, `${now}: ${rate}`)
    left -= rate * 0.01
  }
  assert.ok(Math.abs(left) < 1e-6)
  assert.equal(foldRate(pace, 1000, 250, 10_000), 1000 / 0.75)
  assert.equal(foldRate(pace, 1000, 100_000, 10_000), 2000)
  assert.equal(foldRate(pace, 1, 500, Number.POSITIVE_INFINITY), 1000)
  assert.equal(foldRate(pace, 1000, 0, 800), 1250)
  assert.ok(foldBarMs(4990, 5000, 5000) >= 2000, 'one that begins late')
  assert.equal(foldRate({ ...pace, barMs: 0 }, 1000, 0, 0), Number.POSITIVE_INFINITY)
})

test('where nothing was committed yet the next fold is not in sight, and the one that begins has the longest bar', () => {
  const flow = new Flow(5000)
  for (const tables of [0, 0.5, 1, 3]) {
    const dueAt = foldDueAt(flow, flow.tables({ bytes: 1000, records: 20 }), tables)
    assert.equal(dueAt, Number.POSITIVE_INFINITY)
    assert.equal(foldBarMs(6000, dueAt, flow.intervalMs), 30_000)
  }
})

test('merging keeps up with what comes in, whatever the base; a round of a giant base has its end', () => {
  const cost = { levels: 1, roundBytes: 1.5, youngBytes: 0.5 }
  // Each byte is merged once among young ones, and three times its size in the base.
  assert.ok(Math.abs(mergeRate(1000, cost, 1) - 4000) < 1e-6)
  assert.ok(mergeRate(0, cost, 6_000_000) >= 10_000)
  assert.equal(floorRate(100, 1000), FLOOR_BYTES_PER_SECOND)
  assert.equal(floorRate(5001, 1000), IDLE_BYTES_PER_SECOND)
})

test('the flow of commits follows their pace, and no pause of any length slows it down', () => {
  const flow = new Flow(0)
  let now = 0
  for (let commit = 0; commit < 20; commit++) flow.committed((now += 5000), 100, 10)
  assert.ok(Math.abs(flow.intervalMs - 5000) < 1 && Math.abs(flow.perSecond(0) - 20) < 0.1)
  flow.committed((now += 10 * 3_600_000), 100, 10)
  assert.ok(flow.intervalMs < 7000, `${flow.intervalMs}`)
  for (let commit = 0; commit < 10; commit++) flow.committed((now += 100), 100, 10)
  assert.ok(flow.intervalMs < 110, `${flow.intervalMs}`)
  assert.equal(flow.tables({ bytes: 1000, records: 20 }), 0.5)
  assert.ok(Math.abs(flow.perSecond(16) / flow.perSecond(0) - (100 + 10 * 16) / 100) < 1e-9, `${flow.perSecond(16)}`)
})

test('a bucket makes up for no silence, and says how long to wait', () => {
  const bucket = new Bucket(0, { holdMs: 50, debtMs: 1000 })
  bucket.fill(0, 1000)
  assert.equal(bucket.waitMs(10_000, 50), 0)
  assert.equal(bucket.waitMs(10_000, 1000), 0)
  bucket.take(10_000, 150)
  assert.equal(bucket.waitMs(10_000, 1), 101)
  assert.equal(bucket.waitMs(10_101, 1), 0)
  bucket.take(10_101, 1e9)
  assert.equal(bucket.waitMs(10_101, 0), 1000)
  // Time that goes backwards is no time.
  assert.equal(bucket.waitMs(0, 0), 1000)
})

test('what was loaded once is forgotten within a few commits; one small commit among large ones is not the flow', () => {
  const flow = new Flow(0)
  let now = 0
  const commit = (records: number): void => flow.committed((now += 1000), records * 80, records)
  commit(1_000_000)
  for (let n = 0; n < 5; n++) commit(25_000)
  assert.ok(flow.records < 75_000 && flow.rawBytes < 75_000 * 80, `${flow.records}`)
  const even = new Flow(0)
  for (let n = 1; n <= 8; n++) even.committed(n * 1000, 8_000_000, 100_000)
  even.committed(9000, 8000, 100)
  even.committed(10_000, 8_000_000, 100_000)
  assert.ok(even.records > 50_000, `${even.records}`)
})
