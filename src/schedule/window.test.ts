import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { CadenceSettings } from './types.ts'
import { planBarrier, Window, type WindowFacts } from './window.ts'

const settings: CadenceSettings = {
  intervalMs: 1000,
  intervalMsMin: 250,
  intervalMsMax: 5000,
  elastic: true,
  deltaBytesMax: 1_000_000,
  cycleMs: 86_400_000,
}
const facts: WindowFacts = {
  elapsedMs: 0,
  ageMs: 0,
  reserveMs: 0,
  lagLeftMs: Number.POSITIVE_INFINITY,
  deltaBytes: 0,
  targetMs: 1000,
  lull: false,
  lullsExpected: false,
  busy: false,
  behindBurst: undefined,
  paused: false,
}
const anyFacts = fc.record({
  elapsedMs: fc.double({ min: 0, max: 10_000, noNaN: true }),
  ageMs: fc.double({ min: 0, max: 10_000, noNaN: true }),
  reserveMs: fc.double({ min: 0, max: 2500, noNaN: true }),
  lagLeftMs: fc.oneof(fc.constant(Number.POSITIVE_INFINITY), fc.double({ min: -1000, max: 10_000, noNaN: true })),
  deltaBytes: fc.nat(2_000_000),
  targetMs: fc.double({ min: 1000, max: 5000, noNaN: true }),
  lull: fc.boolean(),
  lullsExpected: fc.boolean(),
  busy: fc.boolean(),
  behindBurst: fc.constantFrom(undefined, true, false),
  paused: fc.boolean(),
})

test('whatever else is so, a change that would become too old makes the barrier fall, and no wait reaches beyond that', () => {
  fc.assert(
    fc.property(anyFacts, fc.boolean(), (some, elastic) => {
      const plan = planBarrier({ ...settings, elastic }, some)
      const leftMs = Math.min(settings.intervalMsMax - some.reserveMs - some.ageMs, some.lagLeftMs)
      if (leftMs <= 0) assert.notEqual(plan.falls, undefined)
      else if (plan.falls === undefined) assert.ok(plan.inMs > 0 && plan.inMs <= leftMs)
      else assert.notEqual(plan.falls, 'rpo')
    }),
    { numRuns: 5000 },
  )
})

test('a window that is not elastic ends at its interval, before it for the delta and behind a burst, and never before intervalMsMin', () => {
  fc.assert(
    fc.property(anyFacts, fc.constantFrom(250, 1000), (some, intervalMsMin) => {
      const young = { ...some, ageMs: 0, lagLeftMs: Number.POSITIVE_INFINITY, paused: false, targetMs: 1000 }
      const plan = planBarrier({ ...settings, intervalMsMin, elastic: false }, young)
      const { elapsedMs, deltaBytes, behindBurst } = young
      const delta = deltaBytes >= settings.deltaBytesMax && elapsedMs >= intervalMsMin
      const early = behindBurst === true && elapsedMs >= Math.max(intervalMsMin, 1000 * (15 / 16))
      assert.equal(plan.falls, delta ? 'delta' : early || elapsedMs >= 1000 ? 'interval' : undefined)
      if (plan.falls === undefined) assert.ok(plan.inMs <= 1000 - elapsedMs)
    }),
    { numRuns: 5000 },
  )
})

test('where bursts are expected looks come often in the last sixteenth of the window, and not before', () => {
  const bursts = { ...facts, behindBurst: false }
  assert.deepEqual(planBarrier(settings, { ...bursts, elapsedMs: 500 }), { falls: undefined, inMs: 437.5 })
  assert.deepEqual(planBarrier(settings, { ...bursts, elapsedMs: 940 }), { falls: undefined, inMs: 5 })
  assert.deepEqual(planBarrier(settings, { ...bursts, elapsedMs: 998 }), { falls: undefined, inMs: 2 })
  assert.deepEqual(planBarrier(settings, { ...bursts, elapsedMs: 937, behindBurst: true }), { falls: undefined, inMs: 5 })
  assert.deepEqual(planBarrier(settings, { ...bursts, elapsedMs: 938, behindBurst: true }), { falls: 'interval' })
})

test('a lull takes the barrier from half of the window on, a burst puts it off where lulls are to be expected', () => {
  assert.deepEqual(planBarrier(settings, { ...facts, lull: true, elapsedMs: 499 }).falls, undefined)
  assert.deepEqual(planBarrier(settings, { ...facts, lull: true, elapsedMs: 500 }).falls, 'lull')
  const burst = { ...facts, busy: true, elapsedMs: 1000, ageMs: 1000 }
  assert.deepEqual(planBarrier(settings, burst), { falls: 'interval' })
  assert.deepEqual(planBarrier(settings, { ...burst, lullsExpected: true }), { falls: undefined, inMs: 4000 })
})

test('windows grow and shrink between the interval and the RPO less its reserve, at most every second commit', () => {
  const window = new Window(settings)
  const busy = { rewrites: 0.5, load: 0.9, commitMs: 10, reserveMs: 15 }
  assert.equal(window.committed(busy), undefined, 'the first commit')
  const targets: number[] = []
  for (let n = 0; n < 20; n++) if (window.committed(busy) !== undefined) targets.push(window.targetMs)
  assert.deepEqual(targets, [1500, 2250, 3375, 4985])
  assert.equal(window.committed({ ...busy, commitMs: 1000, reserveMs: 1500 }), 'slow-commits')
  assert.equal(window.targetMs, 3500)
  assert.equal(window.committed({ ...busy, rewrites: 0.1 }), undefined, 'nothing is saved')
  for (let n = 0; n < 20; n++) window.committed({ rewrites: 0.5, load: 0.1, commitMs: 10, reserveMs: 15 })
  assert.equal(window.targetMs, 1000)
  const fixed = new Window({ ...settings, elastic: false })
  for (let n = 0; n < 20; n++) assert.equal(fixed.committed(busy), undefined)
})

test('at its upper end, which follows the commits, a window is not said to change for a few milliseconds, and reaches never beyond it', () => {
  const window = new Window({ ...settings, intervalMsMax: 4000 })
  const commit = (commitMs: number) => {
    const why = window.committed({ rewrites: 0.5, load: 0.8, commitMs, reserveMs: 1.5 * commitMs })
    assert.ok(window.targetMs <= 4000 - 1.5 * commitMs)
    return why
  }
  const said = (commits: readonly number[]): string[] => commits.flatMap(commitMs => commit(commitMs) ?? [])
  const alternate = Array.from({ length: 40 }, (_, n) => (n % 2 === 0 ? 660 : 654))
  assert.deepEqual(said(alternate), ['rewrites', 'rewrites', 'rewrites'])
  assert.deepEqual(said(alternate), [])
  // Each of them a little, and in the end it is less by far.
  const slower = Array.from({ length: 60 }, (_, n) => 660 + 10 * n)
  const told = said(slower)
  assert.ok(told.length > 2 && told.length < 12 && told.every(why => why === 'slow-commits'), `${told}`)
})

test('a window that has shrunk for slow commits grows at the second commit behind that, at the earliest', () => {
  const window = new Window(settings)
  const commit = (commitMs: number) => window.committed({ rewrites: 0.5, load: 0.9, commitMs, reserveMs: 1.5 * commitMs })
  for (let n = 0; n < 20; n++) commit(10)
  assert.equal(window.targetMs, 4985)
  assert.equal(commit(10), undefined)
  assert.equal(commit(1000), 'slow-commits')
  assert.deepEqual([commit(10), commit(10)], [undefined, 'rewrites'])
})
