/** How many recovery points are listed one by one, and what is said of the others. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { RecoveryPoint, Store } from 'tidemark'
import { POINTS_LISTED_MAX } from '../src/base/limits.ts'
import { readNewest } from '../src/manifest/index.ts'
import { listPoints } from '../src/restore/index.ts'
import { ListedPoints } from '../src/restore/listed.ts'
import { hasPast } from '../src/tools/import.ts'
import { totalsOf } from '../src/tools/look.ts'
import { SimulatedStore } from './support/simulated-store.ts'

const epochsOf = (points: readonly RecoveryPoint[]): number[] => points.map(({ epoch }) => epoch)

test('beyond the newest epochs fold points alone are listed, and what lies between is counted and can be restored', {
  timeout: 60_000,
}, async () => {
  const world = new SimulatedStore({ retention: { keepLast: 10, keepMs: 0 } })
  world.thresholds = { records: 8, graceMs: 100, paced: false }
  const store = await world.open()
  const map = store.map<number>('map')
  for (let value = 1; value <= 60; value++) {
    map.set(`${value % 7}`, value)
    await world.checkpoint()
    if (value % 10 === 0) await world.pass(60_000)
  }
  const listed = (most?: number): Promise<readonly RecoveryPoint[]> =>
    world.run(
      listPoints(
        world.storage,
        () => Number.POSITIVE_INFINITY,
        () => {},
        most,
      ),
    )
  const all = await listed()
  assert.deepEqual(await world.run(store.recoveryPoints()), all)
  assert.equal(all.length, 60)
  assert.ok(all.every(({ unlisted }) => unlisted === undefined))
  const { manifest } = (await world.run(readNewest(world.storage))) ?? {}
  const folds = [...(manifest?.retained ?? []), manifest?.fold].flatMap(point => point?.epoch || [])
  assert.ok(folds.length > 3 && folds.length < 12, `${folds}`)

  for (const most of [1, 7, 25, 60, 100]) {
    const points = await listed(most)
    const newest = epochsOf(all).slice(0, most)
    assert.deepEqual(epochsOf(points), [...newest, ...folds.filter(epoch => epoch < (newest.at(-1) as number)).reverse()], `${most}`)
    assert.deepEqual(totalsOf(points), totalsOf(all), `${most}`)
    for (const [at, point] of points.entries()) {
      const { unlisted, ...same } = point
      const { unlisted: _, ...one } = all.find(({ epoch }) => epoch === point.epoch) as RecoveryPoint
      assert.deepEqual(same, one)
      const between = all.filter(({ epoch }) => epoch < point.epoch && epoch > (points[at + 1]?.epoch ?? 0))
      const expected = between.length === 0 ? undefined : [between.at(-1)?.epoch, between[0]?.epoch, between.length]
      assert.deepEqual(unlisted && [unlisted.firstEpoch, unlisted.lastEpoch, unlisted.epochs], expected)
      assert.equal(unlisted?.entriesMost, between.length === 0 ? undefined : Math.max(...between.map(({ entries }) => entries)))
    }
  }
  for (const at of [3, 17, 42]) {
    assert.ok(!epochsOf(await listed(1)).includes(at))
    const then = await world.open({ readOnly: true, restore: { at } })
    assert.equal(then.map('map').get(`${at % 7}`), at)
    await world.run(then.close())
  }
  await world.run(store.close())
})

test('a point that tells of loss has an entry of its own, however many are listed, and what is left out is counted on both sides of it', () => {
  for (const most of [1, 2, 5]) {
    const points = new ListedPoints(most, () => false)
    const lost = { firstLostEpoch: 10, lastLostEpoch: 12, file: 'log/1.log', message: 'damaged' }
    for (let epoch = 1; epoch <= 40; epoch++) {
      if (epoch >= 10 && epoch <= 12) continue
      points.add({ epoch, bytes: 1, entries: epoch, lost: epoch === 13 ? lost : undefined, unlisted: undefined } as RecoveryPoint)
    }
    const listed = points.newestFirst()
    assert.deepEqual(epochsOf(listed), [...Array.from({ length: most }, (_, at) => 40 - at), 13])
    const told = listed.at(-1)
    assert.deepEqual([told?.lost, told?.unlisted], [lost, { firstEpoch: 1, lastEpoch: 9, epochs: 9, bytes: 9, entriesMost: 9 }])
    const last = 40 - most
    const behind = { firstEpoch: 14, lastEpoch: last, epochs: last - 13, bytes: last - 13, entriesMost: last }
    assert.deepEqual(listed.at(-2)?.unlisted, behind)
  }
})

test('what was stored at a point that is not listed is a past that an import keeps', async () => {
  const point = { entries: 0, lost: undefined, unlisted: undefined } as RecoveryPoint
  const unlisted = { firstEpoch: 1, lastEpoch: POINTS_LISTED_MAX, epochs: POINTS_LISTED_MAX, bytes: 1, entriesMost: 0 }
  const pastOf = (...points: RecoveryPoint[]): Promise<boolean> =>
    hasPast({ stats: () => ({ restored: { entries: 0 } }) as ReturnType<Store['stats']>, recoveryPoints: async () => points })
  assert.equal(await pastOf(point, { ...point, unlisted }), false)
  assert.equal(await pastOf(point, { ...point, unlisted: { ...unlisted, entriesMost: 1 } }), true)
})
