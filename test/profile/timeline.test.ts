/** Time in steps and hours. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Timeline } from '../../src/profile/timeline.ts'

test('a clock that stands near 1970 has hours like any other', () => {
  const timeline = new Timeline()
  // A device without a battery for its clock: an hour and a half before the first barrier it was the day before.
  timeline.add(1_800_000, 5_400_000, 10, 100)
  assert.deepEqual(
    timeline.daily(true).hours.map(({ hour, coveredMs }) => [hour, coveredMs]),
    [
      [0, 1_800_000],
      [23, 3_600_000],
    ],
  )
  timeline.add(-1, 1000, 1, 1)
  assert.equal(timeline.coveredMs, 5_401_000)
})
