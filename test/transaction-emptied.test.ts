/** Transactions that empty collections: what each of very many times costs, and what they leave behind when they are taken back. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Transaction } from '../src/capture/transaction.ts'
import { Rig } from './support/capture-rig.ts'

test('a transaction that empties a collection many times takes a few steps for each, and is taken back whole', ({ mock }) => {
  const stepsOf = (times: number): number => {
    const rig = new Rig()
    const objects = [{ n: 1 }, { n: 2 }, { n: 3 }] as const
    const map = rig.collection(objects.map((object, at) => [`k${at}`, object]))
    const before = structuredClone(map.live)
    const transaction = new Transaction()
    rig.space.transaction = transaction
    rig.space.refresh()
    const got = map.get('k2') as { n: number }
    got.n = 7
    const gets = mock.method(Map.prototype, 'get')
    for (let n = 0; n < times; n++) {
      map.set('k', { n })
      map.clear()
    }
    const steps = gets.mock.callCount()
    gets.mock.restore()
    // What was there first is kept as it is, but for what was handed out; what came later a rollback leaves nothing of.
    assert.throws(() => map.set('k0', objects[0]), { code: 'TIDEMARK_TRANSACTION_STALE' })
    const later = { n: 4 }
    map.set('k0', later)
    map.set('k1', 1)
    map.delete('k1')
    map.clear()
    map.set('k0', later)
    map.set('k2', got)
    later.n = 5
    transaction.rollback()
    rig.space.endTransaction()
    assert.deepEqual(map.live, before)
    assert.equal(map.live.get('k0'), objects[0])
    rig.checkpoint()
    return steps
  }
  const [few, many] = [stepsOf(50), stepsOf(100)]
  assert.ok(many < 3 * few, `${few} steps for 50 times, ${many} for 100`)
})
