/** What the drain leaves to the barrier: large values, and values that cannot be encoded; which values count as large. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Transaction, treat } from '../src/capture/index.ts'
import { type Key, tideCodec, type ValueCodec } from '../src/codec/index.ts'
import { numbered, Rig } from './support/capture-rig.ts'
import { alone, quiet } from './support/checkpointer-rig.ts'
import { SimulatedStore } from './support/simulated-store.ts'

const INTERVAL_MS = 1000
const LARGE = 'x'.repeat(200_000)

test('a large value that was refused and then mended is committed by the next automatic barrier, whenever it was mended', () => {
  for (let offset = 0; offset < INTERVAL_MS; offset += 90) {
    const { scheduler, host, map, checkpointer } = alone(INTERVAL_MS)
    let acknowledged = 0
    const pass = (ms: number): void => {
      for (let passed = 0; passed < ms; passed += 5) {
        scheduler.pass(5)
        if (host.commits.length === acknowledged) continue
        acknowledged = host.commits.length
        host.commit()
      }
    }
    const refused = (): number => checkpointer.refusals.length
    map.set('large', LARGE)
    pass(2 * INTERVAL_MS)
    map.set('large', () => {})
    pass(2 * INTERVAL_MS)
    assert.equal(refused(), 1)
    const before = acknowledged
    pass(3 * INTERVAL_MS + offset)
    assert.equal(acknowledged, before, 'nothing is committed for a refused value alone')
    map.set('large', 'mended')
    pass(2 * INTERVAL_MS)
    assert.equal(acknowledged, before + 1, `mended after ${offset} ms`)
    assert.equal(refused(), 0)
    assert.equal(checkpointer.dirty, false)
  }
})

test('a value that cannot be encoded is tried once for each time it is set, and by each barrier', () => {
  let tried = 0
  const codec: ValueCodec = {
    ...tideCodec,
    encodeInto(writer, value) {
      if (typeof value === 'function') tried++
      tideCodec.encodeInto(writer, value)
    },
  }
  const rig = new Rig()
  const map = rig.collection(numbered(10), codec)
  rig.checkpoint()
  const idle = (): void => {
    for (let n = 0; n < 20; n++) rig.pass(500)
    assert.ok(rig.drain.idle)
  }
  map.set('k1', () => {})
  idle()
  assert.deepEqual([tried, rig.refusals], [1, []])
  assert.ok(map.dirty)
  rig.checkpoint()
  assert.deepEqual([tried, rig.refusals], [2, ['k1']])
  idle()
  assert.equal(tried, 2)
  assert.ok(map.dirty)
  map.set('k1', () => {})
  idle()
  assert.equal(tried, 3)
  map.set('k1', 'mended')
  idle()
  assert.equal(rig.drain.records, 1)
  rig.checkpoint()
  assert.deepEqual(rig.written, ['k1'])
  rig.check(map)
  assert.equal(map.dirty, false)
})

test('a large value is listed once until the barrier, and has its record then', () => {
  const rig = new Rig()
  const map = rig.collection([['large', LARGE], ...numbered(10)])
  rig.checkpoint()
  map.set('large', `${LARGE}y`)
  for (let n = 0; n < 20; n++) rig.pass(500)
  assert.deepEqual([rig.drain.records, rig.drain.idle, map.journal.end], [0, true, 1])
  rig.checkpoint()
  assert.deepEqual(rig.written, ['large'])
  rig.check(map)
})

test('large values of a collection that was emptied or dropped are listed no longer, and again where that is rolled back', async () => {
  const world = new SimulatedStore()
  const store = await world.open()
  const listed = (): number[] =>
    store
      .stats()
      .giants.map(({ key }) => Number(key))
      .toSorted()
  const emptied = store.map<string, number>('emptied')
  const dropped = store.map<string, number>('dropped')
  emptied.set(1, LARGE)
  dropped.set(2, LARGE)
  await world.checkpoint()
  assert.deepEqual(listed(), [1, 2])
  assert.throws(() =>
    store.transaction(() => {
      emptied.clear()
      throw new Error('back')
    }),
  )
  assert.deepEqual(listed(), [1, 2])
  emptied.clear()
  assert.deepEqual(listed(), [2])
  store.delete('dropped')
  assert.deepEqual(listed(), [])
  await world.close()
})

for (const when of ['behind', 'before', 'before, among very many,'] as const) {
  test(`a large value whose epoch fails is listed no longer once it is deleted, ${when} the failure`, () => {
    const { scheduler, host, map, space, checkpointer } = alone()
    const keys = ['large', ...Array.from({ length: when === 'before, among very many,' ? 2000 : 0 }, (_, n) => n)]
    for (const key of keys) map.set(key, key === 'large' ? LARGE : 1)
    const listed = (): Key[] => space.giants.list().map(({ key }) => key)
    quiet(checkpointer.checkpoint(1e9))
    scheduler.pass(10)
    assert.deepEqual([host.commits.length, listed()], [1, ['large']])
    if (when === 'behind') {
      host.fail(0)
      space.transaction = new Transaction()
      space.refresh()
      map.delete('large')
      space.transaction.rollback()
      space.endTransaction()
      assert.deepEqual(listed(), ['large'])
    }
    for (const key of keys) map.delete(key)
    if (when !== 'behind') host.fail(0)
    scheduler.pass(1000)
    host.commit()
    assert.deepEqual([host.keys(1), listed()], [0, []])
  })
}

test('insignificant changes that are taken in again and again without a barrier make the collection count as wholly changed', () => {
  const rig = new Rig()
  const map = rig.collection(numbered(10))
  rig.checkpoint()
  treat(map, { significant: () => false })
  rig.space.journalSlackKeys = 1024
  for (let round = 0; round < 1000; round++) {
    for (const [key] of numbered(10)) map.set(key, { round })
    map.takeIn()
    assert.ok(map.journal.length <= 1044, `${map.journal.length} keys listed`)
  }
  assert.ok(map.saturated)
  rig.checkpoint()
  rig.check(map)
})

for (const stored of [false, true]) {
  test(`a refused value that an insignificant change mends is written by the next automatic barrier (${stored ? 'stored before' : 'new'})`, () => {
    for (const set of ['after it was refused', 'while it is frozen'] as const) {
      const { scheduler, host, map, checkpointer } = alone(INTERVAL_MS)
      treat(map, { significant: () => false })
      map.set('other', 1)
      if (stored) map.set('k', { score: 1 })
      scheduler.pass(2 * INTERVAL_MS)
      host.commit()
      // Taken in, for it would wait.
      map.set('k', (() => {}) as unknown)
      map.set('more', 1)
      map.takeIn()
      const commits = host.commits.length
      while (map.part === undefined) scheduler.step(Number.POSITIVE_INFINITY)
      if (set === 'while it is frozen') map.set('k', { score: 1, mended: true })
      scheduler.pass(INTERVAL_MS / 2)
      assert.equal(host.commits.length, commits + 1)
      host.commit()
      if (set === 'after it was refused') {
        assert.equal(checkpointer.refusals.length, 1)
        map.set('k', { score: 1, mended: true })
      }
      scheduler.pass(2 * INTERVAL_MS)
      assert.equal(host.commits.length, commits + 2, set)
      host.commit()
      assert.deepEqual([checkpointer.refusals.length, checkpointer.dirty], [0, false])
    }
  })
}

test('a refused value that is set back to what is stored is refused no more, whenever that is', () => {
  for (let offset = 0; offset < INTERVAL_MS; offset += 90) {
    const { scheduler, host, map, checkpointer } = alone(INTERVAL_MS)
    map.set('k', 'v')
    scheduler.pass(2 * INTERVAL_MS)
    host.commit()
    map.set('k', () => {})
    scheduler.pass(2 * INTERVAL_MS)
    host.commit()
    assert.deepEqual(
      checkpointer.refusals.map(({ key }) => key),
      ['k'],
    )
    scheduler.pass(2 * INTERVAL_MS + offset)
    map.set('k', 'v')
    scheduler.pass(2 * INTERVAL_MS)
    host.commit()
    assert.deepEqual([checkpointer.refusals, checkpointer.dirty], [[], false], `set after ${offset} ms`)
  }
})
