/** Restoring to a time by a wall clock that was set back in between. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SimulatedStore } from './support/simulated-store.ts'

const TIMES = [1000, 5000, 2000, 4000, 9000, 3000, 8000] as const
const BEGIN_MS = 1_700_000_000_000

for (const folded of [false, true]) {
  test(`a time means the newest epoch that was not later${folded ? ', behind whichever fold point it lies' : ''}`, async () => {
    const world = new SimulatedStore({ retention: { keepLast: 20 } })
    world.thresholds = folded ? { records: 2, graceMs: 100 } : {}
    let wallMs = BEGIN_MS
    world.clock.now = () => wallMs
    const store = await world.open()
    const map = store.map<number>('map')
    for (const [at, timeMs] of TIMES.entries()) {
      wallMs = BEGIN_MS + timeMs
      map.set('n', at + 1)
      map.set(`${at}`, at)
      await world.checkpoint()
      // Where it is folded, two epochs lie between two fold points once.
      if (at !== 1) await world.pass(3000)
    }
    assert.equal(store.stats().upkeep.foldedEpoch > 0, folded)
    await world.close()
    for (let timeMs = 1000; timeMs <= 10_000; timeMs += 500) {
      const expected = TIMES.findLastIndex(one => one <= timeMs) + 1
      const reader = await world.open({ readOnly: true, restore: { at: new Date(BEGIN_MS + timeMs) } })
      assert.equal(reader.restored.epoch, expected, `${timeMs}`)
      assert.equal(reader.map('map').get('n'), expected)
      await world.close()
    }
    await assert.rejects(world.open({ readOnly: true, restore: { at: new Date(BEGIN_MS + 999) } }), { code: 'TIDEMARK_NO_SUCH_POINT' })
  })
}
