/** What the scheduler is shown of the engine, and when: the checkpointer alone. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { alone } from './support/checkpointer-rig.ts'

test('a loop that stood still is not blamed on the storage, whose answer came meanwhile', () => {
  const told: string[] = []
  const { scheduler, host, map } = alone(1000, false, { elastic: true }, ({ type, reason }) => told.push(`${type} ${reason}`))
  map.set('k', 1)
  scheduler.pass(1000)
  assert.equal(host.commits.length, 1)
  scheduler.nowMs += 3000
  // Timers run in front of messages.
  scheduler.step()
  host.commit()
  scheduler.pass(10)
  assert.deepEqual(told, ['barrier interval'])
})

test('a storage that has not answered when a loop stood still is blamed', () => {
  const told: string[] = []
  const { scheduler, host, map } = alone(1000, false, {}, ({ type, reason }) => told.push(`${type} ${reason}`))
  map.set('k', 1)
  scheduler.pass(1000)
  assert.equal(host.commits.length, 1)
  scheduler.nowMs += 3000
  scheduler.pass(10)
  assert.deepEqual(told, ['barrier interval', 'pressure-high storage'])
})
