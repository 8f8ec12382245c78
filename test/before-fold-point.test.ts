/** The open file of the log does not lead to the fold point that lies in it: nobody takes where it stops for the end of the log. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { FoldPoint } from '../src/format/index.ts'
import { profileStore } from '../src/profile/index.ts'
import { listPoints } from '../src/restore/index.ts'
import { verifyStore } from '../src/restore/verify.ts'
import { newestOf, threeKept } from './support/kept-points.ts'
import type { SimulatedStore } from './support/simulated-store.ts'

const never = (): undefined => undefined

interface Spoiled {
  readonly world: SimulatedStore
  readonly fold: FoldPoint
  /** Of the barrier of an epoch. */
  readonly timeOf: (epoch: number) => Date
}

interface Bytes {
  readonly cut: (from: number) => void
  readonly zero: (from: number) => void
  readonly flip: (offset: number) => void
  /** Where the value of an epoch stands. */
  readonly at: (epoch: number) => number
}

/** Fold points at 3, 6 and 9, all in the one file, which is open. */
async function spoiled(spoil: (bytes: Bytes, fold: FoldPoint) => void): Promise<Spoiled> {
  const world = await threeKept()
  const { fold, log } = await newestOf(world)
  assert.ok(fold?.file != null)
  assert.deepEqual(log, [{ file: fold.file, end: null }])
  const content = world.storage.disk.lookup(fold.file)
  assert.ok(content !== undefined)
  spoil(
    {
      cut: from => content.cache.truncate(from),
      zero: from => void content.cache.view().fill(0, from),
      flip: offset => content.flip(offset, 1),
      at: epoch => content.cache.view().indexOf(`of epoch ${epoch}.`),
    },
    fold,
  )
  return { world, fold, timeOf: epoch => new Date(world.points.find(point => point.epoch === epoch)?.time as number) }
}

async function pointsOf({ world }: Spoiled): Promise<(readonly number[])[]> {
  const points = await world.run(listPoints(world.storage, () => Number.POSITIVE_INFINITY, never))
  return points.map(({ epoch, lost }) => (lost === undefined ? [epoch] : [epoch, lost.firstLostEpoch, lost.lastLostEpoch]))
}

async function assertTold({ world, fold }: Spoiled): Promise<void> {
  const { ok, epoch, files } = await world.run(verifyStore(world.storage, never))
  const wrong = files.filter(({ problem }) => problem !== undefined)
  assert.deepEqual([ok, epoch, wrong.map(({ file }) => file)], [false, 9, [fold.file]])
  const { history } = await world.run(profileStore(world.storage, {}, { monotonic: () => 0, pause: never, wait: async () => {} }))
  assert.equal(history.damage?.file, fold.file)
}

for (const what of ['cut', 'zero'] as const) {
  test(`where all is gone from inside an epoch before the fold point on (${what}), that is damage for verify, the list, a number and a time`, async () => {
    const made = await spoiled((bytes, fold) => {
      assert.ok(bytes.at(8) < fold.bytes)
      bytes[what](bytes.at(8))
    })
    const { world, timeOf } = made
    await assertTold(made)
    assert.deepEqual(await pointsOf(made), [[9, 8, 8], [7], [6], [5], [4], [3]])
    for (const epoch of [9, 7, 4]) {
      assert.equal((await world.open({ readOnly: true, restore: { at: epoch } })).restored.epoch, epoch)
      await world.close()
    }
    const lineages = (await newestOf(world)).lineage.length
    for (const at of [8, timeOf(8)])
      for (const readOnly of [true, false])
        await assert.rejects(world.open({ readOnly, restore: { at } }), { code: 'TIDEMARK_LOG_DAMAGED' })
    assert.equal((await newestOf(world)).lineage.length, lineages, 'nobody forked')
    const { restored } = await world.open({ restore: { at: timeOf(8), onDamage: 'fall-back' } })
    assert.deepEqual([restored.epoch, restored.lost?.firstLostEpoch, restored.lost?.lastSeenEpoch], [7, 8, 9])
    await world.close()
  })
}

test('rot in the last epoch of a file is damage without a sign behind it, where that epoch is folded; the fold point has it', async () => {
  const made = await spoiled((bytes, fold) => {
    bytes.cut(fold.bytes)
    bytes.flip(bytes.at(9))
  })
  const { world, timeOf } = made
  await assertTold(made)
  assert.deepEqual(await pointsOf(made), [[9], [8], [7], [6], [5], [4], [3]])
  for (const epoch of [9, 8]) {
    for (const at of [epoch, timeOf(epoch)]) {
      assert.equal((await world.open({ readOnly: true, restore: { at } })).restored.epoch, epoch)
      await world.close()
    }
  }
})

/**
 * Fold points at 3, 6 and 9, the last one at the end of its file, of whose echo a byte is gone since; epochs 10 and 11, in the next file, have the time
 * of epoch 7.
 */
async function endCut(): Promise<SimulatedStore> {
  const world = await threeKept()
  const { fold } = await newestOf(world)
  const { file, bytes } = fold as { file: string; bytes: number }
  const content = world.storage.disk.lookup(file)
  content?.cache.truncate(bytes)
  const map = (await world.open()).map<string>('map')
  const timeMs = world.points[6]?.time as number
  world.clock.now = () => timeMs
  for (const epoch of [10, 11]) {
    map.set('0', `of epoch ${epoch}.`)
    assert.equal((await world.checkpoint()).epoch, epoch)
  }
  await world.close()
  const { log, fold: same } = await newestOf(world)
  assert.deepEqual(
    log.map(({ end }) => end?.epoch),
    [9, undefined],
  )
  assert.deepEqual([log[0]?.file, log[0]?.end?.bytes, same?.epoch], [file, bytes, 9])
  content?.cache.truncate(bytes - 1)
  return world
}

test('where the file of the log that ends with a fold point has lost of its last echo, nothing is missed, and it is told', async () => {
  const world = await endCut()
  const points = await world.run(listPoints(world.storage, () => Number.POSITIVE_INFINITY, never))
  assert.deepEqual(
    points.map(({ epoch, lost }) => [epoch, lost]),
    [11, 10, 9, 8, 7, 6, 5, 4, 3].map(epoch => [epoch, undefined]),
  )
  const { file, bytes } = (await newestOf(world)).fold as FoldPoint
  const { ok, epoch, files, notes } = await world.run(verifyStore(world.storage, never))
  const wrong = files.filter(({ problem }) => problem !== undefined)
  const note = `${file} at ${bytes}: the echo of a commit is damaged; nothing is lost by it`
  assert.deepEqual([ok, epoch, wrong, notes], [true, 11, [], [note]])
  for (const at of [10, 11, 'latest', new Date(world.points[6]?.time as number)] as const) {
    const { restored } = await world.open({ readOnly: true, restore: { at } })
    assert.deepEqual([restored.epoch, restored.lost], [at === 10 ? 10 : 11, undefined], `${at}`)
    await world.close()
  }
})

test('where the next one is damaged, the list ends with the fold point, and verify names that one alone', async () => {
  const world = await endCut()
  const { log } = await newestOf(world)
  const content = world.storage.disk.lookup(log[1]?.file as string)
  for (const offset of [0, 512]) content?.flip(offset, 1)
  const points = await world.run(listPoints(world.storage, () => Number.POSITIVE_INFINITY, never))
  assert.deepEqual(
    points.map(({ epoch, lost }) => [epoch, lost]),
    [9, 8, 7, 6, 5, 4, 3].map(epoch => [epoch, undefined]),
  )
  const { ok, epoch, files } = await world.run(verifyStore(world.storage, never))
  const wrong = files.filter(({ problem }) => problem !== undefined)
  assert.deepEqual([ok, epoch, wrong.map(({ file }) => file)], [false, 9, [log[1]?.file]])
})
