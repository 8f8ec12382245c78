/** Transactions over entries that left the heap: what could not be taken back is refused. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Eviction } from '../src/capture/index.ts'
import { begin, transaction } from './support/cold-rig.ts'
import { failsWith } from './temporary.ts'

test('an object that was evicted and held since before is refused in place of itself, behind a clear too', async () => {
  for (const clears of [0, 1, 2]) {
    const { rig, map, collection } = begin(3, { evicts: true })
    const held = map.get('k1') as { n: number }
    assert.equal(new Eviction(collection).run(10), 1)
    let set: Promise<unknown> | undefined
    transaction(
      rig,
      () => {
        for (let cleared = 0; cleared < clears; cleared++) {
          map.clear()
          map.set('k2', cleared)
        }
        set = failsWith('TIDEMARK_TRANSACTION_STALE', () => map.set('k1', held), { key: 'k1' })
        if (clears > 0) map.set('k1', { n: 5 })
      },
      'rollback',
    )
    await set
    assert.equal(map.get('k1'), held)
    assert.deepEqual([map.size, map.get('k0'), map.get('k1'), map.get('k2')], [3, { n: 0 }, { n: 1 }, { n: 2 }])
  }
})
