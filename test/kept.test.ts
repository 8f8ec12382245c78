/** A segment is missing or cut short: what older fold points and the log still give is listed, and can be restored. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { encodeManifest, type FoldPoint, logName, type Manifest, manifestName, SEGMENT_FOLDER, segmentName } from '../src/format/index.ts'
import { listManifests, readManifest } from '../src/manifest/index.ts'
import { load, openForReading } from '../src/restore/index.ts'
import { listPoints } from '../src/restore/points.ts'
import { verifyStore } from '../src/restore/verify.ts'
import { MemoryStorage, nameOf } from '../src/storage/index.ts'
import { SimulatedStorage } from '../src/testing/index.ts'
import { filesOf } from './support/files.ts'
import { Life } from './support/log-store.ts'
import { SimulatedStore } from './support/simulated-store.ts'

const never = (): undefined => undefined
const segmentsOf = ({ young, base }: Manifest): string[] =>
  [...young, ...base.flatMap(range => range.segment ?? [])].map(entry => entry.file)

/** Fold points that are kept, oldest first, the newest one last; and what a power cut leaves of the store. `fanIn`: so many young segments become one. */
async function filled(fanIn: number, keepLast = 4) {
  const world = new SimulatedStore({ retention: { keepLast, keepMs: 0 } })
  world.thresholds = { records: 20, paced: false, graceMs: 100, fanIn, fewTimes: 1 }
  const map = (await world.open()).map<number>('map')
  for (let at = 0; world.store.stats().upkeep.folds < 5; at++) {
    map.set(`key ${at}`, at)
    await world.checkpoint()
    await world.pass(10)
  }
  // Merges that are due are made by this run.
  await world.pass(10_000)
  await world.close()
  const { disk } = world.storage.crash({ mode: 'kept' })
  world.storage.powerOff()
  const storage = new SimulatedStorage({ seed: 2, scheduler: world.scheduler, disk })
  world.storage = storage
  const { manifest } = await world.run(openForReading(storage))
  const older: Manifest[] = []
  for (const { number } of manifest.retained) older.push(await world.run(readManifest(storage, number)))
  const kept = [...older, manifest]
  assert.ok(kept.length >= keepLast)
  return { world, storage, kept, newest: manifest }
}

async function lose(storage: SimulatedStorage, path: string, what: 'missing' | 'cut'): Promise<void> {
  if (what === 'missing') return await storage.remove(path)
  const file = await storage.open(path, 'append')
  await file.truncate((await file.size()) - 1)
  await file.close()
}

for (const what of ['missing', 'cut'] as const) {
  test(`points behind an older fold point are listed and restored where a segment is ${what}`, async () => {
    const { world, storage, kept, newest } = await filled(100)
    const before = await world.run(listPoints(storage, () => Number.POSITIVE_INFINITY, never))
    const known = new Set(segmentsOf(kept[1] as Manifest))
    const lost = segmentsOf(kept[2] as Manifest).find(file => !known.has(file)) as string
    await world.run(lose(storage, lost, what))
    const points = await world.run(listPoints(storage, () => Number.POSITIVE_INFINITY, never))
    assert.deepEqual(
      points.map(({ epoch, lost }) => [epoch, lost]),
      before.map(({ epoch }) => [epoch, undefined]),
    )
    for (const { epoch, time, entries } of points) {
      for (const at of [epoch, new Date(time)]) {
        const opened = await world.run(openForReading(storage))
        const { tail, cold, catalogue } = await world.run(
          load({ storage, opened, at, onDamage: 'refuse', monotonic: () => 0, pause: never }),
        )
        assert.deepEqual([tail.epoch, catalogue[0]?.entries], [epoch, entries])
        await world.run(cold.close())
      }
    }
    // The newest fold point needs it, too: who goes on from the newest epoch stands on an older one.
    assert.ok(segmentsOf(newest).includes(lost))
    if (what === 'missing') await assert.rejects(world.open(), { code: 'TIDEMARK_STORAGE' })
    const [last] = points
    const store = await world.open({ restore: { at: last?.epoch as number } })
    assert.equal(store.map('map').size, last?.entries)
    store.map<number>('map').set('after', 1)
    await world.checkpoint()
    await world.close()
    assert.equal((await world.open()).map('map').size, (last?.entries as number) + 1)
    await world.close()
  })
}

test('where the oldest fold point cannot be stood on, the list begins at the next', async () => {
  const { world, storage, kept } = await filled(3)
  const [oldest] = kept as [Manifest]
  const others = new Set(kept.slice(1).flatMap(segmentsOf))
  const own = segmentsOf(oldest).filter(file => !others.has(file))
  const lost = own[0] ?? (segmentsOf(oldest)[0] as string)
  await world.run(storage.remove(lost))
  const fit = kept.find(manifest => !segmentsOf(manifest).includes(lost))
  const points = await world.run(listPoints(storage, () => Number.POSITIVE_INFINITY, never))
  assert.ok(fit !== undefined, 'a later fold point does without the segment')
  const last = points.at(-1)
  assert.equal(last?.epoch, fit.fold?.epoch)
  assert.deepEqual(last?.lost, {
    firstLostEpoch: oldest.fold?.epoch,
    lastLostEpoch: (fit.fold?.epoch as number) - 1,
    file: lost,
    message: `${lost} is missing`,
  })
})

for (const [what, error] of [
  ['missing', { code: 'TIDEMARK_STORAGE' }],
  ['cut', { code: 'TIDEMARK_SEGMENT_DAMAGED', kind: 'damage', message: /is \d+ bytes long, not \d+/, hint: /copy/ }],
] as const) {
  test(`where the one fold point that is kept stands on a segment that is ${what}, that is told, and not that no point is there`, async () => {
    const { world, storage, newest } = await filled(100, 1)
    const { epoch = 0, timeMs = 0 } = newest.fold ?? {}
    const file = segmentsOf(newest)[0] as string
    await world.run(lose(storage, file, what))
    const told = { ...error, file }
    for (const at of [epoch, new Date(timeMs)]) await assert.rejects(world.open({ readOnly: true, restore: { at } }), told)
    await assert.rejects(world.run(listPoints(storage, () => Number.POSITIVE_INFINITY, never)), told)
    await assert.rejects(world.open({ readOnly: true, restore: { at: epoch - 1 } }), { code: 'TIDEMARK_NO_SUCH_POINT' })
  })
}

/** What stands under the number of a kept point where copies of two histories were put together: of another epoch, or of another store. */
const strangers = ({ number }: Manifest, other: Manifest): Manifest[] => [
  { ...other, number, retained: [] },
  { ...other, number, retained: [], storeId: 'ab'.repeat(16) },
]

async function putInPlaceOf(storage: SimulatedStorage, manifest: Manifest): Promise<void> {
  await storage.remove(manifestName(manifest.number))
  await storage.createIfAbsent(manifestName(manifest.number), encodeManifest(manifest))
}

test('a manifest of another history under the number of a point that is kept is not stood on', async () => {
  for (const which of [0, 1]) {
    const { world, storage, kept } = await filled(100)
    const [wrong, right] = kept as [Manifest, Manifest]
    const epoch = wrong.fold?.epoch as number
    await world.run(putInPlaceOf(storage, strangers(wrong, which === 0 ? right : wrong)[which] as Manifest))
    const refused = { code: 'TIDEMARK_MANIFEST_DAMAGED', file: manifestName(wrong.number), message: /is not that of the point/ }
    await assert.rejects(world.open({ readOnly: true, restore: { at: epoch } }), refused)
    const points = await world.run(listPoints(storage, () => Number.POSITIVE_INFINITY, never))
    assert.deepEqual([points.at(-1)?.epoch, points.at(-1)?.lost?.file], [right.fold?.epoch, manifestName(wrong.number)])
    // Nothing that the stranger says of the log is looked for there.
    const fold = right.fold as FoldPoint
    const stray = { ...right, number: wrong.number, retained: [], fold: { ...fold, bytes: fold.bytes - 1 } }
    for (const manifest of [undefined, stray]) {
      if (manifest !== undefined) await world.run(putInPlaceOf(storage, manifest))
      const { ok, files } = await world.run(verifyStore(storage, never))
      assert.equal(ok, false)
      assert.deepEqual(
        files.flatMap(({ file, problem }) => (problem === undefined ? [] : [[file, /is not that of the point/.test(problem)]])),
        [[manifestName(wrong.number), true]],
      )
    }
  }
})

for (const newestIs of ['whole', 'damaged'] as const) {
  test(`what a kept point stands on stays while a manifest of another history has its number, and the newest is ${newestIs}`, async () => {
    for (const which of [0, 1]) {
      const { world, storage, kept, newest } = await filled(3)
      const at = kept.findIndex(one => segmentsOf(one).some(file => !kept.some(other => other !== one && segmentsOf(other).includes(file))))
      const point = kept[at] as Manifest
      assert.ok(at >= 0 && point !== newest, 'a point stands alone on a segment')
      const epoch = point.fold?.epoch as number
      const [entry] = newest.young
      assert.ok(entry !== undefined)
      // Where the newest does not verify, a point is given up of which a file is missing.
      const other = newestIs === 'whole' ? newest : { ...newest, young: [{ ...entry, file: segmentName(1, 999) }, ...newest.young] }
      if (newestIs === 'damaged') {
        await world.open()
        await world.close()
        const last = (await world.run(listManifests(storage))).at(-1) as number
        assert.ok(last > newest.number)
        storage.disk.lookup(manifestName(last))?.flip(50, 1)
      }
      await world.run(putInPlaceOf(storage, strangers(point, other)[which] as Manifest))
      await world.open()
      await world.pass(60_000)
      await world.close()
      await world.run(putInPlaceOf(storage, point))
      const { retained } = (await world.run(openForReading(storage))).manifest
      assert.ok(retained.some(({ number }) => number === point.number))
      const there = await world.run(storage.list(SEGMENT_FOLDER))
      for (const file of segmentsOf(point)) assert.ok(there.includes(nameOf(file)), file)
      const reader = await world.open({ readOnly: true, restore: { at: epoch } })
      assert.equal(reader.restored.epoch, epoch)
      await world.close()
    }
  })
}

test('an older copy of the manifests, of which a segment was given up since, keeps nobody from the points behind it', async () => {
  const { world, storage, kept, newest } = await filled(100)
  const copies: Manifest[] = []
  for (const number of await world.run(listManifests(storage))) copies.push(await world.run(readManifest(storage, number)))
  ;(await world.open()).map<number>('map').set('later', 1)
  await world.checkpoint()
  await world.close()
  for (const number of await world.run(listManifests(storage))) await world.run(storage.remove(manifestName(number)))
  for (const copy of copies) await world.run(storage.createIfAbsent(manifestName(copy.number), encodeManifest(copy)))
  const point = kept.at(-2) as Manifest
  const known = new Set(segmentsOf(point))
  await world.run(storage.remove(segmentsOf(newest).find(file => !known.has(file)) as string))
  const at = point.fold?.epoch as number
  const points = await world.run(listPoints(storage, () => Number.POSITIVE_INFINITY, never))
  const found = points.find(({ epoch }) => epoch === at)
  assert.ok(found !== undefined && found.lost === undefined)
  const reader = await world.open({ readOnly: true, restore: { at } })
  assert.equal(reader.map('map').size, found.entries)
  await world.close()
  await assert.rejects(world.open({ readOnly: true }), { code: 'TIDEMARK_STORAGE' })
  const refused = { code: 'TIDEMARK_MANIFEST_DAMAGED', hint: /put the newest copy.*restore\.at/ }
  for (const restore of [{}, { at }, { onDamage: 'fall-back' }] as const) await assert.rejects(world.open({ restore }), refused)
  const store = await world.open({ restore: { at, onDamage: 'fall-back' } })
  assert.equal(store.map('map').size, found.entries)
  store.map<number>('map').set('after', 1)
  await world.checkpoint()
  await world.close()
  assert.equal((await world.open()).map('map').size, (found.entries as number) + 1)
  await world.close()
})

test('an older copy of the manifests that names a file in which nothing was committed keeps no point whose segments were given up since', async () => {
  const { world, storage, kept, newest } = await filled(2, 2)
  const copies: Manifest[] = []
  for (const number of await world.run(listManifests(storage))) copies.push(await world.run(readManifest(storage, number)))
  const last = copies.at(-1) as Manifest
  assert.equal(last.log.at(-1)?.end, null)
  const map = (await world.open()).map<number>('map')
  for (let at = 0; world.store.stats().upkeep.folds < 1; at++) {
    map.set(`later ${at}`, at)
    await world.checkpoint()
    await world.pass(10)
  }
  await world.pass(60_000)
  await world.close()
  const { log } = (await world.run(openForReading(storage))).manifest
  // As where the run before died in the first commit of one more file, which the next run dropped.
  const closed = log.find(({ file }) => file === last.log.at(-1)?.file)
  assert.ok(closed?.end != null)
  copies[copies.length - 1] = { ...last, log: [...last.log.slice(0, -1), closed, { file: logName(last.token, 999), end: null }] }
  for (const number of await world.run(listManifests(storage))) await world.run(storage.remove(manifestName(number)))
  for (const copy of copies) await world.run(storage.createIfAbsent(manifestName(copy.number), encodeManifest(copy)))
  const there = new Set(await world.run(storage.list(SEGMENT_FOLDER)))
  const isWhole = (manifest: Manifest): boolean => segmentsOf(manifest).every(file => there.has(nameOf(file)))
  assert.ok(isWhole(newest) && kept.some(manifest => !isWhole(manifest)), 'a point is gone that the copy keeps')
  const { ok, files } = await world.run(verifyStore(storage, never))
  assert.ok(ok, JSON.stringify(files.filter(({ problem }) => problem !== undefined)))
  const points = await world.run(listPoints(storage, () => Number.POSITIVE_INFINITY, never))
  assert.ok(points.every(({ lost }) => lost === undefined))
  const store = await world.open()
  assert.equal(store.restored.epoch, points[0]?.epoch)
  await world.close()
})

test('a file of another store in the log, with a high token, keeps nobody from an older point where a segment of the newest is missing', async () => {
  const { world, storage, kept, newest } = await filled(100, 2)
  const other = new MemoryStorage()
  const life = await Life.open({ storage: other })
  await life.mustCommit([[['key', 'other']]])
  await life.close()
  const stranger = logName(0x100, 1)
  await world.run(storage.createIfAbsent(stranger, (await filesOf(other)).get(logName(1, 1)) as Buffer))
  const point = kept.at(-2) as Manifest
  const known = new Set(segmentsOf(point))
  await world.run(storage.remove(segmentsOf(newest).find(file => !known.has(file)) as string))
  const store = await world.open({ restore: { at: point.fold?.epoch as number } })
  assert.deepEqual([store.restored.epoch, store.restored.notes], [point.fold?.epoch, []])
  await world.close()
  assert.ok((await world.run(openForReading(storage))).manifest.token < 0x100)
})
