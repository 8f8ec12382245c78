/** Very many values that cannot be encoded: what a look, a commit and what is said of them cost does not grow with them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TidemarkError } from '../src/base/errors.ts'
import { alone } from './support/checkpointer-rig.ts'

const COUNT = 3000
const SAID_MAX = 1000

/** With so many refused values, of which a barrier has said so. */
function refusing(stored: boolean) {
  const rig = alone(100)
  const { scheduler, host, map } = rig
  if (stored) {
    for (let n = 0; n < COUNT; n++) map.set(n, n)
    scheduler.pass(100)
    host.commit()
  }
  for (let n = 0; n < COUNT; n++) map.set(n, () => {})
  scheduler.pass(1000)
  host.commit()
  return rig
}

for (const stored of [false, true]) {
  test(`a look at rest goes through none of them, and finds what comes beside them; stored before: ${stored}`, () => {
    const { scheduler, host, map } = refusing(stored)
    const commits = host.commits.length
    let walks = 0
    for (const set of [map.fresh, map.postponed.refused]) {
      const pieces = set.pieces.bind(set)
      set.pieces = () => {
        walks++
        return pieces()
      }
    }
    scheduler.pass(5000)
    assert.equal(host.commits.length, commits)
    assert.equal(walks, 0)
    for (const key of ['new', 'newer']) {
      map.set(key, 1)
      scheduler.pass(1000)
      host.commit()
    }
    assert.equal(host.commits.length, commits + 2)
    assert.equal(host.keys(), (stored ? COUNT : 0) + 2)
    scheduler.pass(5000)
    assert.equal(host.commits.length, commits + 2)
    for (let n = 0; n < COUNT; n++) {
      if (n % 2 === 0) map.delete(n)
      else map.set(n, 'mended')
    }
    scheduler.pass(1000)
    host.commit()
    assert.equal(host.commits.length, commits + 3)
  })
}

test('what is said of them has an end, and says how many they are', async () => {
  const { scheduler, host, map, checkpointer } = refusing(false)
  assert.equal(checkpointer.refusals.length, SAID_MAX)
  const asked = checkpointer.checkpoint(1e9).catch((error: TidemarkError) => error)
  scheduler.pass(1000)
  host.commit()
  const error = (await asked) as TidemarkError
  assert.match(error.message, /\(and 2999 more\)$/)
  const { refused, point } = error.info as { refused: unknown[]; point: { refused: unknown[]; refusedCount: number } }
  assert.deepEqual([refused.length, point.refused.length, point.refusedCount], [SAID_MAX, SAID_MAX, COUNT])
  assert.equal(host.commits.at(-1)?.refused, COUNT)
  for (let n = 0; n < COUNT; n++) map.delete(n)
  assert.deepEqual(checkpointer.refusals, [])
})

for (const closing of [false, true]) {
  test(`a checkpoint that is asked for behind the deletion of a refused value does not reject; closing: ${closing}`, async () => {
    const { scheduler, host, map, space, checkpointer } = alone()
    map.set('bad', () => {})
    map.set('good', 1)
    const before = assert.rejects(checkpointer.checkpoint(1e9), { code: 'TIDEMARK_VALUE_REFUSED' })
    scheduler.pass(0)
    map.delete('bad')
    const behind = checkpointer.checkpoint(1e9)
    if (closing) space.forbidden = 'closed'
    // All is in the epoch under way.
    const durable = checkpointer.durable(1e9).then(() => closing && checkpointer.stop(new Error('closed') as never))
    host.commit()
    scheduler.pass(0)
    await before
    if (closing) host.commit()
    await durable
    if (!closing) host.commit()
    const { epoch, refusedCount } = await behind
    assert.deepEqual([epoch, refusedCount], [2, 0])
  })
}
