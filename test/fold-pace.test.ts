/** The pace of a fold behind one that says little of the store. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SEGMENT_FOLDER } from '../src/format/index.ts'
import { SimulatedStore } from './support/simulated-store.ts'

const ENTRIES = 3000
const TEXT = 'x'.repeat(1000)
const INTERVAL_MS = 5000

test('a fold behind one that wrote nothing is spread over the interval as any other', async () => {
  const world = new SimulatedStore()
  const store = await world.open()
  const written: { readonly at: number; readonly bytes: number }[] = []
  world.storage.onCall = ({ operation, path, bytes }) => {
    if (operation === 'append' && path.startsWith(SEGMENT_FOLDER)) written.push({ at: world.clock.monotonic(), bytes })
  }
  // Within the second after which folds begin.
  const gone = store.map<string, number>('gone')
  for (let key = 0; key < ENTRIES; key++) gone.set(key, TEXT)
  await world.checkpoint()
  gone.clear()
  await world.checkpoint()
  await world.pass(INTERVAL_MS)
  assert.deepEqual([store.stats().upkeep.foldedEpoch, written.length], [store.stats().epoch, 0])
  const map = store.map<string, number>('map')
  // The interval is known after some commits.
  for (let round = 0; round < 20; round++) {
    map.set(0, `${round}`)
    await world.checkpoint()
    await world.pass(INTERVAL_MS)
  }
  for (let key = 0; key < ENTRIES; key++) map.set(key, TEXT)
  await world.checkpoint()
  await world.pass(3 * INTERVAL_MS)
  assert.ok(written.reduce((sum, { bytes }) => sum + bytes, 0) > ENTRIES * TEXT.length)
  const [first, last] = [written[0], written.at(-1)] as [{ at: number }, { at: number }]
  assert.ok(last.at - first.at > INTERVAL_MS / 2, `all in ${last.at - first.at} ms`)
  await world.close()
})
