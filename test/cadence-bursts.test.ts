/** The scheduler of a service whose writes come in bursts, and of one whose checkpoints are only asked for. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CadenceWorld } from './support/cadence-world.ts'

test('where writes come in bursts the barrier falls right behind the last one of its window, and without them at its end', () => {
  const ticks = (ms: number): number => (ms % 50 < 5 ? 2_000_000 : 0)
  for (const met of [true, false]) {
    const world = new CadenceWorld({ rate: ticks, settings: { intervalMs: 2000 } })
    // What the rounds of two epochs find, and none behind them, because the barriers fall so well.
    if (met) for (let cut = 0; cut < 2; cut++) [world.cadence.bursts.cut(), world.cadence.bursts.met()]
    world.run(60_000, 1)
    const barriers = world.of('barrier')
    assert.ok(barriers.length >= 29)
    assert.deepEqual(new Set(barriers.map(({ reason }) => reason)), new Set(['interval']))
    const windows = barriers.map(({ numbers }) => numbers.windowMs as number)
    if (!met) assert.ok(windows.slice(1).every(ms => ms === 2000))
    else {
      assert.ok(
        barriers.slice(1).every(({ at }) => at % 50 >= 5 && at % 50 < 15),
        barriers.map(({ at }) => at).join(' '),
      )
      assert.ok(
        windows.slice(1).every(ms => ms >= 1875 && ms <= 2000),
        windows.join(' '),
      )
    }
    assert.ok(world.looks < 30 * 8 + (met ? 30 * 25 : 0) + 30)
  }
})

test('without an interval the load of the loop is known to who asks, of late', () => {
  const world = new CadenceWorld({ rate: () => 0, load: ms => (ms < 1000 ? 0.9 : 0.2), settings: { intervalMs: 0 } })
  assert.equal(world.cadence.load(), 1, 'nothing is known')
  for (let ms = 5; ms < 1000; ms += 5) {
    world.clock.advance(5)
    world.cadence.load()
  }
  assert.ok(Math.abs(world.cadence.load() - 0.9) < 0.01, `${world.cadence.load()}`)
  world.clock.advance(1000)
  assert.ok(Math.abs(world.cadence.load() - 0.2) < 0.01, `${world.cadence.load()}`)
})
