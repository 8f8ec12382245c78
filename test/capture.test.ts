import assert from 'node:assert/strict'
import { test } from 'node:test'
import { JOURNAL_SLACK_KEYS } from '../src/base/limits.ts'
import { CapturePart } from '../src/capture/capture-part.ts'
import { type Key, tideCodec, type ValueCodec } from '../src/codec/index.ts'
import { numbered, Rig } from './support/capture-rig.ts'

/** Entries that are stored and not written again: with few of them most of the collection is in the journal, which is then not sifted. */
const others = function* (count: number): Generator<[Key, unknown]> {
  for (let at = 0; at < count; at++) yield [`other ${at}`, at]
}

for (const [mode, beside] of [
  ['sift', 3000],
  ['list', 0],
] as const) {
  test(`a key written while the journal is gone through (${mode}) is captured once, as it was at the barrier`, () => {
    const rig = new Rig()
    const map = rig.collection([...numbered(500), ...others(beside)])
    rig.checkpoint()
    for (const [key] of numbered(500)) map.set(key, { at: 'barrier' })
    rig.cut()
    rig.slice()
    assert.equal(map.part?.mode, mode, 'the journal is long enough for that to be cut short')
    map.set('k0', { at: 'later' })
    map.delete('k1')
    map.set('k499', { at: 'later' })
    map.delete('k498')
    map.set('new', 1)
    map.set('other 1', 'later')
    map.delete('other 2')
    rig.commit()
    rig.check(map)
    rig.checkpoint()
    rig.check(map)
  })

  test(`an object handed out while the journal is gone through (${mode}) is captured before it changes`, () => {
    const rig = new Rig()
    const map = rig.collection(others(beside))
    rig.checkpoint()
    for (const [key, value] of numbered(500, n => ({ n }))) map.set(key, value)
    rig.cut()
    rig.slice()
    assert.equal(map.part?.mode, mode)
    for (const key of ['k0', 'k499']) {
      const value = map.get(key) as { n: number }
      value.n = -1
      map.set(key, value)
    }
    rig.commit()
    rig.check(map)
  })
}

for (const [mode, beside, lost] of [
  ['sift', 3000, 'fail'],
  ['sift', 3000, 'void'],
  ['list', 0, 'fail'],
  ['list', 0, 'void'],
] as const) {
  test(`a key deleted before a cut that was lost (${lost}) and inserted again during the next (${mode}) is absent at the barrier`, () => {
    const rig = new Rig()
    const map = rig.collection([...numbered(300), ...others(beside)])
    rig.checkpoint()
    for (const [key] of numbered(200)) map.delete(key)
    rig.cut()
    rig[lost]()
    rig.cut()
    rig.slice()
    assert.equal(map.part?.mode, mode)
    map.set('k199', 'back')
    map.set('k0', 'back')
    rig.commit()
    rig.check(map)
    rig.checkpoint()
    rig.check(map)
  })
}

for (const lost of ['fail', 'void'] as const) {
  test(`the same (${lost}) in a saturated collection, while its tombstones are written`, () => {
    const rig = new Rig()
    const map = rig.collection(numbered(300))
    rig.checkpoint()
    for (const [key] of numbered(200)) map.delete(key)
    rig.cut()
    rig[lost]()
    for (let n = 0; !map.saturated; n++) map.set('k250', n)
    rig.cut()
    rig.slice()
    assert.equal(map.part?.mode, 'tombstones')
    map.set('k199', 'back')
    map.set('k0', 'back')
    map.delete('k299')
    rig.commit()
    rig.check(map)
    rig.checkpoint()
    rig.check(map)
  })
}

test('a saturated collection is captured whole: changed, new, deleted and untouched keys', () => {
  const rig = new Rig()
  const map = rig.collection(numbered(100))
  rig.checkpoint()
  map.set('early', 1)
  map.delete('k3')
  for (let n = 0; n < JOURNAL_SLACK_KEYS + 2048; n++) map.set('hot', n)
  assert.ok(map.saturated)
  assert.equal(map.dirtyKeysMax, map.live.size + map.deleted.size)
  map.set('late', 2)
  map.delete('k4')
  map.delete('late')
  map.set('k3', 'again')
  rig.cut()
  rig.slice()
  map.set('k5', 'after')
  map.delete('k6')
  map.set('k6', 'after')
  map.set('inserted', 'after')
  rig.commit()
  rig.check(map)
  assert.equal(map.saturated, false)
  rig.checkpoint()
  rig.check(map)
})

test('of many collections each may list less than one alone', () => {
  const rig = new Rig()
  const maps = Array.from({ length: 8 }, () => rig.collection(numbered(100)))
  const [map] = maps as [(typeof maps)[0]]
  rig.checkpoint()
  for (let n = 0; n < JOURNAL_SLACK_KEYS / maps.length + 2048; n++) map.set('k1', n)
  assert.ok(map.saturated)
  rig.checkpoint()
  rig.check(map)
})

test('a failed epoch of a saturated collection is made good', () => {
  const rig = new Rig()
  const map = rig.collection(numbered(50))
  rig.checkpoint()
  for (let n = 0; n < JOURNAL_SLACK_KEYS + 2048; n++) map.set('hot', n)
  map.delete('k1')
  rig.cut()
  rig.slice()
  map.delete('k2')
  rig.fail()
  assert.ok(map.saturated)
  rig.checkpoint()
  rig.check(map)
})

test('deleted and inserted again keeps its tombstone only when it is gone in the end', () => {
  const rig = new Rig()
  const map = rig.collection(numbered(3))
  rig.checkpoint()
  map.delete('k0')
  map.set('k0', 'again')
  map.delete('k1')
  map.set('k1', 'again')
  map.delete('k1')
  rig.checkpoint()
  rig.check(map)
  assert.deepEqual(rig.written.sort(), ['k0', 'k1'])
})

test('the identical object set on a frozen key voids the cut, and everything is captured again', () => {
  const rig = new Rig()
  const map = rig.collection(numbered(20, n => ({ n })))
  rig.cut()
  rig.slice()
  const late = [...map.live.keys()].find(key => map.part?.frozen(key)) as Key
  const held = map.live.get(late) as { n: number }
  held.n = -1
  map.set(late, held)
  assert.deepEqual(rig.voids, ['changed in place across the barrier'])
  rig.checkpoint()
  rig.check(map)
})

test('an object that was handed out since the barrier may be set again', () => {
  const rig = new Rig()
  const map = rig.collection(numbered(20, n => ({ n })))
  rig.cut()
  const held = map.get('k19') as { n: number }
  held.n = -1
  map.set('k19', held)
  assert.deepEqual(rig.voids, [])
  rig.commit()
  rig.check(map)
})

test('one value beyond the bound of the pre-images voids no cut, whether a slice takes it or a call', () => {
  for (const asked of [false, true]) {
    const rig = new Rig()
    const map = rig.collection(numbered(2000))
    map.set('large', Buffer.alloc(73 * 1024 * 1024))
    rig.cut()
    if (asked) map.get('large')
    else while (rig.outbox.inFlight < 73 * 1024 * 1024) rig.slice()
    assert.equal(rig.capture?.finished, false)
    for (const [key] of numbered(2000)) map.set(key, 'after')
    assert.deepEqual(rig.voids, [])
    rig.commit()
  }
})

test('pre-images beyond the bound void the cut', () => {
  const rig = new Rig()
  const map = rig.collection(numbered(20))
  rig.cut().preImageBytes = 100 * 1024 * 1024
  map.set('k2', 'after')
  assert.deepEqual(rig.voids, [], 'the writer has taken them in')
  rig.outbox.inFlight = 100 * 1024 * 1024
  map.set('k3', 'after')
  assert.deepEqual(rig.voids, ['pre-images beyond the bound'])
  rig.outbox.inFlight = 0
  rig.checkpoint()
  rig.check(map)
})

test('a value that cannot be encoded keeps the last good record, and its key stays dirty', () => {
  const rig = new Rig()
  const map = rig.collection(numbered(4))
  rig.checkpoint()
  map.set('k1', () => {})
  map.set('k2', 'fine')
  rig.cut()
  rig.capture?.run(() => false)
  rig.commit()
  assert.deepEqual(rig.refusals, ['k1'])
  assert.deepEqual(rig.disk.get(map.id)?.get('k1'), 1)
  assert.deepEqual(rig.disk.get(map.id)?.get('k2'), 'fine')
  assert.ok(map.dirty)
  map.set('k1', 'mended')
  rig.checkpoint()
  rig.check(map)
})

test('a new key that was captured before a void and deleted behind it leaves a tombstone', () => {
  const rig = new Rig()
  const map = rig.collection(numbered(30, n => ({ n })))
  rig.cut()
  rig.slice()
  const early = [...map.live.keys()].find(key => map.part?.frozen(key) === false) as Key
  const late = [...map.live.keys()].find(key => map.part?.frozen(key)) as Key
  map.set(late, map.live.get(late))
  assert.deepEqual(rig.voids, ['changed in place across the barrier'])
  map.delete(early)
  rig.checkpoint()
  rig.check(map)
})

test('a tombstone outlives a void and a failure behind it', () => {
  const rig = new Rig()
  const map = rig.collection(numbered(10))
  rig.checkpoint()
  map.delete('k1')
  rig.cut()
  rig.void()
  map.delete('k2')
  rig.cut()
  map.delete('k3')
  rig.fail()
  map.delete('k4')
  rig.checkpoint()
  rig.check(map)
})

test('a codec that reads collections while a record is written leaves whole records', () => {
  const rig = new Rig()
  const other = rig.collection(numbered(30, n => ({ n })))
  const prying: ValueCodec = {
    name: 'prying',
    encodeInto(writer, value) {
      // Not yet captured: its record is made in the middle of this one.
      const seen = other.get(`k${value as number}`) as { n: number }
      tideCodec.encodeInto(writer, value)
      seen.n += 100
      other.set(`k${value as number}`, seen)
    },
    decode: tideCodec.decode,
  }
  const map = rig.collection(numbered(30), prying)
  rig.collections.reverse()
  rig.cut()
  rig.commit()
  rig.check(other)
  rig.check(map)
  assert.equal(rig.written.length, 60)
  rig.checkpoint()
  rig.check(other)
})

test('what is no key is refused the same way during a capture, and leaves nothing behind', () => {
  const rig = new Rig()
  const map = rig.collection(numbered(20_000))
  rig.checkpoint()
  for (const [key] of numbered(20_000)) map.delete(key)
  rig.cut()
  rig.fail()
  rig.cut()
  rig.slice()
  for (const key of [{}, undefined, Symbol('no'), 'x'.repeat(70_000), 1n << 600_000n]) {
    assert.throws(() => map.set(key as Key, 1), { code: 'TIDEMARK_KEY' })
    assert.equal(map.delete(key as Key), false)
    assert.equal(map.get(key as Key), undefined)
  }
  rig.commit()
  rig.check(map)
})

test('the clock is looked at after 8 keys, or fewer when they are large', () => {
  const looks = (value: unknown): number => {
    const rig = new Rig()
    rig.collection(numbered(64, () => value))
    rig.cut()
    let count = 0
    rig.capture?.run(() => ++count < 0)
    return count
  }
  assert.ok(looks(1) >= 8)
  assert.ok(looks('x'.repeat(9000)) >= 64)
})

test('what is left is reckoned in steps that do not grow with the collections, and never falls short', () => {
  const rig = new Rig()
  for (let n = 0; n < 500; n++) rig.collection(numbered(1 + (n % 3)))
  rig.checkpoint()
  for (const [n, map] of rig.collections.entries()) for (const [key] of numbered(1 + (n % 3))) map.set(key, 'new')
  const capture = rig.cut()
  const { get } = Object.getOwnPropertyDescriptor(CapturePart.prototype, 'stepsMax') as { get(): number }
  const whole = (): number => capture.parts.reduce((sum, part) => sum + (get.call(part) as number), 0)
  let reckoned = 0
  Object.defineProperty(CapturePart.prototype, 'stepsMax', {
    configurable: true,
    get(this: CapturePart) {
      reckoned++
      return get.call(this)
    },
  })
  try {
    let slices = 0
    while (!capture.finished) {
      assert.equal(capture.stepsMax, whole())
      rig.slice()
      slices++
    }
    assert.equal(capture.stepsMax, 0)
    assert.ok(slices > 20, `${slices} slices`)
    assert.ok(reckoned <= 500 + slices, `${reckoned} times`)
  } finally {
    Object.defineProperty(CapturePart.prototype, 'stepsMax', { configurable: true, get })
  }
  rig.commit()
})

test('a commit never says that a collection has fewer entries than none', () => {
  const rig = new Rig()
  const { id } = rig.collection(numbered(2))
  const counted = (existed: number): unknown =>
    rig
      .cut()
      .complete([{ id, entries: 2 }], new Map([[id, existed]]))
      .map(({ entries }) => entries)
  assert.deepEqual(counted(2), [0])
  assert.throws(() => counted(3), { code: 'TIDEMARK_BUG' })
})
