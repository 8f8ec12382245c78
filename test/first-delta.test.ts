/** How large an epoch is taken to be of which no commit has told yet: the checkpointer alone, over whole intervals. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { alone } from './support/checkpointer-rig.ts'

const VALUE = 'x'.repeat(10_000)
const DELTA_BYTES_MAX = 1_000_000

/** The barriers of one interval in which a key is set each 100 ms. */
function barriersOf(key: (n: number) => string): { readonly reason: string; readonly atMs: number }[] {
  const barriers: { reason: string; atMs: number }[] = []
  const rig = alone(60_000, false, { deltaBytesMax: DELTA_BYTES_MAX, intervalMsMin: 1000 }, ({ type, reason }) => {
    if (type === 'barrier') barriers.push({ reason, atMs: rig.scheduler.nowMs })
  })
  const { scheduler, host, map } = rig
  for (let n = 0; n < 610; n++) {
    map.set(key(n), `${n}${VALUE}`)
    scheduler.pass(100)
    host.say({ type: 'credit', attempt: 0, bytes: 1e6 })
  }
  return barriers
}

test('the first epoch of a run is no larger than `deltaBytesMax` either, from an eighth of the interval on', () => {
  const [first] = barriersOf(n => `k${n}`)
  assert.equal(first?.reason, 'delta')
  const bytes = ((first?.atMs ?? 0) / 100) * VALUE.length
  assert.ok(bytes >= DELTA_BYTES_MAX && bytes < 1.3 * DELTA_BYTES_MAX, `${bytes} bytes`)
})

test('a key that is written again and again in it is one of a few records', () => {
  assert.deepEqual(
    barriersOf(() => 'hot').map(({ reason }) => reason),
    ['interval'],
  )
})
