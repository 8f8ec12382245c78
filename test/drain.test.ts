/** What is captured before the barrier: which entries, and what becomes of them when the epoch ends otherwise than planned. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Transaction } from '../src/capture/transaction.ts'
import { type Key, tideCodec, type ValueCodec } from '../src/codec/index.ts'
import { numbered, Rig } from './support/capture-rig.ts'

test('what was not written for a while is captured before the barrier, oldest first, and hot keys are passed over', () => {
  const rig = new Rig()
  const map = rig.collection(numbered(10))
  rig.checkpoint()
  for (const key of ['k3', 'k1', 'k2']) map.set(key, 'cold')
  map.set('hot', 0)
  rig.pass(600)
  map.set('hot', 1)
  assert.equal(rig.drain.records, 0)
  rig.pass(600)
  assert.equal(rig.drain.records, 3)
  map.set('hot', 2)
  rig.checkpoint()
  assert.deepEqual(rig.written, ['k3', 'k1', 'k2', 'hot'])
  rig.check(map)
})

test('what was drained and written again is captured again, and the last record counts', () => {
  const rig = new Rig()
  const map = rig.collection(numbered(10))
  rig.checkpoint()
  map.set('k1', 'first')
  map.set('k2', 'first')
  rig.pass(1000)
  map.set('k1', 'second')
  map.delete('k2')
  rig.checkpoint()
  assert.deepEqual(rig.written.toSorted(), ['k1', 'k1', 'k2', 'k2'])
  rig.check(map)
  assert.equal(map.dirty, false)
})

test('a new key that was drained and deleted leaves a tombstone; one that came and went leaves nothing', () => {
  const rig = new Rig()
  const map = rig.collection(numbered(3))
  rig.checkpoint()
  map.set('drained', 1)
  rig.pass(1000)
  assert.equal(rig.drain.records, 1)
  map.delete('drained')
  map.set('brief', 1)
  map.delete('brief')
  rig.pass(1000)
  rig.checkpoint()
  assert.deepEqual(rig.written, ['drained', 'drained'])
  rig.check(map)
})

test('a tombstone is drained too, and a key that comes back behind it is captured', () => {
  const rig = new Rig()
  const map = rig.collection(numbered(5))
  rig.checkpoint()
  map.delete('k1')
  map.delete('k2')
  rig.pass(1000)
  assert.equal(rig.drain.records, 2)
  map.set('k1', 'back')
  map.set('k2', 'back')
  map.delete('k2')
  rig.checkpoint()
  rig.check(map)
  // The last round begins with what was written last.
  assert.deepEqual(rig.written, ['k1', 'k2', 'k2', 'k1'])
})

for (const lost of ['fail', 'void, then fail'] as const) {
  test(`when its epoch is lost (${lost}) all that was drained is written again`, () => {
    const rig = new Rig()
    const map = rig.collection(numbered(300, n => ({ n })))
    rig.checkpoint()
    for (const [key] of numbered(100)) map.set(key, 'changed')
    map.set('new', 1)
    map.delete('k200')
    rig.pass(1000)
    assert.equal(rig.drain.records, 102)
    map.set('k150', 'changed')
    rig.cut()
    rig.slice()
    if (lost !== 'fail') {
      rig.void()
      rig.cut()
      rig.slice()
    }
    rig.fail()
    map.delete('new')
    rig.checkpoint()
    rig.check(map)
    for (const key of ['k0', 'k99', 'k150', 'k200', 'new']) assert.ok(rig.written.includes(key), key)
  })
}

test('what was drained before any barrier fell is written again when the writer fails', () => {
  const rig = new Rig()
  const map = rig.collection(numbered(10))
  rig.checkpoint()
  map.set('k1', 'changed')
  rig.pass(1000)
  rig.fail()
  assert.ok(map.dirty)
  map.set('k2', 'changed')
  rig.checkpoint()
  assert.deepEqual(rig.written, ['k2', 'k1'])
  rig.check(map)
})

test('a cut that moves keeps what was drained', () => {
  const rig = new Rig()
  const map = rig.collection(numbered(10, n => ({ n })))
  rig.checkpoint()
  map.set('k1', 'drained')
  rig.pass(1000)
  map.set('k2', 'frozen')
  rig.cut()
  rig.void()
  rig.checkpoint()
  assert.deepEqual(rig.written, ['k1', 'k2'])
  rig.check(map)
})

test('a value that cannot be encoded is left to the barrier', () => {
  const rig = new Rig()
  const map = rig.collection(numbered(4))
  rig.checkpoint()
  map.set('k1', () => {})
  map.set('new', () => {})
  rig.pass(1000)
  rig.pass(1000)
  assert.deepEqual([rig.drain.records, rig.refusals], [0, []])
  rig.cut()
  rig.commit()
  assert.deepEqual(rig.refusals.toSorted(), ['k1', 'new'])
  assert.equal(rig.disk.get(map.id)?.get('k1'), 1)
  map.set('k1', 'mended')
  map.delete('new')
  rig.checkpoint()
  rig.check(map)
})

test('a collection that is emptied takes what was drained of it along, and a rollback brings it back', () => {
  const rig = new Rig()
  const map = rig.collection(numbered(10))
  rig.checkpoint()
  map.set('k1', 'drained')
  rig.pass(1000)
  const transaction = new Transaction()
  rig.space.transaction = transaction
  rig.space.refresh()
  map.clear()
  map.set('other', 1)
  transaction.rollback()
  rig.space.transaction = undefined
  rig.space.refresh()
  rig.cut()
  rig.fail()
  rig.checkpoint()
  assert.deepEqual(rig.written, ['k1'])
  rig.check(map)
  map.set('k2', 'drained')
  rig.pass(1000)
  map.clear()
  map.set('new', 1)
  rig.checkpoint()
  rig.check(map)
})

test('a writer that drains falls into no saturation: what was taken up is no longer listed', () => {
  const rig = new Rig()
  const map = rig.collection(numbered(100))
  rig.checkpoint()
  for (let round = 0; round < 140; round++) {
    for (let n = 0; n < 5000; n++) map.set(`k${n % 100}`, round * 5000 + n)
    rig.pass(1000)
  }
  assert.equal(map.saturated, false)
  assert.ok(map.journal.length < 20_000, `${map.journal.length} keys listed`)
  rig.checkpoint()
  rig.check(map)
})

test('the clock is looked at after each large record, and after eight small ones, also of those that were not written', () => {
  const kilobytes = (n: number): string => 'x'.repeat(n * 1024)
  for (const [value, perLook] of [[kilobytes(20), 1] as const, [kilobytes(5), 2] as const, ['small', 8] as const]) {
    const rig = new Rig()
    const map = rig.collection(numbered(100))
    rig.checkpoint()
    for (const redundant of [false, true]) {
      for (let n = 0; n < 40; n++) map.set(`k${n}`, { value })
      rig.pass(500)
      rig.pass(1000)
      for (let n = 0; n < 40; n++) map.set(`k${n}`, redundant ? { value } : { value, n })
      rig.pass(500)
      let looks = 0
      rig.pass(1000, undefined, () => {
        looks++
        return false
      })
      assert.ok(looks >= Math.floor(40 / perLook), `${looks} looks at ${perLook} records each`)
      assert.ok(looks <= 40 / perLook + 2, `${looks} looks at ${perLook} records each`)
    }
    rig.checkpoint()
    rig.check(map)
  }
})

test('the clock is looked at while many collections are gone through that have a key or none each, and all are drained', () => {
  const rig = new Rig()
  const many = Array.from({ length: 1000 }, () => rig.collection())
  rig.checkpoint()
  for (const collection of many) collection.set('k', 1)
  rig.checkpoint()
  for (const collection of many) collection.set('k', 2)
  let looks = 0
  rig.pass(500, undefined, () => ++looks < 0)
  assert.ok(looks >= 10, `${looks} looks at 1,000 keys noted`)
  // A slice that ends at each look gets on all the same.
  for (let pass = 0; pass < 1000; pass++) {
    for (const collection of many.slice(0, 20)) collection.set('hot', pass)
    rig.pass(100, undefined, () => true)
  }
  assert.ok(many.slice(20).every(collection => collection.drained.length === 1))
  rig.checkpoint()
  for (const collection of many) rig.check(collection)
})

test('where the list of new keys was given up, those inserted since wait as long as any, and others no longer', () => {
  for (const looked of ['before', 'before and behind']) {
    const rig = new Rig()
    const map = rig.collection(numbered(10))
    rig.checkpoint()
    rig.space.journalSlackKeys = 1024
    const { arrivals, journal } = map
    let brief = 0
    const pass = (): void => {
      map.set(`brief ${brief}`, 1)
      map.delete(`brief ${brief++}`)
    }
    for (const key of ['k1', 'k2']) map.set(key, 'cold')
    while (brief < 1000) pass()
    rig.drain.look(rig.collections, 0, 1000)
    if (looked === 'before') rig.drain.look(rig.collections, 1000, 1000)
    while (map.arrivals === arrivals) pass()
    assert.equal(map.journal, journal)
    for (const [key] of numbered(20)) map.set(`new ${key}`, 1)
    if (looked !== 'before') assert.equal(rig.drain.look(rig.collections, 1000, 1000), 2)
    rig.drain.run(1000, 1000, 1e6, () => false)
    assert.equal(rig.drain.records, 2, looked)
    rig.drain.look(rig.collections, 1500, 1000)
    rig.drain.look(rig.collections, 2500, 1000)
    rig.drain.run(2500, 1000, 1e6, () => false)
    assert.equal(rig.drain.records, 22, looked)
    map.set('k3', 'hot')
    rig.checkpoint()
    rig.check(map)
  }
})

test('whatever is written, drained, cut, lost and committed: the disk holds what was there at the barrier', () => {
  const key = fc.nat({ max: 12 })
  const step = fc.oneof(
    fc.record({ do: fc.constantFrom('set', 'delete', 'new', 'large' as const), key }),
    fc.record({ do: fc.constantFrom('pass' as const), ms: fc.constantFrom(1, 300, 1000), steps: fc.nat({ max: 20 }) }),
    fc.record({ do: fc.constantFrom('cut', 'slice', 'commit', 'commit', 'fail', 'void', 'lost', 'inside', 'clear', 'burst' as const) }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60, size: 'max' }), steps => {
      const rig = new Rig()
      let inside = false
      const codec: ValueCodec = {
        ...tideCodec,
        encodeInto(writer, value) {
          if (inside && rig.capture !== undefined && !rig.capture.finished) {
            inside = false
            rig.void()
            for (let n = 0; n < 3; n++) map.set(`n${n}`, serial++)
          }
          tideCodec.encodeInto(writer, value)
        },
      }
      const map = rig.collection(numbered(8), codec)
      rig.checkpoint()
      let serial = 100
      for (const one of steps) {
        switch (one.do) {
          case 'set':
            map.set(`k${one.key}`, serial++)
            break
          case 'large':
            // As if its last record had been.
            rig.space.giants.recorded(map.id, map.name, `k${one.key}`, 1e6)
            map.set(`k${one.key}`, serial++)
            break
          case 'new':
            map.set(`n${serial % 5}`, serial++)
            break
          case 'delete':
            map.delete(one.key > 8 ? `n${one.key % 5}` : `k${one.key}`)
            break
          case 'burst':
            for (let n = 0; n < 200; n++) map.set(`k${n % 20}`, serial++)
            break
          case 'clear':
            map.clear()
            break
          case 'pass':
            if (rig.capture === undefined) rig.pass(one.ms, one.steps)
            break
          case 'cut':
            if (rig.capture === undefined) rig.cut()
            break
          case 'slice':
            rig.slice()
            break
          case 'void':
            if (rig.capture !== undefined && !rig.capture.finished) {
              rig.void()
              rig.cut()
            }
            break
          case 'lost':
            // The next falls later.
            if (rig.capture !== undefined && !rig.capture.finished) rig.void()
            break
          case 'inside':
            // By the codec, which inserts then.
            inside = true
            break
          case 'fail':
            rig.fail()
            break
          case 'commit':
            if (rig.capture === undefined) rig.cut()
            // Once emptied it is another one.
            if (rig.commit().has(map.id)) rig.check(map)
        }
      }
      if (rig.capture !== undefined) rig.commit()
      rig.checkpoint()
      rig.check(map)
      const disk = rig.disk.get(map.id) ?? new Map<Key, unknown>()
      assert.deepEqual(disk, new Map(map.live))
    }),
    { seed: 1, numRuns: 2000 },
  )
})
