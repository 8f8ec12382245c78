import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SimulatedScheduler } from '../testing/index.ts'
import { pauser } from './pauser.ts'

test('a slice ends with its time, and the next one begins in a later turn', async () => {
  const scheduler = new SimulatedScheduler({ seed: 1 })
  const { clock } = scheduler
  const pause = pauser({ clock, scheduler, sliceMs: 2 })
  assert.equal(pause(), undefined)
  clock.advance(1.5)
  assert.equal(pause(), undefined)
  clock.advance(1.5)
  const waited = pause()
  assert.ok(waited instanceof Promise)
  clock.advance(20)
  await scheduler.run(waited)
  assert.equal(pause(), undefined, 'what others took is not counted')
})
