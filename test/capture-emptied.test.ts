/** Collections that are emptied while a barrier's keys of them are still to be captured. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Collection } from '../src/capture/index.ts'
import { type Key, tideCodec, type ValueCodec } from '../src/codec/index.ts'
import { numbered, Rig } from './support/capture-rig.ts'

test('what was in a map that is emptied during the capture belongs to whoever holds it', () => {
  for (const count of [20, 5000]) {
    const rig = new Rig()
    const map = rig.collection(numbered(count, n => ({ n })))
    const first = map.id
    const held = map.get('k19') as { n: number }
    rig.cut()
    const at = rig.disk.get(first) ?? new Map<Key, unknown>()
    map.clear()
    held.n = -1
    if (count > 1000) {
      assert.deepEqual(rig.voids, ['emptied during the capture'])
      rig.checkpoint()
      rig.check(map)
    } else {
      assert.deepEqual(rig.voids, [])
      rig.commit()
      assert.deepEqual((rig.disk.get(first) ?? at).get('k19'), { n: 19 })
    }
  }
})

test('a codec that empties collections voids no cut that is taken at once, its own collection included', () => {
  for (const own of [false, true]) {
    const rig = new Rig()
    const count = own ? 20_000 : 1000
    let emptied: Collection | undefined
    const codec: ValueCodec = {
      name: 'emptying',
      encodeInto(writer, value) {
        tideCodec.encodeInto(writer, value)
        const now = emptied
        now?.clear()
        if (own) emptied = undefined
        if (now !== undefined) for (const [key] of numbered(count)) now.set(key, 'again')
      },
      decode: (bytes, start, end) => tideCodec.decode(bytes, start, end),
    }
    const first = rig.collection(numbered(own ? count : 1), codec)
    const second = rig.collection(numbered(count))
    emptied = own ? first : second
    const { id } = emptied
    rig.cut().run(() => false, true)
    assert.deepEqual(rig.voids, [])
    rig.commit()
    assert.deepEqual(rig.disk.get(id), new Map(numbered(count)))
  }
})

test('values of a map that is emptied during the capture are pre-images: beyond the bound the cut is void', () => {
  const rig = new Rig()
  const map = rig.collection(numbered(200, n => Buffer.alloc(256 * 1024, n)))
  rig.cut()
  // What a slow writer has not taken in yet.
  rig.outbox.inFlight = 72 * 1024 * 1024
  map.clear()
  assert.deepEqual(rig.voids, [])
  const more = rig.collection(numbered(200, n => Buffer.alloc(512 * 1024, n)))
  rig.checkpoint()
  for (const [key] of numbered(200)) more.set(key, Buffer.alloc(512 * 1024))
  const { id } = more
  rig.cut()
  rig.outbox.inFlight = 72 * 1024 * 1024
  more.clear()
  assert.deepEqual(rig.voids, ['pre-images beyond the bound'])
  assert.ok(rig.outbox.inFlight < 160 * 1024 * 1024)
  rig.checkpoint()
  assert.equal(more.id === id, false)
  rig.check(more)
})

test('a cut that is taken at once is not void by them', () => {
  const rig = new Rig()
  let emptied: Collection | undefined
  const codec: ValueCodec = {
    name: 'emptying',
    encodeInto(writer, value) {
      tideCodec.encodeInto(writer, value)
      emptied?.clear()
    },
    decode: (bytes, start, end) => tideCodec.decode(bytes, start, end),
  }
  rig.collection(numbered(1), codec)
  emptied = rig.collection(numbered(200, () => Buffer.alloc(512 * 1024)))
  const { id } = emptied
  const capture = rig.cut()
  rig.outbox.inFlight = 72 * 1024 * 1024
  capture.run(() => false, true)
  assert.deepEqual(rig.voids, [])
  rig.commit()
  assert.equal(rig.disk.get(id)?.size, 200)
})
