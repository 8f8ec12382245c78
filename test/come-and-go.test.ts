/** Keys that come and go: what is remembered of them, and whether a tombstone is written, whatever becomes of the epochs meanwhile. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Collection } from '../src/capture/collection.ts'
import { Eviction } from '../src/capture/eviction.ts'
import { type Key, tideCodec, type ValueCodec } from '../src/codec/index.ts'
import { numbered, Rig } from './support/capture-rig.ts'
import { alone, quiet } from './support/checkpointer-rig.ts'
import { begin, transaction } from './support/cold-rig.ts'

test('inserted and deleted between two barriers leaves no record', () => {
  const rig = new Rig()
  const map = rig.collection(numbered(3))
  rig.checkpoint()
  map.set('brief', 1)
  map.delete('brief')
  assert.equal(map.dirty, false)
  rig.checkpoint()
  assert.deepEqual(rig.written, [])
  map.set('k0', 'changed')
  map.set('brief', 1)
  map.delete('brief')
  rig.checkpoint()
  assert.deepEqual(rig.written, ['k0'])
  rig.check(map)
})

test('inserted during an epoch and deleted leaves nothing, whatever becomes of the epoch', () => {
  for (const end of ['commit', 'fail'] as const) {
    for (const early of [false, true]) {
      const rig = new Rig()
      const map = rig.collection(numbered(3))
      rig.checkpoint()
      map.set('k0', 'changed')
      rig.cut()
      map.set('brief', 1)
      if (early) map.delete('brief')
      rig[end]()
      map.delete('brief')
      assert.equal(map.deleted.size, 0, end)
      rig.checkpoint()
      assert.ok(!rig.written.includes('brief'), end)
      rig.check(map)
    }
  }
})

test('gone before an epoch, back during it and gone again leaves a tombstone when the epoch fails', () => {
  for (const end of ['commit', 'fail', 'void'] as const) {
    const rig = new Rig()
    const map = rig.collection(numbered(3))
    rig.checkpoint()
    map.delete('k0')
    rig.cut()
    map.set('k0', 'back')
    rig[end]()
    map.delete('k0')
    if (end !== 'commit') assert.ok(map.deleted.has('k0') || map.gone.some(keys => keys.has('k0')), end)
    rig.checkpoint()
    assert.equal(rig.disk.get(map.id)?.has('k0'), false, end)
    rig.check(map)
  }
})

test('keys that come and go while an epoch is in flight are not remembered', () => {
  for (const end of ['commit', 'fail'] as const) {
    const rig = new Rig()
    const map = rig.collection(numbered(3))
    rig.checkpoint()
    for (let n = 0; n < 20_000; n++) map.set(`before-${n}`, n)
    rig.cut()
    while (rig.capture?.finished === false) rig.slice()
    for (let n = 0; n < 40_000; n++) {
      map.set(n, n)
      if (n >= 100) map.delete(n - 100)
    }
    assert.equal(map.deleted.size, 0)
    assert.equal(map.fresh.size, 100)
    // More of them are there than are moved from one table to another.
    for (let n = 0; n < 18_000; n++) map.set(`in-flight-${n}`, n)
    rig[end]()
    for (let n = 0; n < 20_000; n++) map.delete(`before-${n}`)
    for (let n = 0; n < 18_000; n++) map.delete(`in-flight-${n}`)
    rig.checkpoint()
    rig.check(map)
  }
})

/** A cut whose capture has not begun, in this mode; in `all` it has tombstones behind it. */
function cutIn(mode: 'sift' | 'list' | 'all'): { readonly rig: Rig; readonly map: Collection } {
  const rig = new Rig()
  const map = rig.collection(numbered(1000))
  rig.space.journalSlackKeys = 100
  rig.checkpoint()
  if (mode === 'list') for (let n = 0; n < 1000; n++) map.set(`k${n}`, -n)
  // Listed, and gone again.
  for (const value of [1, 2]) map.set('brief', value)
  map.delete('brief')
  // What a walk passes over is not on the disk already.
  if (mode === 'all') for (let n = 0; n < 1000; n++) map.set(`k${n}`, -n)
  for (let n = 0; n < (mode === 'all' ? 10_000 : 10); n++) map.set('k0', n)
  rig.cut()
  while (mode === 'all' && map.part?.mode === 'tombstones') rig.slice()
  assert.equal(map.part?.mode, mode)
  return { rig, map }
}

for (const mode of ['sift', 'list', 'all'] as const) {
  test(`keys that come and go while a capture waits for the disk are not remembered: ${mode}`, () => {
    const { rig, map } = cutIn(mode)
    for (let n = 0; n < 20_000; n++) {
      map.set(n, n)
      map.delete(n)
      transaction(rig, () => map.set(-1 - n, n), 'rollback')
    }
    assert.ok((map.part?.done.size ?? 0) < 1100, `${map.part?.done.size} keys`)
    map.set('k0', 'late')
    // Back for good: none of it was there at the barrier.
    for (const key of [19_999, -20_000, 'brief']) map.set(key, 'back')
    rig.commit()
    rig.check(map)
    rig.checkpoint()
    rig.check(map)
  })

  test(`a key that came during a capture is not in its cut when its deletion is rolled back: ${mode}`, () => {
    const { rig, map } = cutIn(mode)
    for (const key of ['brief', 'other']) map.set(key, 'behind the barrier')
    const gone = (): void => ['brief', 'other'].forEach(key => void map.delete(key))
    transaction(rig, gone, 'rollback')
    assert.equal(map.get('brief'), 'behind the barrier')
    rig.commit()
    rig.check(map)
    rig.checkpoint()
    rig.check(map)
  })
}

test('a walk over all that is live keeps up with the Map while the disk is slow, and passes nothing over', t => {
  for (const way of ['new', 'old'] as const) {
    const { rig, map } = cutIn('all')
    rig.slice()
    const moves = t.mock.method(Object.getPrototypeOf(map.live.keys()) as Iterator<Key>, 'next')
    for (let n = 0; n < 10_000; n++) {
      const key = way === 'new' ? n : 'k999'
      map.set(key, n)
      map.delete(key)
    }
    assert.ok(moves.mock.callCount() > 9, `${moves.mock.callCount()} moves`)
    moves.mock.restore()
    map.set('k500', 'behind the barrier')
    rig.commit()
    rig.check(map)
    rig.checkpoint()
    rig.check(map)
  }
})

test('keys that come and go between a cut that is void and the next are not remembered, and leave no record', () => {
  const rig = new Rig()
  const map = rig.collection(numbered(3))
  rig.checkpoint()
  map.set('k0', 'changed')
  rig.cut()
  map.set('before', 1)
  rig.void()
  for (let n = 0; n < 20_000; n++) {
    map.set(n, n)
    map.delete(n)
  }
  map.delete('before')
  assert.ok(map.deleted.size < 10, `${map.deleted.size} keys`)
  rig.checkpoint()
  assert.ok(rig.written.length < 10, `${rig.written.length} records`)
  rig.check(map)
})

test('a codec that makes the cut void and inserts, in a slice or a clear, gets no record of what goes again', () => {
  for (const way of ['slice', 'clear'] as const) {
    const rig = new Rig()
    let inside: (() => void) | undefined
    const codec: ValueCodec = {
      ...tideCodec,
      encodeInto(writer, value) {
        const run = inside
        inside = undefined
        run?.()
        tideCodec.encodeInto(writer, value)
      },
    }
    const map = rig.collection(numbered(20), codec)
    rig.checkpoint()
    for (const [key] of numbered(20)) map.set(key, 'changed')
    map.saturated = true
    rig.cut()
    while (map.part?.mode === 'tombstones') rig.slice()
    inside = () => {
      rig.void()
      map.set('brief', 1)
    }
    if (way === 'clear') map.beforeForget()
    else rig.capture?.run(() => false)
    assert.ok(map.live.has('brief'))
    map.delete('brief')
    rig.checkpoint()
    rig.check(map)
  }
})

test('what is read while a capture waits for the disk, and leaves the heap again, is not remembered', () => {
  for (const saturated of [false, true]) {
    const { rig, map, collection } = begin(3000, { evicts: true })
    for (const key of ['k0', 'k1']) map.set(key, 'before the barrier')
    collection.saturated = saturated
    rig.cut()
    const eviction = new Eviction(collection)
    for (let n = 2; n < 3000; n++) {
      map.get(`k${n}`)
      if (n % 100 < 99) continue
      eviction.renew()
      eviction.run(1000)
    }
    assert.equal(collection.live.size, 2)
    assert.ok((collection.part?.done.size ?? 0) <= 2, `${collection.part?.done.size} keys`)
    map.set('k2999', 'behind the barrier')
    assert.deepEqual(map.get('k2998'), { n: 2998 })
    map.set('k2998', 'behind the barrier')
    rig.commit()
    assert.deepEqual([...rig.written].sort(), ['k0', 'k1'])
  }
})

for (const first of ['', ', a cut that moved before']) {
  test(`keys that come and go while no epoch commits are not remembered${first}`, () => {
    const rig = new Rig()
    const map = rig.collection(numbered(10))
    rig.checkpoint()
    map.delete('k1')
    if (first !== '') {
      rig.cut()
      rig.void()
      map.delete('k3')
      rig.cut()
      rig.fail()
    }
    for (let round = 0; round < 20; round++) {
      for (let n = 0; n < 1000; n++) map.set(`${round}-${n}`, n)
      rig.cut()
      map.set(`flight-${round}`, 1)
      map.delete('k2')
      rig.fail()
      for (let n = 0; n < 1000; n++) map.delete(`${round}-${n}`)
      map.delete(`flight-${round}`)
    }
    assert.ok(map.deleted.size <= 2 + 20, `${map.deleted.size} keys`)
    assert.ok(map.dirtyKeysMax < 100, `${map.dirtyKeysMax} keys`)
    rig.checkpoint()
    rig.check(map)
  })
}

test('what comes before an epoch that fails, and goes during it, is not remembered', () => {
  const rig = new Rig()
  const map = rig.collection(numbered(3))
  rig.checkpoint()
  for (let round = 0; round < 50; round++) {
    for (let n = 0; n < 100; n++) map.set(`${round}-${n}`, n)
    rig.cut()
    for (let n = 0; n < 100; n++) map.delete(`${round}-${n}`)
    // Back: it has no record still.
    map.set(`${round}-0`, 'back')
    rig.fail()
  }
  assert.deepEqual([map.deleted.size, map.gone.length, map.fresh.size], [0, 0, 50])
  for (let round = 10; round < 50; round++) map.delete(`${round}-0`)
  rig.checkpoint()
  assert.equal(rig.written.length, 10)
  rig.check(map)
})

test('what was deleted before an epoch that fails keeps its tombstone, however often it comes and goes during it', () => {
  const rig = new Rig()
  const map = rig.collection(numbered(3))
  rig.checkpoint()
  map.delete('k0')
  rig.cut()
  map.set('k0', 'back')
  map.delete('k0')
  rig.fail()
  map.set('k0', 'back')
  rig.cut()
  map.delete('k0')
  rig.fail()
  rig.checkpoint()
  assert.deepEqual(rig.written, ['k0'])
  rig.check(map)
})

test('tables of deleted keys that join while epochs fail are few, and hold no key many times', () => {
  const rig = new Rig()
  const map = rig.collection(numbered(20_000))
  rig.checkpoint()
  const round = (): void => {
    for (const [key, value] of numbered(20_000)) map.delete(key) && map.set(key, value)
  }
  for (let n = 0; n < 30; n++) {
    round()
    rig.cut()
    round()
    rig.fail()
  }
  assert.equal(map.gone.length, 1)
  assert.equal(map.gone[0]?.size, 20_000)
  map.delete('k7')
  rig.checkpoint()
  rig.check(map)
})

test('a long queue is not remembered either, once there was time to look at its keys', () => {
  const rig = new Rig()
  const map = rig.collection(numbered(3))
  rig.checkpoint()
  for (let round = 0; round < 4; round++) {
    for (let n = 0; n < 20_000; n++) map.set(`${round}-${n}`, n)
    rig.cut()
    for (let n = 0; n < 18_000; n++) map.set(`${round}-in-flight-${n}`, n)
    for (let n = 0; n < 20_000; n++) map.delete(`${round}-${n}`)
    rig.fail()
    assert.equal(map.fresh.size, 18_000)
    for (let n = 0; n < 18_000; n++) map.delete(`${round}-in-flight-${n}`)
  }
  assert.deepEqual([map.deleted.size, map.gone.length, map.fresh.size], [0, 0, 0])
  rig.checkpoint()
  assert.deepEqual(rig.written, [])
  rig.check(map)
})

for (const looks of [0, 3, 40, 1000]) {
  test(`what a failed epoch of many collections left is right, with ${looks} slices for it`, () => {
    const rig = new Rig()
    const maps = Array.from({ length: 20 }, () => rig.collection(numbered(600)))
    rig.checkpoint()
    for (let round = 0; round < 3; round++) {
      for (const map of maps) {
        for (let n = 0; n < 600; n++) map.set(`${round}-${n}`, n)
        for (let n = 0; n < 100; n++) map.delete(`k${round * 100 + n}`)
      }
      rig.cut()
      for (let at = 0; at < round; at++) rig.slice()
      for (const map of maps) {
        for (let n = 0; n < 300; n++) map.delete(`${round}-${n}`)
        for (let n = 0; n < 200; n++) map.set(`${round}-${n + 200}`, 'again')
        for (let n = 0; n < 100; n++) map.set(`k${round * 100 + n}`, 'back')
        for (let n = 0; n < 150; n++) map.set(`in-flight-${round}-${n}`, n)
        for (let n = 50; n < 250; n++) map.delete(`k${round * 100 + n}`)
      }
      rig.fail(false)
      // No more than so many keys were looked at in the turn of the failure.
      assert.ok(rig.space.leftovers.size >= 18, `${rig.space.leftovers.size}`)
      for (let left = looks; left > 0 && !rig.space.leftovers.run(() => true); left--) {
        for (const map of maps) {
          map.delete(`${round}-${left}`)
          map.set(`in-flight-${round}-${left}`, 'later')
          map.delete(`in-flight-${round}-${left + 1}`)
        }
      }
    }
    rig.checkpoint()
    for (const map of maps) rig.check(map)
    if (looks === 1000) assert.ok(!rig.written.includes('0-7'))
  })
}

for (const restless of [false, true]) {
  test(`what a failure left is put in order in the pause before the next attempt${restless ? ', in slices' : ''}`, () => {
    const { scheduler, host, map, checkpointer, space } = alone(0, restless)
    for (let n = 0; n < 2000; n++) map.set(n, n)
    quiet(checkpointer.checkpoint(1e9))
    for (let n = 0; n < 2000; n++) map.delete(n)
    host.fail(0)
    assert.deepEqual([space.leftovers.size, map.deleted.size], [1, 2000])
    let turns = 0
    for (; space.leftovers.size > 0 && checkpointer.status === 'degraded' && scheduler.step(scheduler.nowMs + 10); turns++);
    assert.deepEqual([space.leftovers.size, map.deleted.size, host.commits.length], [0, 0, 0])
    assert.equal(turns > 10, restless)
  })
}
