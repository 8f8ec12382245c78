import assert from 'node:assert/strict'
import { test } from 'node:test'
import { KEEP_LAST_MAX, RETAINED_POINTS_MAX } from '../base/limits.ts'
import type { RetainedPoint } from '../format/index.ts'
import { agesAt, retain } from './retention.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS

const pointAt = (number: number, timeMs: number): RetainedPoint => ({ number, epoch: number, timeMs })

test('points are kept one a minute, beyond a day one an hour, beyond 30 days one a day, as far back as is asked for', () => {
  const keepMs = 100 * DAY_MS
  const retention = { keepLast: 3, keepMs }
  let points: readonly RetainedPoint[] = []
  let now = 0
  let number = 0
  for (; now < 130 * DAY_MS; now += 10 * MINUTE_MS) points = retain([...points, pointAt(++number, now)], agesAt(now), retention)
  for (const end = now + 2 * DAY_MS; now < end; now += 20_000) points = retain([...points, pointAt(++number, now)], agesAt(now), retention)
  const gaps = new Map<number, number>()
  for (const [at, { timeMs }] of points.entries()) {
    const before = points[at - 1]
    if (before === undefined || at >= points.length - 3) continue
    const age = now - before.timeMs
    const step = age <= DAY_MS ? MINUTE_MS : age <= 30 * DAY_MS ? HOUR_MS : DAY_MS
    assert.ok(timeMs - before.timeMs <= 2 * step, `${age} ago`)
    gaps.set(step, (gaps.get(step) ?? 0) + 1)
  }
  const [minutes = 0, hours = 0, days = 0] = [MINUTE_MS, HOUR_MS, DAY_MS].map(step => gaps.get(step))
  assert.ok(Math.abs(minutes - 24 * 60) < 5 && Math.abs(hours - 29 * 24) < 5 && Math.abs(days - 70) < 3, `${minutes} ${hours} ${days}`)
  const reachMs = now - (points[0]?.timeMs ?? now)
  assert.ok(reachMs >= keepMs - MINUTE_MS && reachMs <= keepMs + DAY_MS, `${reachMs / DAY_MS} days`)
})

test('the same points are left however often they are looked at', () => {
  const retention = { keepLast: 2, keepMs: 40 * DAY_MS }
  const all: RetainedPoint[] = []
  let often: readonly RetainedPoint[] = []
  for (let number = 1, now = 0; now < 45 * DAY_MS; number++, now += 1_234_567) {
    const point = pointAt(number, now)
    all.push(point)
    often = retain([...often, point], agesAt(now), retention)
  }
  assert.deepEqual(retain(all, agesAt(all.at(-1)?.timeMs ?? 0), retention), often)
})

test('they stay within their bound for as long as anybody asks, whatever the clock says, and reach back to the first', () => {
  const retention = { keepLast: 3, keepMs: Number.MAX_SAFE_INTEGER }
  const clocks: ((at: number) => number)[] = [
    at => at * DAY_MS,
    // One that jumps to and fro, and one whose past is in the future.
    at => (at % 2) * 1000 * DAY_MS + at,
    at => 1e14 - at * DAY_MS,
  ]
  for (const clock of clocks) {
    let points: readonly RetainedPoint[] = []
    for (let at = 0; at < RETAINED_POINTS_MAX + 2000; at++) {
      points = [...points, pointAt(at + 1, clock(at))]
      if (at % 100 === 0) points = retain(points, agesAt(clock(at)), retention)
    }
    points = retain(points, agesAt(clock(RETAINED_POINTS_MAX + 2000)), retention)
    assert.ok(points.length > RETAINED_POINTS_MAX / 2 && points.length <= RETAINED_POINTS_MAX + 2, `${points.length}`)
    assert.equal(points[0]?.number, 1)
    assert.ok(points.every((point, at) => at === 0 || point.number > (points[at - 1] as RetainedPoint).number))
  }
})

test('without a time the newest are kept, and with a short one as many as fit', () => {
  const points = Array.from({ length: 200 }, (_, at) => pointAt(at + 1, at * MINUTE_MS))
  const numbers = (keepLast: number, keepMs: number): number[] =>
    retain(points, agesAt(200 * MINUTE_MS), { keepLast, keepMs }).map(one => one.number)
  assert.deepEqual(numbers(1, 0), [])
  assert.deepEqual(numbers(4, 0), [198, 199, 200])
  assert.deepEqual(numbers(1, 2 * MINUTE_MS), [199, 200])
  assert.equal(numbers(1, HOUR_MS).length, 60)
})

test('beside a wall clock that stands still points are kept by the time that passes, and go', () => {
  const points = Array.from({ length: 180 }, (_, at) => pointAt(at, 50 * 365 * DAY_MS))
  const agesOf = (kept: readonly RetainedPoint[]): number[] => kept.map(({ number }) => (179 - number) * MINUTE_MS)
  const kept = retain(points, agesOf, { keepLast: 3, keepMs: HOUR_MS }).map(({ number }) => number)
  assert.deepEqual([kept[0], kept.length], [119, 61])
  assert.deepEqual(kept.slice(-2), [178, 179])
  // Two within a minute are one.
  const twice = (all: readonly RetainedPoint[]): number[] => all.map(({ number }) => ((179 - number) * MINUTE_MS) / 2)
  assert.equal(retain(points, twice, { keepLast: 3, keepMs: HOUR_MS }).length, 62)
})

test('the points reach back as far as is asked for, however far apart they are', () => {
  const at = (...minutes: number[]): RetainedPoint[] => minutes.map((minute, index) => pointAt(index + 1, minute * MINUTE_MS))
  const times = (points: readonly RetainedPoint[], nowMs: number, keepMs: number): number[] =>
    retain(points, agesAt(nowMs), { keepLast: 1, keepMs }).map(({ timeMs }) => timeMs / MINUTE_MS)
  assert.deepEqual(times(at(0, 50), 61 * MINUTE_MS, HOUR_MS), [0, 50], 'what was 55 minutes ago lies behind the first alone')
  assert.deepEqual(times(at(0, 50), 110 * MINUTE_MS, HOUR_MS), [50])
  assert.deepEqual(times(at(0, 20, 40, 60, 80), 100 * MINUTE_MS, HOUR_MS), [40, 60, 80])
  assert.deepEqual(times(at(0), 30 * DAY_MS, HOUR_MS), [0], 'the one that is being left')
  let points: readonly RetainedPoint[] = []
  for (let number = 1; number < 2000; number++) {
    const now = number * 20 * MINUTE_MS
    points = retain([...points, pointAt(number, now)], agesAt(now + 20 * MINUTE_MS), { keepLast: 3, keepMs: 5 * HOUR_MS })
    if (number > 20) assert.equal(points.length, 15)
  }
})

test('a time that is early because the clock was behind makes no point old, and none of those before it', () => {
  const now = 50 * 365 * DAY_MS
  const kept = (...times: number[]): number[] => {
    const points = times.map((timeMs, index) => pointAt(index + 1, timeMs))
    return retain(points, agesAt(now), { keepLast: 1, keepMs: DAY_MS }).map(({ number }) => number)
  }
  assert.deepEqual(kept(now - 5 * HOUR_MS, MINUTE_MS, now - HOUR_MS / 2), [1, 2, 3])
  assert.deepEqual(kept(now - 5 * HOUR_MS, MINUTE_MS, 3 * MINUTE_MS, now - HOUR_MS / 2), [1, 2, 3, 4])
  assert.deepEqual(kept(now - 5 * HOUR_MS, now - HOUR_MS, now - 4 * HOUR_MS, now - HOUR_MS / 2), [1, 2, 3, 4])
  assert.deepEqual(kept(now - 3 * DAY_MS, MINUTE_MS, now - 2 * DAY_MS, now - HOUR_MS / 2), [3, 4], 'as old as the next')
  assert.deepEqual(agesAt(now)([now - HOUR_MS, MINUTE_MS, now + DAY_MS].map((timeMs, at) => pointAt(at + 1, timeMs))), [HOUR_MS, 0, 0])
})

test('points up to an epoch are kept whatever is asked for of later ones, and never more than may be asked for', () => {
  const at = (number: number): RetainedPoint => pointAt(number, number * MINUTE_MS)
  const fold = (points: readonly RetainedPoint[], number: number, keepUpTo: number): readonly RetainedPoint[] =>
    retain([...points, at(number)], agesAt(number * MINUTE_MS), { keepLast: 3, keepMs: 0, keepUpTo })
  let points = [1, 2, 5, 9].map(at)
  const past = points.map(({ epoch }) => epoch)
  for (let number = 10; number < 300; number++) points = [...fold(points, number, 9)]
  assert.deepEqual(
    points.map(({ epoch }) => epoch),
    [...past, 298, 299],
  )
  for (let number = 300; number < 400; number++) points = [...fold(points, number, 299)]
  assert.deepEqual(
    points.map(({ epoch }) => epoch),
    [...past, 298, 299, 398, 399],
  )
  const many = Array.from({ length: 65_000 }, (_, index) => at(index + 1))
  const kept = fold(many, 65_001, 65_000)
  assert.ok(kept.length <= KEEP_LAST_MAX + RETAINED_POINTS_MAX, `${kept.length}`)
  assert.equal(kept[0]?.epoch, 1)
})
