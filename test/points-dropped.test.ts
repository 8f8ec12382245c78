/** What the store gives up while its recovery points are listed is not in the list. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { RecoveryPoint } from 'tidemark'
import { noFailpoint } from '../src/base/failpoint.ts'
import { type LogPosition, type Manifest, manifestName } from '../src/format/index.ts'
import { LogScan } from '../src/log/index.ts'
import { fork } from '../src/manifest/index.ts'
import { listPoints } from '../src/restore/index.ts'
import { Ownership } from '../src/writer/ownership.ts'
import { newestOf, threeKept } from './support/kept-points.ts'
import { SimulatedStore } from './support/simulated-store.ts'

const endless = (): number => Number.POSITIVE_INFINITY

/** Of a listing while which the writer publishes `next`, at the last look at the log. */
async function listedWhile(world: SimulatedStore, next: (old: Manifest) => Manifest, most?: number): Promise<readonly RecoveryPoint[]> {
  const listed = (pause: () => Promise<void>) => world.run(listPoints(world.storage, endless, pause, most))
  let looks = 0
  await listed(async () => void looks++)
  const own = new Ownership(world.storage, noFailpoint, await newestOf(world))
  return await listed(async () => {
    if (--looks === 0) await own.publish(next)
  })
}

const epochsOf = (points: readonly RecoveryPoint[]): number[] => points.map(({ epoch }) => epoch)
const keeping = (epochs: readonly number[]) => (old: Manifest) => ({
  ...old,
  number: old.number + 1,
  retained: old.retained.filter(({ epoch }) => epochs.includes(epoch)),
})

test('points before the oldest that is still kept are left out, and so is what would be said of them at the next', async () => {
  const world = await threeKept()
  assert.deepEqual(epochsOf(await listedWhile(world, keeping([3, 6]))), [10, 9, 8, 7, 6, 5, 4, 3])
  const [newest, second, ...others] = await listedWhile(world, keeping([6]), 1)
  assert.deepEqual([newest?.epoch, second?.epoch, epochsOf(others)], [10, 9, [6]])
  assert.deepEqual([newest?.unlisted, second?.unlisted?.epochs, others[0]?.unlisted], [undefined, 2, undefined])
  assert.deepEqual(epochsOf(await listedWhile(world, keeping([]))), [10, 9])
})

test('what is lost before the oldest that is still kept is not told of', async () => {
  const world = await threeKept(true)
  assert.deepEqual(
    (await listedWhile(world, keeping([3, 6]))).map(({ epoch, lost }) => [epoch, lost?.firstLostEpoch]),
    [[10], [9], [8], [7], [6, 5], [4], [3]].map(([epoch, lost]) => [epoch, lost]),
  )
  assert.deepEqual(
    (await listedWhile(world, keeping([6]))).map(({ epoch, lost }) => [epoch, lost]),
    [10, 9, 8, 7, 6].map(epoch => [epoch, undefined]),
  )
})

test('of what is lost before and behind the oldest point that is still kept, the part behind it is told of', async () => {
  const world = await threeKept(true)
  const { number } = (await newestOf(world)).retained.find(({ epoch }) => epoch === 6) ?? { number: 0 }
  world.storage.disk.lookup(manifestName(number))?.flip(40, 1)
  const lostOf = (points: readonly RecoveryPoint[]) => points.map(({ epoch, lost }) => [epoch, lost?.firstLostEpoch, lost?.lastLostEpoch])
  const left = [
    [10, undefined, undefined],
    [9, 6, 8],
  ]
  assert.deepEqual(lostOf(await listedWhile(world, keeping([6]))), left)
})

test('where history went back meanwhile the list is that of what is left', async () => {
  const world = await threeKept()
  const { fold } = await newestOf(world)
  assert.ok(fold !== null)
  const points = await listedWhile(world, old => fork(old, fold, 'ef'.repeat(16)))
  assert.deepEqual(epochsOf(points), [9, 8, 7, 6, 5, 4, 3])
})

test('where of epochs that are counted together some are not kept any more, the list begins again', async () => {
  for (const oldest of [11, 12]) {
    const world = await threeKept(false, 13)
    const { storeId, log, fold } = await newestOf(world)
    assert.ok(fold !== null)
    const scan = new LogScan({ storage: world.storage, storeId, log, from: fold, payloads: false })
    let place: LogPosition | undefined
    const reading = async (): Promise<void> => {
      for await (const item of scan) if (item.type === 'commit' && item.position.epoch === oldest) place = item.position
    }
    await world.run(reading())
    // Behind the fold point at 9 three have no entry of their own.
    const [{ epoch, unlisted } = { epoch: 0, unlisted: undefined }] = await world.run(listPoints(world.storage, endless, () => {}, 1))
    assert.deepEqual([epoch, unlisted?.firstEpoch, unlisted?.lastEpoch], [13, 10, 12])
    const points = await listedWhile(
      world,
      old => ({ ...old, number: old.number + 1, fold: { ...fold, ...place, file: fold.file }, retained: [] }),
      1,
    )
    assert.deepEqual(epochsOf(points), [13, oldest])
    assert.deepEqual([points[0]?.unlisted?.epochs, points[1]?.unlisted], [oldest === 11 ? 1 : undefined, undefined])
  }
})

interface Overtaken {
  /** Up to which epoch the points are listed, of the last that was committed. */
  readonly epochMax: (committed: number) => number
  /** At the look at the log of each attempt, not of the first alone. */
  readonly always?: boolean
  /** Of a file of the log. */
  readonly fileBytesMax?: number
}

/** Folds all there is, with nothing kept before it, while the points are listed. */
async function overtaken({ epochMax, always = false, fileBytesMax }: Overtaken): Promise<readonly RecoveryPoint[]> {
  const world = new SimulatedStore({ retention: { keepLast: 1, keepMs: 0 } })
  world.fileBytesMax = fileBytesMax
  world.thresholds = { records: 8, graceMs: 100, paced: false }
  const map = (await world.open()).map<number>('map')
  const commit = async (keys: number): Promise<void> => {
    for (let key = 0; key < keys; key++) map.set(`${key}`, world.points.length)
    await world.store.checkpoint()
    await new Promise<void>(done => void world.scheduler.after(3000, done))
  }
  for (const keys of [1, 1, 8, 1, 1]) await world.run(commit(keys))
  const { fold, retained } = await newestOf(world)
  assert.deepEqual([fold?.epoch, retained], [3, []])
  let isLeft = true
  const storage = new Proxy(world.storage, {
    get: (target, name) => {
      const found: unknown = Reflect.get(target, name, target)
      if (typeof found !== 'function') return found
      return (...args: unknown[]) => {
        if (name === 'list') isLeft ||= always
        return found.apply(target, args)
      }
    },
  })
  const pause = async (): Promise<void> => {
    if (!isLeft) return
    isLeft = false
    await commit(8)
  }
  try {
    return await world.run(listPoints(storage, () => epochMax(world.points.length), pause))
  } finally {
    await world.close()
  }
}

test('where all that was read is folded meanwhile, and nothing kept, the list begins again, up to the fold point at least', async () => {
  for (const most of [Number.POSITIVE_INFINITY, 5]) assert.deepEqual(epochsOf(await overtaken({ epochMax: () => most })), [6])
  const moved = { code: 'TIDEMARK_STORAGE', hint: /try again/ }
  await assert.rejects(overtaken({ epochMax: () => 5, always: true }), moved)
  // Each epoch in a file of its own, which the manifest that is read does not name.
  await assert.rejects(overtaken({ epochMax: committed => committed, always: true, fileBytesMax: 1 }), moved)
})

test('what a writer commits and folds while its points are listed is in the list', async () => {
  assert.deepEqual(epochsOf(await overtaken({ epochMax: committed => committed, always: true })), [6])
})
