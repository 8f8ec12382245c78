/** The evictor over collections of a rig: what it remembers while nothing has to go. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Eviction } from '../src/capture/index.ts'
import type { Key } from '../src/codec/index.ts'
import { Evictor } from '../src/cold/index.ts'
import { SimulatedScheduler } from '../src/testing/index.ts'
import { numbered, Rig } from './support/capture-rig.ts'
import { FakeCold } from './support/fake-cold.ts'

const BOUND = 100_000
const JOBS = 20_000

test('below the bound, what comes home and is deleted is not remembered, though a hand was round before', async t => {
  const came = t.mock.method(Eviction.prototype, 'cameHome')
  const rig = new Rig()
  const stored = (count: number): Map<Key, unknown> => new Map(numbered(count, n => ({ n, text: 'x'.repeat(100) })))
  const [jobsStored, othersStored] = [stored(JOBS), stored(2000)]
  const jobs = rig.cold(new FakeCold(jobsStored), jobsStored, true)
  const others = rig.cold(new FakeCold(othersStored), othersStored, true)
  const scheduler = new SimulatedScheduler({ seed: 1 })
  const pass = (ms: number): Promise<void> => scheduler.run(scheduler.clock.monotonic() + ms)
  const evictor = new Evictor({
    clock: scheduler.clock,
    scheduler,
    stallMsMax: 10,
    bytesMax: BOUND,
    stalled: () => undefined,
    accessed: () => undefined,
    starved: () => undefined,
    collections: () => rig.collections,
  })
  rig.space.coldOf = () => ({ cold: new FakeCold([]), coldCount: 0, evicts: true })
  rig.space.enters = (...entry) => evictor.enters(...entry)
  for (let at = 0; at < 200; at++) jobs.get(`k${at}`)
  // What is written stays, so all else goes.
  for (const key of othersStored.keys()) others.set(key, { n: -1, text: 'x'.repeat(100) })
  await pass(1000)
  assert.ok(evictor.bytes > BOUND)
  assert.equal(jobs.live.size, 0)
  others.clear()
  // Before anybody has looked.
  jobs.get('k200')
  await pass(1000)
  assert.ok(evictor.bytes < BOUND, `${evictor.bytes} bytes`)
  for (let at = 200; at < JOBS; at++) {
    jobs.get(`k${at}`)
    jobs.delete(`k${at}`)
    if (at % 100 === 0) {
      rig.checkpoint()
      jobs.cold?.exchanged(rig.committed)
      await pass(200)
    }
  }
  assert.ok(evictor.bytes < BOUND, `${evictor.bytes} bytes`)
  const eviction = came.mock.calls.find(call => call.arguments[0] === `k${JOBS - 1}`)?.this as Eviction
  assert.ok(eviction.listed < 1000, `${eviction.listed} keys`)
  evictor.stop()
})
