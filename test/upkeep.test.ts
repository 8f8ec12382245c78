/** Upkeep of a store that was just opened: a fold and a merge that begin together. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SEGMENT_FOLDER } from '../src/format/index.ts'
import { verifyStore } from '../src/restore/verify.ts'
import type { OpenMode, StorageFile } from '../src/storage/index.ts'
import { type SimulatedDisk, type SimulatedScheduler, SimulatedStorage } from '../src/testing/index.ts'
import { SimulatedStore } from './support/simulated-store.ts'

/** Folds about every 40 entries as soon as it can. */
const FOLDS = { bytes: 2000, paced: false, graceMs: 10 }
const MERGES_LATE = { ...FOLDS, slackBytes: 1e9, slackRecords: 1e9, fanIn: 1000 }
const MERGES_SOON = { ...FOLDS, slackBytes: 5000, slackRecords: 10, baseBytes: 4000, fanIn: 3 }

/** From when it is asked to, all looks at the segments but the first show the folder as it is, and come home when a segment was begun. */
class LateLists extends SimulatedStorage {
  asked = false
  #lists = 0
  #begun: (() => void) | undefined
  readonly #segment = new Promise<void>(resolve => {
    this.#begun = resolve
  })

  static over(disk: SimulatedDisk, scheduler: SimulatedScheduler): LateLists {
    return new LateLists({ seed: 3, scheduler, disk })
  }

  override async list(folder: string): Promise<string[]> {
    const names = await super.list(folder)
    if (this.asked && folder === SEGMENT_FOLDER && ++this.#lists > 1) await this.#segment
    return names
  }

  override async open(path: string, mode: OpenMode): Promise<StorageFile> {
    const file = await super.open(path, mode)
    if (mode === 'create' && path.startsWith(SEGMENT_FOLDER)) this.#begun?.()
    return file
  }
}

test('a fold and a merge that begin together never take the same name, whenever the looks at the folder come home', async () => {
  const world = new SimulatedStore()
  world.thresholds = MERGES_LATE
  const map = (await world.open()).map<string, string>('map')
  const write = async (round: number): Promise<void> => {
    for (let at = 0; at < 60; at++) map.set(`key ${at}`, `text ${round} of entry ${at}, to be folded`)
    await world.checkpoint()
  }
  for (let round = 0; round < 4; round++) {
    await write(round)
    await world.pass(1000)
  }
  assert.ok(world.store.stats().upkeep.segments >= 4)
  // A tail to be folded, beside segments to be merged.
  await write(4)
  const { disk } = world.storage.crash({ mode: 'lost' })
  world.storage.powerOff()
  const storage = LateLists.over(disk, world.scheduler)
  world.storage = storage
  world.thresholds = MERGES_SOON
  const store = await world.open()
  storage.asked = true
  await world.pass(5000)
  const { upkeep } = store.stats()
  assert.ok(upkeep.folds > 0 && upkeep.merges > 0, 'both were at work')
  assert.deepEqual([upkeep.failures, upkeep.lastError], [0, undefined])
  assert.equal(store.map<string, string>('map').get('key 7'), 'text 4 of entry 7, to be folded')
  await world.close()
  assert.deepEqual(
    (await world.run(verifyStore(storage, () => undefined))).files.filter(({ problem }) => problem !== undefined),
    [],
  )
})

test('the first fold after open is paced, though nothing was committed yet', async () => {
  const world = new SimulatedStore()
  world.thresholds = { bytes: 400_000 }
  const map = (await world.open()).map<string, number>('map')
  for (let at = 0; at < 5000; at++) map.set(at, `${at} `.repeat(18))
  await world.checkpoint()
  const store = await world.crash()
  assert.equal(store.stats().upkeep.folds, 0)
  await world.pass(2000)
  assert.equal(store.stats().upkeep.folds, 0, 'it has begun after a second, and takes more than another')
  await world.pass(30_000)
  assert.equal(store.stats().upkeep.folds, 1)
  await world.close()
})
