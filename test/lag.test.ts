/** What an epoch leaves out, and when a critical collection asks for a barrier: the reckoning, without a store. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Histogram } from '../src/base/histogram.ts'
import { LAG_EPOCHS_MAX, LAG_INTERVALS_MAX } from '../src/base/limits.ts'
import { Collection } from '../src/capture/collection.ts'
import { Space } from '../src/capture/space.ts'
import { Lag } from '../src/checkpoint/lag.ts'
import { Rpo } from '../src/checkpoint/rpo.ts'
import { Turns } from '../src/checkpoint/turns.ts'
import { tideCodec } from '../src/codec/index.ts'
import type { CatalogueEntry } from '../src/format/index.ts'
import { SimulatedScheduler } from '../src/testing/index.ts'

class Bench {
  readonly scheduler = new SimulatedScheduler({ seed: 1 })
  readonly clock = this.scheduler.clock
  readonly space = new Space(new Histogram(), () => this.clock.monotonic())
  readonly cache = this.collection('cache', 'rebuildable')
  readonly index = this.collection('index', 'rebuildable')
  readonly orders = this.collection('orders', 'standard')
  readonly all = [this.cache, this.index, this.orders]
  readonly refusing = new Set<Collection>()
  pressed = true
  epoch = 0
  readonly lag: Lag

  constructor(intervalMs = 100) {
    this.lag = new Lag({
      clock: this.clock,
      intervalMs,
      leftOutMsMax: () => (LAG_INTERVALS_MAX - 1) * intervalMs,
      links: this.space.links,
      letInto: this.space.letInto,
      pressed: () => this.pressed,
      refuses: collection => this.refusing.has(collection),
    })
  }

  collection(name: string, of: Collection['class']): Collection {
    const collection = new Collection(this.space, name, 'map', tideCodec, this.space.nextId++)
    collection.class = of
    return collection
  }

  /** A whole epoch; the names of what it left out. */
  cut({ whole = false, among }: { whole?: boolean; among?: ReadonlySet<Collection> } = {}): string {
    const epoch = ++this.epoch
    const left = this.lag.cut(this.all, epoch, whole, among)
    const entry = ({ id, name, kind, live }: Collection): CatalogueEntry => ({
      id,
      name,
      kind,
      codec: 'tide1',
      entries: live.size,
      bytes: 0,
    })
    const catalogue = this.all.map(one => (left.has(one) ? { ...this.lag.entryOf(one), bytes: 0 } : entry(one)))
    this.space.links.cut(left)
    for (const one of this.all) if (!left.has(one)) one.replace(one.id, one.live)
    this.lag.committed(epoch, catalogue, this.clock.monotonic())
    return [...left].map(({ name }) => name).join(' ')
  }

  change(...collections: Collection[]): void {
    for (const collection of collections) collection.set('k', { n: ++this.#serial })
  }
  #serial = 0
}

test('a rebuildable collection is left out when it is dirty, was committed before, and there is pressure', () => {
  const bench = new Bench()
  const { cache, index, orders } = bench
  bench.change(cache, index, orders)
  assert.equal(bench.cut(), '', 'nothing of it is stored')
  bench.change(cache, orders)
  assert.equal(bench.cut(), 'cache', 'the index is not dirty')
  bench.pressed = false
  assert.equal(bench.cut(), '')
  bench.pressed = true
  bench.change(cache)
  assert.equal(bench.cut({ whole: true }), '', 'asked for by durable')
  bench.change(cache)
  bench.refusing.add(cache)
  assert.equal(bench.cut(), '', 'its count is not exact')
  bench.refusing.clear()
  bench.change(cache)
  cache.replace(bench.space.nextId++, new Map())
  bench.change(cache)
  assert.equal(bench.cut(), '', 'it was emptied')
})

test('its entry stays what was committed, however often it is left out', () => {
  const bench = new Bench()
  bench.change(bench.cache)
  bench.cut()
  bench.cache.set('more', 1)
  for (let n = 0; n < 3; n++) {
    assert.equal(bench.cut(), 'cache')
    const { entries, asOf } = bench.lag.entryOf(bench.cache)
    assert.deepEqual([entries, asOf], [1, 1])
  }
})

test('it lags behind ten intervals at most, and ten epochs where there is no interval', async () => {
  const bench = new Bench(100)
  bench.change(bench.cache)
  bench.cut()
  let left = 0
  for (let n = 0; n < 3 * LAG_INTERVALS_MAX; n++) {
    await bench.scheduler.run(bench.clock.monotonic() + 100)
    bench.change(bench.cache)
    left = bench.cut() === 'cache' ? left + 1 : 0
    assert.ok(left < LAG_INTERVALS_MAX)
  }
  const asked = new Bench(0)
  asked.change(asked.cache)
  asked.cut()
  const cuts = Array.from({ length: LAG_EPOCHS_MAX }, () => {
    asked.change(asked.cache)
    return asked.cut()
  })
  assert.deepEqual(cuts, [...Array.from({ length: LAG_EPOCHS_MAX - 1 }, () => 'cache'), ''])
})

test('what a transaction changed together is left out together, or not at all', () => {
  const bench = new Bench()
  const { cache, index, orders, space } = bench
  bench.change(cache, index, orders)
  bench.cut()
  bench.change(cache, index)
  space.links.join(new Set([cache, index]))
  assert.equal(bench.cut(), 'cache index')
  bench.change(index, orders)
  space.links.join(new Set([index, orders]))
  assert.equal(bench.cut(), '', 'one of them was changed with a stricter one')
  bench.change(cache, index, orders)
  assert.equal(bench.cut(), 'cache index', 'the cut took the group, and it is no more')
})

test('a cut that moves leaves out nothing that its first cut took', () => {
  const bench = new Bench()
  const { cache, index, space } = bench
  bench.change(cache, index)
  bench.cut()
  bench.change(cache, index)
  assert.equal(bench.cut({ among: new Set([cache]) }), 'cache')
  bench.change(cache, index)
  space.links.join(new Set([cache, index]))
  assert.equal(bench.cut({ among: new Set([cache]) }), '')
})

test('a class that was given after the last cut does not count yet', () => {
  const bench = new Bench()
  const { orders } = bench
  bench.change(orders)
  bench.cut()
  orders.class = 'rebuildable'
  bench.change(orders)
  assert.equal(bench.cut(), '', 'what was changed together with it is not known')
  bench.change(orders)
  assert.equal(bench.cut(), 'orders')
})

const changed = ({ dirty }: Collection): boolean => dirty
const told = { criticalBroken: () => {}, criticalMet: () => {} }

test('a barrier is due no later than rpoMs after the first change of a critical collection, and never without one', async () => {
  for (const rpos of [[40], [40, 100], [100, 30, 250]]) {
    const bench = new Bench()
    const { clock, scheduler } = bench
    const critical = rpos.map((rpoMs, n) => {
      const collection = bench.collection(`critical ${n}`, 'critical')
      collection.rpoMs = rpoMs
      return collection
    })
    const changedAt = new Map<Collection, number>()
    let barriers = 0
    const barrier = (): void => {
      barriers++
      for (const collection of critical) {
        const at = changedAt.get(collection)
        if (at !== undefined) assert.ok(clock.monotonic() - at <= (collection.rpoMs as number) + 1, `${clock.monotonic() - at} ms`)
        collection.replace(collection.id, collection.live)
      }
      changedAt.clear()
      rpo.arm()
    }
    const turns = new Turns({ clock, scheduler }, error => assert.fail(error))
    const rpo = new Rpo({
      turns,
      told,
      now: () => clock.monotonic(),
      collections: () => [bench.orders, ...critical],
      changed,
      due: barrier,
    })
    rpo.arm()
    await scheduler.run(clock.monotonic() + 2000)
    bench.change(bench.orders)
    await scheduler.run(clock.monotonic() + 2000)
    assert.equal(barriers, 0)
    for (let n = 0; n < 300; n++) {
      const collection = critical[n % critical.length] as Collection
      if (n % 7 < 3) {
        bench.change(collection)
        if (!changedAt.has(collection)) changedAt.set(collection, clock.monotonic())
      }
      await scheduler.run(clock.monotonic() + 1 + ((n * 13) % 37))
      for (const [one, at] of changedAt) assert.ok(clock.monotonic() - at <= (one.rpoMs as number) + 40)
    }
    assert.ok(barriers > 3)
    rpo.stop()
  }
})

test('a barrier is due in time for one collection also where the shorter `rpoMs` of another has just gone', async () => {
  const bench = new Bench()
  const { clock, scheduler } = bench
  const fast = bench.collection('fast', 'critical')
  const slow = bench.collection('slow', 'critical')
  fast.rpoMs = 5
  slow.rpoMs = 1000
  let list = [fast, slow]
  let dueAt: number | undefined
  const turns = new Turns({ clock, scheduler }, error => assert.fail(error))
  const due = (): void => {
    dueAt ??= clock.monotonic()
  }
  const rpo = new Rpo({ turns, told, now: () => clock.monotonic(), collections: () => list, changed, due })
  rpo.arm()
  const armedAt = clock.monotonic()
  await scheduler.run(armedAt + 3)
  bench.change(slow)
  await scheduler.run(armedAt + 499)
  list = [slow]
  await scheduler.run(armedAt + 2000)
  rpo.stop()
  assert.ok(dueAt !== undefined && dueAt - armedAt <= 1004, `due after ${dueAt === undefined ? 'never' : dueAt - armedAt} ms`)
})

test('when the barrier of what waits would fall is known of what no look has seen, too, and of what was dropped', async () => {
  const bench = new Bench()
  const { clock, scheduler } = bench
  const slow = bench.collection('slow', 'critical')
  const other = bench.collection('other', 'critical')
  slow.rpoMs = 1000
  other.rpoMs = 1500
  const list = [bench.orders, slow, other]
  const turns = new Turns({ clock, scheduler }, error => assert.fail(error))
  const rpo = new Rpo({ turns, told, now: () => clock.monotonic(), collections: () => list, changed, due: () => {} })
  await scheduler.run(clock.monotonic() + 100)
  rpo.arm()
  const armedAt = clock.monotonic()
  bench.change(bench.orders)
  assert.equal(rpo.barrierBy, Number.POSITIVE_INFINITY)
  await scheduler.run(armedAt + 400)
  bench.change(other)
  assert.equal(rpo.barrierBy, armedAt + 1500)
  bench.change(slow)
  assert.equal(rpo.barrierBy, armedAt + 1000)
  await scheduler.run(armedAt + 1400)
  assert.equal(rpo.barrierBy, armedAt + 1000, 'a look has passed, and no barrier fell')
  list.splice(1, 1)
  slow.dropped = true
  rpo.dropped(slow)
  assert.equal(rpo.barrierBy, armedAt + 1000)
  await scheduler.run(armedAt + 1450)
  assert.equal(rpo.barrierBy, armedAt + 1000, 'it was asked for, and did not fall')
  rpo.arm()
  other.replace(other.id, other.live)
  assert.equal(rpo.barrierBy, Number.POSITIVE_INFINITY)
  other.dropped = true
  rpo.dropped(other)
  assert.equal(rpo.barrierBy, clock.monotonic() + 1500)
  rpo.stop()
  assert.equal(rpo.barrierBy, Number.POSITIVE_INFINITY)
})

test('a group of thousands of collections is gone through once at a barrier, not once for each of them', () => {
  const bench = new Bench()
  const many = Array.from({ length: 2000 }, (_, n) => bench.collection(`many ${n}`, 'rebuildable'))
  bench.all.push(...many)
  bench.change(...many)
  bench.cut()
  bench.change(...many)
  bench.space.links.join(new Set(many))
  let steps = 0
  const { has } = Set.prototype
  Set.prototype.has = function (value) {
    steps++
    return has.call(this, value)
  }
  try {
    assert.equal(bench.lag.leavesAll(many, 2), true)
  } finally {
    Set.prototype.has = has
  }
  assert.ok(steps < 10 * many.length, `${steps} steps`)
  bench.space.links.join(new Set([bench.orders, many[7] as Collection]))
  assert.equal(bench.lag.leavesAll(many, 2), false)
})
