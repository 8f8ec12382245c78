import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Delta } from './delta.ts'

/** Of an epoch with keys of one collection that came to so many bytes. */
function learn(delta: Delta, id: number, keys: number, bytes: number): void {
  delta.cut([{ id, keys }])
  delta.committed(new Map([[id, bytes]]))
}

test('what the drain recorded counts with its bytes, whatever was learned of the collection', () => {
  const delta = new Delta()
  const changed = [{ id: 1, keys: 1000, drained: { keys: 900, bytes: 5_000_000 } }]
  assert.ok(delta.bytes(changed) >= 5_000_000)
  // All that was written equalled what was there.
  learn(delta, 1, 1000, 0)
  assert.equal(delta.bytes(changed), 5_000_000)
  learn(delta, 1, 1000, 1e9)
  assert.ok(delta.bytes(changed) > 2e8)
})

test('of a collection that no commit has written, keys come to what the drain made of them, no less than those of the others', () => {
  for (const others of [false, true]) {
    const delta = new Delta()
    if (others) for (let n = 0; n < 10; n++) learn(delta, 2, 1000, 20_000)
    const bytes = delta.bytes([{ id: 1, keys: 1000, drained: { keys: 10, bytes: 50_000 } }])
    assert.equal(Math.round(bytes), 5_000_000)
    assert.ok(delta.bytes([{ id: 1, keys: 1000, drained: { keys: 900, bytes: 100 } }]) >= 15_000)
    assert.equal(delta.bytes([{ id: 1, keys: 1000, drained: { keys: 0, bytes: 300_000 } }]), 300_000)
  }
})
