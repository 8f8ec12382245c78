/** Records that are there already, through cuts, failures and voids. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { treat } from '../src/capture/index.ts'
import { tideCodec, type ValueCodec } from '../src/codec/index.ts'
import { numbered, Rig } from './support/capture-rig.ts'
import { alone } from './support/checkpointer-rig.ts'
import { transaction } from './support/cold-rig.ts'

test('a key set to what its last record says is not written again, and nothing is lost by it', () => {
  const rig = new Rig()
  const map = rig.collection(numbered(20, n => ({ n })))
  rig.checkpoint()
  for (const [key, value] of numbered(20, n => ({ n: n === 7 ? -7 : n }))) map.set(key, value)
  rig.checkpoint()
  assert.deepEqual(rig.written, ['k7'])
  assert.equal(map.redundancy.spared.records, 19)
  rig.check(map)
  map.set('k1', { n: 1 })
  rig.checkpoint()
  assert.deepEqual(rig.written, [])
  rig.check(map)
})

test('what was written in an epoch that failed is on no disk: the same value is written again', () => {
  const rig = new Rig()
  const map = rig.collection([['k', 'old']])
  rig.checkpoint()
  map.set('k', 'new')
  rig.cut()
  rig.capture?.run(() => false)
  rig.fail()
  map.set('k', 'new')
  rig.checkpoint()
  rig.check(map)
  assert.deepEqual(rig.written, ['k'])
})

test('what a cut wrote before it moved stands: the same value is not written again', () => {
  const rig = new Rig()
  const map = rig.collection(numbered(3))
  rig.cut()
  rig.capture?.run(() => false, true)
  map.set('k0', 'later')
  rig.void()
  rig.cut()
  rig.commit()
  rig.check(map)
  assert.deepEqual(rig.written.toSorted(), ['k0', 'k0', 'k1', 'k2'])
})

test('a key that is spared by a cut that moves, and by the one it moved to, counts as spared once', async () => {
  const { scheduler, host, map, space, checkpointer } = alone(0, true)
  for (const [key, value] of numbered(300, n => ({ n }))) map.set(key, value)
  const first = checkpointer.checkpoint(1e9)
  scheduler.pass(1000)
  host.commit()
  await first
  const held = { n: 0 }
  map.set('a', { n: 0 })
  map.set('b', held)
  for (const [key, value] of numbered(96, n => ({ n }))) map.set(key, value)
  const second = checkpointer.checkpoint(1e9)
  for (let turns = 0; turns < 1000 && map.redundancy.spared.records < 96; turns++) scheduler.step(scheduler.nowMs + 1000)
  assert.equal(map.redundancy.spared.records, 96)
  assert.equal(map.part?.frozen('b'), true, 'looked at last')
  const { bytes } = map.redundancy.spared
  held.n = 1
  map.set('b', held)
  assert.equal(checkpointer.counters.voids, 1)
  scheduler.pass(1000)
  host.commit()
  const { records, redundant } = await second
  assert.deepEqual({ records, redundant }, { records: 2, redundant: { records: 96, bytes } })
  assert.deepEqual(map.redundancy.spared, { records: 96, bytes })
  assert.deepEqual(space.recent.spared, { records: 96, bytes })
})

test('a key deleted and inserted again with its old value needs no record; with its tombstone written it needs one', () => {
  const rig = new Rig()
  const map = rig.collection([['k', 'value']])
  rig.checkpoint()
  map.delete('k')
  map.set('k', 'value')
  rig.checkpoint()
  assert.deepEqual(rig.written, [])
  rig.check(map)
  map.delete('k')
  rig.checkpoint()
  map.set('k', 'value')
  rig.checkpoint()
  assert.deepEqual(rig.written, ['k'])
  rig.check(map)
})

test('an emptied collection has no records: equal values are written again', () => {
  const rig = new Rig()
  const map = rig.collection([['k', 'value']])
  rig.checkpoint()
  map.clear()
  map.set('k', 'value')
  rig.checkpoint()
  assert.deepEqual(rig.written, ['k'])
  rig.check(map)
})

test('a value that was refused leaves the record before it: setting that value again needs none', () => {
  const rig = new Rig()
  const map = rig.collection([['k', 'value']])
  rig.checkpoint()
  map.set('k', () => {})
  rig.checkpoint()
  assert.deepEqual(rig.refusals, ['k'])
  map.set('k', 'value')
  rig.checkpoint()
  assert.deepEqual(rig.written, [])
  rig.check(map)
})

test('a codec that writes other keys while it encodes: records beside each other are written, all of them', () => {
  const rig = new Rig()
  let inner: (() => void) | undefined
  const codec: ValueCodec = {
    name: 'meddling',
    encodeInto(writer, value) {
      const run = inner
      inner = undefined
      run?.()
      tideCodec.encodeInto(writer, value)
    },
    decode: (bytes, start, end) => tideCodec.decode(bytes, start, end),
  }
  const map = rig.collection(numbered(4), codec)
  rig.checkpoint()
  for (const [key, value] of numbered(4)) map.set(key, value === undefined ? 0 : structuredClone(value))
  for (const key of ['k0', 'k1', 'k2', 'k3']) map.set(key, 'other')
  inner = () => map.set('k3', 'from within')
  rig.cut()
  rig.commit()
  rig.check(map)
  rig.checkpoint()
  rig.check(map)
})

/** Its capture is over, and its commit is on the way. */
function commitUnderWay(rig: Rig): void {
  while (rig.capture?.finished === false) rig.slice()
}

for (const between of ['', ', also behind a clear that was rolled back']) {
  test(`a record of a key that no barrier froze fails with its epoch: the key set to the same meanwhile is written again${between}`, () => {
    const rig = new Rig()
    const map = rig.collection(numbered(4, n => ({ n })))
    rig.checkpoint()
    const held = map.get('k0') as { n: number }
    held.n = 100
    map.set('new', 1)
    rig.cut()
    // Not listed, but while the journal is sifted any key counts as frozen.
    map.get('k0')
    commitUnderWay(rig)
    if (between !== '') transaction(rig, () => map.clear(), 'rollback')
    map.set('k0', held)
    rig.pass(1000)
    rig.fail()
    rig.checkpoint()
    rig.check(map)
  })
}

test('the same with a change that waited for one that matters', () => {
  const rig = new Rig()
  const map = rig.collection(numbered(4, n => ({ n })))
  rig.checkpoint()
  treat(map, { significant: () => false })
  map.set('k0', { n: 100 })
  map.set('new', 1)
  rig.cut()
  const held = map.get('k0')
  commitUnderWay(rig)
  map.set('k0', held)
  rig.pass(1000)
  rig.fail()
  rig.checkpoint()
  rig.check(map)
})
