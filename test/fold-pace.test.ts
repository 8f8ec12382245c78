/**
 * The pace of folds behind one that says little of the store or failed with a manifest that is there, and under a ceiling that commits alone fill; of
 * merges in a store with many large young segments.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SEGMENT_FOLDER } from '../src/format/index.ts'
import { readNewest } from '../src/manifest/index.ts'
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

test('behind a fold that failed though its manifest was there the next ones are no more, and no smaller, than behind any other', async () => {
  const world = new SimulatedStore({ retention: { keepLast: 1, keepMs: 0 } })
  world.thresholds = { records: 1000 }
  const store = await world.open()
  const map = store.map<string, number>('map')
  for (let key = 0; key < 1500; key++) map.set(key, 'x')
  await world.checkpoint()
  world.storage.inject({ operation: 'syncFolder', path: 'manifest', errno: 'EIO', nth: 1 })
  // So close to each other that no fold finds nothing to fold.
  for (let round = 0; round < 400; round++) {
    map.set(0, `${round}`)
    await world.checkpoint()
    await world.pass(10)
  }
  const { folds, failures } = store.stats().upkeep
  assert.deepEqual([folds, failures], [1, 1])
  await world.close()
})

test('a commit that finds the manifest of a fold that failed, while it is folded again, is not counted as folded with it', async () => {
  const world = new SimulatedStore({ retention: { keepLast: 1, keepMs: 0 } })
  // The collector would find that manifest, too.
  world.thresholds = { records: 1000, graceMs: 600_000 }
  const store = await world.open()
  const map = store.map<string, number>('map')
  const commit = async (from: number, to: number): Promise<void> => {
    for (let key = from; key < to; key++) map.set(key, 'x')
    await world.checkpoint()
  }
  let segments = 0
  world.storage.onCall = ({ operation, path }) => {
    if (operation === 'append' && path.startsWith(SEGMENT_FOLDER)) segments++
  }
  const until = async (isSo: () => boolean): Promise<void> => {
    for (let at = 0; at < 10_000 && !isSo(); at++) await world.pass(10)
    assert.ok(isSo())
  }
  await commit(0, 1)
  await world.pass(5000)
  world.storage.inject({ operation: 'syncFolder', path: 'manifest', errno: 'EIO', nth: 1 })
  await commit(0, 1500)
  await until(() => store.stats().upkeep.failures === 1)
  const before = segments
  await until(() => segments > before)
  assert.equal(store.stats().upkeep.folds, 0)
  await commit(1500, 1900)
  assert.equal(store.stats().upkeep.folds, 0)
  await until(() => store.stats().upkeep.folds === 1)
  assert.equal(store.stats().upkeep.foldedEpoch, 2)
  for (let key = 1900; key < 2500; key += 50) {
    await commit(key, key + 50)
    await world.pass(10_000)
  }
  assert.equal(store.stats().upkeep.foldedEpoch, 15, 'a table was full')
  await world.close()
})

test('merges are spread over their time however many young segments wait for the round through the base', async () => {
  const world = new SimulatedStore({ retention: { keepLast: 1, keepMs: 0 } })
  const youngBytesMax = 300_000
  const slack = { slackBytes: 2 ** 40, slackRecords: 2 ** 40 }
  world.thresholds = { bytes: 80_000, fanIn: 2, fewTimes: 1, smallestBytes: 100_000, youngBytesMax, ...slack }
  const store = await world.open()
  const files = new Map<string, { readonly at: number; ms: number; bytes: number }>()
  world.storage.onCall = ({ operation, path, bytes }) => {
    if (operation !== 'append' || !path.startsWith(SEGMENT_FOLDER)) return
    const now = world.clock.monotonic()
    const { at, bytes: before } = files.get(path) ?? { at: now, bytes: 0 }
    files.set(path, { at, ms: now - at, bytes: before + bytes })
  }
  const map = store.map<string, number>('map')
  let key = 0
  for (let round = 0; round < 60; round++) {
    for (let more = 0; more < 90; more++) map.set(key++, TEXT)
    await world.checkpoint()
    await world.pass(INTERVAL_MS)
  }
  const { young } = (await world.run(readNewest(world.storage)))?.manifest ?? { young: [] }
  const large = young.filter(({ bytes }) => bytes >= youngBytesMax).length
  assert.ok(large > 12, `${large} of ${young.length}`)
  // Not folds; and not the first ones, while it is not known how much comes.
  const merged = [...files.values()].filter(({ at, bytes }) => bytes > 150_000 && at > 20 * INTERVAL_MS)
  const fast = merged.filter(({ ms }) => ms < 250)
  assert.ok(merged.length > 20 && fast.length === 0, `${fast.length} of ${merged.length} in no time`)
  await world.close()
})

test('folds go on where the records of commits alone, with the names of all collections twice, take the whole ceiling', async () => {
  const world = new SimulatedStore({ checkpoint: { intervalMs: 1000 }, budget: { ioBytesPerSecondMax: 65_536 } })
  world.thresholds = { records: 10 }
  const store = await world.open()
  const maps = Array.from({ length: 170 }, (_, at) => store.map<number, number>(`${at}`.padEnd(240, '-')))
  for (const map of maps) map.set(0, 0)
  await world.run(store.durable())
  await world.pass(5000)
  const { folds } = store.stats().upkeep
  let most = 0
  for (let second = 0; second < 120; second++) {
    maps[0]?.set(second, second)
    await world.pass(1000)
    most = Math.max(most, store.stats().epoch - store.stats().upkeep.foldedEpoch)
  }
  const { upkeep, commits } = store.stats()
  assert.ok(commits.count < 110, `the ceiling is full: ${commits.count} commits`)
  assert.ok(upkeep.folds - folds >= 5, `${upkeep.folds - folds} folds`)
  assert.ok(most < 40, `${most} epochs behind the fold point`)
  await world.close()
})
