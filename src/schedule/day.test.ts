import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Day, WEIGHT_MAX } from './day.ts'
import { levelOf, UpkeepPlan } from './upkeep-level.ts'

const DAY = 86_400_000
const HOUR = 3_600_000

test('whatever is observed at whatever time, what was learned stays within bounds', () => {
  const sample = fc.record({
    ms: fc.oneof(fc.double({ noNaN: false }), fc.nat(10_000_000)),
    utcMs: fc.oneof(fc.double(), fc.integer()),
    load: fc.double({ min: 0, max: 1, noNaN: true }),
    rate: fc.double({ min: 0, max: 1e9, noNaN: true }),
  })
  fc.assert(
    fc.property(fc.array(sample, { maxLength: 200 }), samples => {
      const day = new Day(DAY)
      for (const { ms, utcMs, load, rate } of samples) day.observe(ms, utcMs, load, rate)
      const learned = day.learned()
      assert.ok(learned.load.every(load => load >= 0 && load <= 1 + 1e-9))
      assert.ok(learned.rate.every(rate => rate >= 0 && rate <= 1e9 * (1 + 1e-9)))
      assert.ok(learned.weight.every(weight => weight >= 0 && weight <= WEIGHT_MAX))
      const again = new Day(DAY)
      again.remember(learned)
      assert.deepEqual(again.learned(), learned)
    }),
  )
})

test('a part follows the days: learned at once, then forgotten by a fifth a day', () => {
  const day = new Day(DAY)
  const pass = (from: number, rate: number): void => {
    for (let at = from; at < from + HOUR; at += 60_000) day.observe(60_000, at, 0.5, rate)
    day.observe(1, from + HOUR, 0, 0)
  }
  pass(0, 100)
  assert.equal(Math.round(day.learned().rate[2] as number), 100)
  for (let n = 1; n <= 10; n++) pass(n * DAY, 100)
  pass(11 * DAY, 1100)
  assert.equal(Math.round(day.learned().rate[2] as number), 300)
  for (let n = 12; n <= 30; n++) pass(n * DAY, 1100)
  assert.ok((day.learned().rate[2] as number) > 1050)
})

test('a process that slept for hours saw one moment, not hours', () => {
  const day = new Day(DAY)
  for (let n = 0; n < 15; n++) day.observe(60_000, 8 * HOUR + n * 60_000, 0.5, 100)
  day.observe(5 * HOUR, 13 * HOUR, 0, 0)
  day.observe(1000, 14 * HOUR, 0, 0)
  const { weight } = day.learned()
  assert.ok(weight.filter(of => of > 0).length <= 2)
})

test('a level is left by another threshold than it was entered by', () => {
  const at = (activity: number): { activity: number; calm: number; busy: number } => ({ activity, calm: 0.4, busy: 3.6 })
  assert.equal(levelOf('slow', undefined), 'slow')
  assert.equal(levelOf('held', undefined), 'slow')
  for (const [old, activity, level] of [
    ['slow', 2.2, 'slow'],
    ['slow', 2.4, 'held'],
    ['held', 1.8, 'held'],
    ['held', 1.7, 'free'],
    ['slow', 1.8, 'slow'],
    ['slow', 1.7, 'free'],
    ['free', 2.2, 'free'],
    ['free', 2.4, 'held'],
  ] as const) {
    assert.equal(levelOf(old, at(activity)), level, `${old} at ${activity}`)
  }
  // Without a contrast nothing is held, and nothing is a lull.
  for (const activity of [1.5, 2, 2.5]) assert.equal(levelOf('slow', { activity, calm: 1.6, busy: 2.4 }), 'slow')
})

test('a load that goes up and down around the middle does not make the level flap', () => {
  const day = new Day(DAY)
  day.remember({
    load: new Array(96).fill(0.5),
    rate: Array.from({ length: 96 }, (_, part) => (part < 48 ? 10 : 100)),
    weight: new Array(96).fill(10),
  })
  const plan = new UpkeepPlan(0, day.partMs)
  let turns = 0
  for (let now = 0; now < DAY; now += 10_000) {
    plan.observe(10_000, 0.5, 55 + 45 * Math.sin(now / 60_000))
    if (plan.look(now, day)) turns++
  }
  assert.ok(turns <= 2, `${turns}`)
})
