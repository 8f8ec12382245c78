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
