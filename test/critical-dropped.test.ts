/** What is remembered of critical collections that are dropped while no barrier falls, and how often those that live are looked at. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Collection } from '../src/capture/index.ts'
import { Rpo } from '../src/checkpoint/rpo.ts'
import { Turns } from '../src/checkpoint/turns.ts'
import { ManualScheduler } from './support/checkpointer-rig.ts'

/** No barrier falls, and nothing was changed before it was dropped. `said`: which `rpoMs` is told to be broken, and when. */
function rig() {
  const scheduler = new ManualScheduler()
  const now = (): number => scheduler.nowMs
  const collections = new Set<Collection>()
  const said: string[] = []
  const state = { asked: 0, looks: 0 }
  const turns = new Turns({ clock: { now, monotonic: now }, scheduler }, error => {
    throw error
  })
  const rpo = new Rpo({
    ...{ turns, now },
    collections: () => collections,
    changed: () => false,
    due: () => void state.asked++,
    told: {
      criticalBroken: ({ rpoMsMax }) => said.push(`${rpoMsMax} at ${now()}`),
      criticalMet: ({ rpoMsMax }) => said.push(`met ${rpoMsMax}`),
    },
  })
  const make = (rpoMs: number, dropped: boolean): Collection =>
    ({
      dropped,
      get rpoMs() {
        state.looks++
        return rpoMs
      },
    }) as unknown as Collection
  const come = (rpoMs: number): void => {
    collections.add(make(rpoMs, false))
    rpo.given(rpoMs)
  }
  /** One is there, and gone. */
  const drop = (rpoMs: number): void => rpo.dropped(make(rpoMs, true))
  return { scheduler, rpo, said, state, come, drop }
}

test('a critical collection that is dropped is remembered by its time alone, however many there are of them', () => {
  const { scheduler, rpo, said, state, drop } = rig()
  for (let n = 0; n < 1000; n++) {
    drop(1000 + (n % 2))
    scheduler.pass(1)
  }
  assert.equal(state.asked, 1)
  state.looks = 0
  assert.equal(rpo.barrierBy, 1000)
  scheduler.pass(1500)
  assert.deepEqual(said, ['1000 at 2000'])
  assert.equal(rpo.committed(), undefined, 'they wait')
  assert.equal(state.looks, 0)
  rpo.arm()
  assert.equal(rpo.barrierBy, Number.POSITIVE_INFINITY)
  rpo.committed()?.()
  assert.deepEqual(said, ['1000 at 2000', 'met 1000'])
})

test('that a drop waits too long for its barrier is told in its own time, though another, of more time, waited before it', () => {
  for (const [rpoMs, told] of [
    [50, '50 at 61100'],
    [50_000, '60000 at 120000'],
  ] as const) {
    const { scheduler, said, state, drop } = rig()
    drop(60_000)
    scheduler.pass(61_000)
    assert.equal(state.asked, 1)
    drop(rpoMs)
    scheduler.pass(200)
    scheduler.pass(200_000)
    assert.deepEqual(said, [told])
  }
})

test('what was to be told of drops that a barrier took is told of none behind it', () => {
  const { scheduler, rpo, said, state, drop } = rig()
  drop(1000)
  scheduler.pass(1500)
  rpo.arm()
  drop(1000)
  scheduler.pass(1999)
  assert.deepEqual([said, state.asked], [[], 2])
  scheduler.pass(1)
  assert.deepEqual(said, ['1000 at 3500'])
})

test('a look goes through critical collections once, and to give another an rpoMs through none', () => {
  const { scheduler, rpo, state, come } = rig()
  for (let n = 0; n < 1000; n++) come(2000 - n)
  assert.equal(state.looks, 0)
  scheduler.pass(1000)
  assert.equal(state.looks, 0)
  scheduler.pass(1)
  assert.equal(state.looks, 1000, 'in the time of the shortest')
  rpo.arm()
  assert.equal(state.looks, 2000)
  scheduler.pass(1001)
  assert.equal(state.looks, 3000)
})
