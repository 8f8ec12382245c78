/** The drain beside a loop whose timers are as coarse as libuv's: how much of the time its slices take, when much is due. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Loop } from '../../test/support/loop.ts'
import { Histogram } from '../base/histogram.ts'
import { type Drain, Outbox, Space } from '../capture/index.ts'
import { Drainer, type DrainerParts } from './drainer.ts'
import { Pace } from './pace.ts'
import { SLICE_SHARE } from './round.ts'
import { Turns } from './turns.ts'

const STALL_MS = 1
const STEP_MS = 0.005

/** Of a loop at rest. */
const TURN_MS = 0.02

/** So much is due, and more comes each look, so that the slices end by the clock; the first may take long, and is not counted then. */
function slicesIn(ms: number, load: number, firstMs = 0): { readonly share: number; readonly longest: number; readonly turns: number } {
  const loop = new Loop(true)
  const run = (untilMs: number): void => {
    while (loop.nowMs < untilMs) loop.turn(TURN_MS)
  }
  const clock = { monotonic: () => loop.nowMs, now: () => 0 }
  const slices: number[] = []
  const watch = { turnBegins: () => {}, turnEnded: (took: number) => void slices.push(took) }
  const turns = new Turns({ clock, scheduler: loop }, error => assert.fail(error), watch)
  const drain = {
    collections: 1,
    idle: false,
    left: 0,
    look() {
      this.left = 1_000_000
      return this.left
    },
    run(_now: number, _age: number, steps: number, expired: () => boolean) {
      let made = 0
      if (slices.length === 0) loop.nowMs += firstMs
      for (; made < steps && !expired(); made++) loop.nowMs += STEP_MS
      this.left -= made
      return made
    },
    barrier() {},
  }
  const parts: DrainerParts = {
    clock,
    turns,
    outbox: new Outbox(() => {}),
    drain: drain as unknown as Drain,
    space: new Space(new Histogram(), () => 0),
    pace: new Pace(1000),
    stallMsMax: STALL_MS,
    load: () => load,
    collections: () => [],
    watched: true,
    allowed: () => true,
  }
  const drainer = new Drainer(parts)
  drainer.wake()
  if (firstMs > 0) {
    while (slices.length === 0) run(loop.nowMs + 1)
    slices[0] = 0
  }
  run(loop.nowMs + ms)
  drainer.stop()
  return { share: slices.reduce((sum, one) => sum + one, 0) / ms, longest: Math.max(...slices), turns: slices.length }
}

test('slices that are behind take their share of the time, although no timer comes sooner than a millisecond', () => {
  for (const [load, least, most] of [
    [0, 0.55, 0.66],
    [0.5, 0.33, 0.41],
    [1, 0.1, 0.16],
  ] as const) {
    const { share, longest, turns } = slicesIn(500, load)
    assert.ok(share > least && share < most, `${share} of a loop with a load of ${load}`)
    assert.ok(longest <= STALL_MS * SLICE_SHARE + 2 * STEP_MS, `${longest} ms`)
    assert.ok(turns > 100)
  }
})

test('what one long slice took of the time beyond its share is not owed by the next ones', () => {
  const { share } = slicesIn(1000, 0, 400)
  assert.ok(share > 0.55, `${share} of a loop at rest`)
})
