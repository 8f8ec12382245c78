/** Folding that cannot go on is behind for ever: the log has the whole ceiling meanwhile, by the simulated clock. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SimulatedStore } from './support/simulated-store.ts'

const MOST = 65_536
const INTERVAL_MS = 1000

test('while every fold fails the log is not kept to the part that it has beside folds', async () => {
  const world = new SimulatedStore({ checkpoint: { intervalMs: INTERVAL_MS }, budget: { ioBytesPerSecondMax: MOST } })
  world.thresholds = { bytes: 20_000, records: 1000, slackBytes: 80_000, baseBytes: 80_000, graceMs: 1000 }
  const store = await world.open()
  world.storage.inject({ operation: 'open', path: 'segment/', errno: 'EACCES' })
  const said: string[] = []
  store.on('behind', () => said.push('behind'))
  store.on('caughtUp', () => said.push('caughtUp'))
  let logged = 0
  world.storage.onCall = ({ operation, bytes, path }) => {
    if (operation === 'append' && path.startsWith('log/')) logged += bytes
  }
  const map = store.map<string, number>('things')
  let set = 0
  /** Half of the ceiling, for so long. */
  const live = async (ms: number): Promise<void> => {
    for (const end = world.clock.monotonic() + ms; world.clock.monotonic() < end; await world.pass(100)) {
      for (let at = 0; at < 14; at++) map.set(set % 3000, `${set++}`.padEnd(210, 'x'))
    }
  }
  await live(10_000)
  assert.deepEqual(said, ['behind'])
  await live(60_000)
  const [bytes, points] = [logged, world.points.length]
  await live(30_000)
  const perSecond = (logged - bytes) / 30
  assert.ok(perSecond > MOST * 0.45, `${perSecond} bytes a second`)
  assert.ok(world.points.length - points >= (30_000 / INTERVAL_MS) * 0.8, `${world.points.length - points} epochs`)
  assert.deepEqual(said, ['behind'])
  // The next fold comes within a minute.
  world.storage.heal()
  await world.pass(120_000)
  assert.deepEqual(said, ['behind', 'caughtUp'])
  await world.close()
})
