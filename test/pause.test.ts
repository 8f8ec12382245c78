/** When barriers pause, and that a pause ends: the scheduler before a simple world. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CadenceWorld } from './support/cadence-world.ts'

const elastic = { elastic: true, intervalMsMax: 5000 }

/** Times between barriers. */
function windows(world: CadenceWorld): number[] {
  const at = world.of('barrier').map(barrier => barrier.at)
  return at.slice(1).map((time, index) => time - (at[index] as number))
}

test('a loop without a free moment makes barriers wait as long as the RPO lets them; then capture wins and says so', () => {
  const world = new CadenceWorld({ rate: () => 1000, load: ms => (ms > 20_000 && ms < 60_000 ? 0.99 : 0.2), settings: elastic })
  world.run(100_000)
  assert.equal(world.of('pause', 'loop').length, 1, 'once, no flapping')
  assert.equal(world.of('resume').length, 1)
  const during = world.of('barrier').filter(({ at }) => at > 25_000 && at < 60_000)
  assert.deepEqual(new Set(during.map(({ reason }) => reason)), new Set(['rpo']))
  assert.ok(world.worstMs <= 5000, `${world.worstMs}`)
  assert.deepEqual(world.of('rpo-broken'), [])
})

test('behind an epoch that takes longer than an interval barriers wait: within it none could have fallen', () => {
  const world = new CadenceWorld({ rate: () => 1000, commitMs: () => 2500, settings: { ...elastic, intervalMsMax: 10_000 } })
  world.run(100_000)
  assert.ok(world.of('pause', 'storage').length > 10)
  // Less what passed between the last look at the epoch and its end.
  const waitedMs = 1000 - 125
  for (const { at } of world.of('resume')) {
    const fell = world.of('barrier').findLast(barrier => barrier.at < at)?.at ?? Number.NaN
    assert.ok(at - fell >= 2500 + waitedMs, `${at - fell} ms behind a barrier`)
  }
  for (const windowMs of windows(world)) assert.ok(windowMs >= 2500 + waitedMs, `${windowMs}`)
  assert.ok(world.worstMs <= 10_000, `${world.worstMs}`)
})

test('a pause ends where calm moments come again and again, though none lasts for an interval', () => {
  const settings = { ...elastic, intervalMsMax: 2000 }
  const again = (world: CadenceWorld): void => {
    world.run(100_000)
    const pauses = world.of('pause')
    assert.ok(pauses.length > 0)
    for (const { at } of pauses) {
      const ended = world.of('resume').find(resume => resume.at > at)?.at ?? Number.POSITIVE_INFINITY
      assert.ok(Math.min(ended, 100_000) - at <= 10_000, `${at} to ${ended}`)
    }
  }
  // Barriers for the RPO, one behind the other.
  again(new CadenceWorld({ rate: () => 1000, commitMs: ms => (ms < 3000 ? 1100 : 700), settings }))
  again(new CadenceWorld({ rate: () => 1000, commitMs: () => 1100, settings }))
  again(new CadenceWorld({ rate: () => 1000, commitMs: () => 2500, settings: { ...settings, intervalMsMax: 4000 } }))
  // A loop that is busy for a part of each interval.
  again(new CadenceWorld({ rate: () => 1000, load: ms => (ms < 3000 || ms % 1000 < 300 ? 1 : 0.1), settings: elastic }))
})
