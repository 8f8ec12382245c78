/** A block in the base that is damaged, or not given back: what lies elsewhere is merged as ever, and that one is not tried again and again. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FRAME_HEADER_BYTES, type Manifest, SEGMENT_HEADER_BYTES } from '../src/format/index.ts'
import { readNewest } from '../src/manifest/index.ts'
import { badSector } from './support/bad-sector.ts'
import { sweep } from './support/share.ts'
import { SimulatedStore } from './support/simulated-store.ts'

const SMALL = { bytes: 20_000, paced: false, graceMs: 100, fanIn: 3, fewTimes: 1, slackBytes: 5000, slackRecords: 100, baseBytes: 8000 }
const ENTRIES = 500
const text = (at: number, round: number) => `some text of entry ${at}, round ${round}. `.repeat(3)

async function manifestOf(world: SimulatedStore): Promise<Manifest> {
  return (await world.run(readNewest(world.storage)))?.manifest as Manifest
}

/** All of the entries anew, and time for what follows. */
async function writeRound(world: SimulatedStore, round: number): Promise<void> {
  const map = world.store.map<string, number>('map')
  for (let at = 0; at < ENTRIES; at++) map.set(at, text(at, round))
  await world.checkpoint()
  await world.pass(20_000)
}

const damage = (world: SimulatedStore, file: string): unknown => world.storage.disk.lookup(file)?.flip(500, 3)
/** What describes a segment stands at its end. */
const spoilEnd = (world: SimulatedStore, file: string): unknown => {
  const content = world.storage.disk.lookup(file)
  return content?.flip(content.cache.length - 8, 3)
}
const unread = (world: SimulatedStore, path: string): unknown => world.storage.inject({ operation: 'read', errno: 'EIO', path })
/** Its name was removed; who has it open reads on. */
const gone = (world: SimulatedStore, path: string): unknown => world.storage.inject({ operation: 'open', errno: 'ENOENT', path })

for (const [where, victim, spoil] of sweep([
  ['damaged base segment in the middle', 1, damage],
  ['damaged base segment at the beginning', 0, damage],
  ['base segment that the device does not give back', 0, unread],
  ['base segment whose name is gone', 0, gone],
] as const)) {
  test(`beside a ${where} rounds go on, and young segments stay few`, async () => {
    const world = new SimulatedStore({ retention: { keepLast: 1, keepMs: 0 }, restore: { hydrate: 'on-demand' } })
    world.thresholds = SMALL
    const store = await world.open()
    const write = (round: number): Promise<void> => writeRound(world, round)
    for (let round = 0; round < 3; round++) await write(round)
    const before = await manifestOf(world)
    const segments = before.base.flatMap(range => range.segment ?? [])
    assert.ok(segments.length >= 4, `${segments.length} base segments`)
    const damaged = segments[victim]?.file as string
    spoil(world, damaged)
    for (let round = 3; round < 30; round++) await write(round)
    const { young, base, fold } = await manifestOf(world)
    const bytes = young.reduce((sum, entry) => sum + entry.bytes, 0)
    assert.ok(young.length <= 10 && bytes < 250_000, `${young.length} young segments of ${bytes} bytes`)
    const stuck = base.filter(({ through }) => through < (fold?.epoch ?? 0) - 5)
    assert.ok(stuck.length >= 1 && stuck.length <= 2 && base.length >= 4, `${stuck.length} of ${base.length} ranges do not go on`)
    const { failures, lastError } = store.stats().upkeep
    assert.ok(failures >= 1 && failures <= 3, `${failures} failures`)
    assert.ok(lastError?.includes(damaged), lastError)
    // What was written since covers what is damaged.
    await world.crash()
    const again = world.store.map<string, number>('map')
    for (let at = 0; at < ENTRIES; at++) assert.equal(again.get(at), text(at, 29))
    await world.close()
  })
}

test('where the device was away for some seconds while a round went on, every range is merged again some minutes later, and at rest', async () => {
  const world = new SimulatedStore({ retention: { keepLast: 1, keepMs: 0 }, restore: { hydrate: 'on-demand' } })
  world.thresholds = SMALL
  const store = await world.open()
  for (let round = 0; round < 3; round++) await writeRound(world, round)
  const map = store.map<string, number>('map')
  for (let at = 0; at < ENTRIES; at++) map.set(at, text(at, 3))
  await world.checkpoint()
  const before = await manifestOf(world)
  for (let ms = 0; ms < 5000 && (await manifestOf(world)).number === before.number; ms++) await world.pass(1)
  const back = world.storage.inject({ operation: 'open', errno: 'ESTALE', path: 'segment' })
  await world.pass(8000)
  back()
  assert.ok(store.stats().upkeep.failures >= 3, `${store.stats().upkeep.failures} failures`)
  for (let round = 4; round < 10; round++) await writeRound(world, round)
  const behind = ({ base, fold }: Manifest) => base.filter(({ through }) => through < (fold?.epoch ?? 0) - 5).length
  const during = await manifestOf(world)
  assert.ok(behind(during) < during.base.length, 'the others go on meanwhile')
  assert.ok(behind(during) > 0, 'some do not')
  // Nothing is written, and so nothing folded, which would begin a merge.
  await world.pass(700_000)
  const after = await manifestOf(world)
  assert.equal(behind(after), 0, after.base.map(({ through }) => through).join())
  await world.close()
})

test('a close merges what is overdue beside each that it finds damaged', async () => {
  const world = new SimulatedStore({ retention: { keepLast: 1, keepMs: 0 }, restore: { hydrate: 'on-demand' } })
  world.thresholds = SMALL
  await world.open()
  for (let round = 0; round < 3; round++) await writeRound(world, round)
  await world.close()
  world.thresholds = { ...SMALL, fanIn: 100, slackBytes: 1e9, slackRecords: 1e9 }
  await world.open()
  for (let round = 3; round < 6; round++) await writeRound(world, round)
  await world.close()
  const files = (await manifestOf(world)).base.map(({ segment }) => segment?.file ?? '')
  assert.ok(files.length >= 4, `${files.length} ranges`)
  for (const file of files.slice(0, -1)) spoilEnd(world, file)
  world.thresholds = { ...SMALL, paced: true }
  await world.open()
  await world.close()
  const { base, fold } = await manifestOf(world)
  assert.equal(base.at(-1)?.through, fold?.epoch)
  assert.deepEqual(
    base.slice(0, files.length - 1).map(({ segment }) => segment?.file),
    files.slice(0, -1),
  )
  await world.open()
  for (let at = 0; at < ENTRIES; at++) assert.equal(world.store.map('map').get(at), text(at, 5))
  await world.close()
})

for (const how of ['damaged', 'not given back by the device'] as const) {
  test(`a segment whose filter is ${how} is merged as any other, for merges ask no filter`, async () => {
    const world = new SimulatedStore({ retention: { keepLast: 1, keepMs: 0 }, restore: { hydrate: 'on-demand' } })
    world.thresholds = SMALL
    const store = await world.open()
    for (let round = 0; round < 3; round++) await writeRound(world, round)
    const victim = (await manifestOf(world)).base.at(-1)?.segment ?? assert.fail('no segment')
    const content = world.storage.disk.lookup(victim.file) ?? assert.fail('no file')
    const filterAt = victim.describedAt + FRAME_HEADER_BYTES + content.cache.view().readUInt32LE(victim.describedAt + 12)
    const inFilter = filterAt + FRAME_HEADER_BYTES
    if (how === 'damaged') content.flip(inFilter, 3)
    else badSector(world.storage, victim.file, inFilter, inFilter + 1)
    for (let round = 3; round < 12; round++) await writeRound(world, round)
    const { young, base } = await manifestOf(world)
    const files = [...young, ...base.flatMap(range => range.segment ?? [])].map(entry => entry.file)
    assert.ok(!files.includes(victim.file), `${victim.file} is among ${files}`)
    const { failures, lastError } = store.stats().upkeep
    assert.deepEqual({ failures, lastError }, { failures: 0, lastError: undefined })
    await world.close()
  })
}

/** What was just written, and damaged before a round takes it in: rounds are quick here, so it is where it is folded. */
async function spoilFolded(
  world: SimulatedStore,
  spoil: (world: SimulatedStore, file: string, describedAt: number) => unknown,
): Promise<string> {
  const before = new Set((await world.run(world.storage.list('segment'))) as string[])
  await world.checkpoint()
  for (let ms = 0; ms < 5000; ms++) {
    await world.pass(1)
    const victim = (await manifestOf(world)).young.find(entry => !before.has(entry.file.slice('segment/'.length)))
    if (victim === undefined) continue
    spoil(world, victim.file, victim.describedAt)
    return victim.file
  }
  return assert.fail('no young segment')
}

for (const [where, spoilYoung] of sweep([
  ['block', damage],
  ['description', spoilEnd],
] as const)) {
  test(`beside a young segment with a damaged ${where} young segments stay few`, async () => {
    const world = new SimulatedStore({ retention: { keepLast: 1, keepMs: 0 }, restore: { hydrate: 'on-demand' } })
    world.thresholds = { ...SMALL, youngBytesMax: 5000 }
    const store = await world.open()
    const map = store.map<string, number>('map')
    const write = (round: number): Promise<void> => writeRound(world, round)
    for (let round = 0; round < 3; round++) await write(round)
    for (let at = 0; at < ENTRIES; at++) map.set(at, text(at, 3))
    await spoilFolded(world, spoilYoung)
    const counts: number[] = []
    for (let round = 4; round < 31; round++) {
      await write(round)
      counts.push((await manifestOf(world)).young.length)
    }
    assert.ok(Math.max(...counts) <= 12, `${counts} young segments`)
    await world.crash()
    const again = world.store.map<string, number>('map')
    for (let at = 0; at < ENTRIES; at++) assert.equal(again.get(at), text(at, 30))
    await world.close()
  })
}

const blocksUnread = (world: SimulatedStore, file: string, describedAt: number): unknown =>
  badSector(world.storage, file, SEGMENT_HEADER_BYTES, describedAt)

for (const [how, spoil, failuresMax] of sweep([
  ['is not described, for that is damaged', spoilEnd, 1],
  ['cannot be opened, for its name is gone', gone, 6],
  ['is not given back by the device', unread, 6],
  ['is described, and none of its blocks given back', blocksUnread, 6],
] as const)) {
  test(`a young segment that ${how} holds up no round over ranges of the base that it does not reach`, async () => {
    const world = new SimulatedStore({ retention: { keepLast: 1, keepMs: 0 }, restore: { hydrate: 'on-demand' } })
    world.thresholds = { ...SMALL, baseBytes: 3000 }
    const store = await world.open()
    const [cold, hot] = [store.map<string, number>('cold'), store.map<string, number>('hot')]
    const write = (map: typeof hot, round: number): void => {
      for (let at = 0; at < ENTRIES; at++) map.set(at, text(at, round))
    }
    const behindIn = async (collection: number): Promise<number> => {
      const { base, fold } = await manifestOf(world)
      return base.filter(({ segment, through }) => segment?.first.collection === collection && through < (fold?.epoch ?? 0) - 3).length
    }
    for (let round = 0; round < 3; round++) {
      write(cold, round)
      write(hot, round)
      await world.checkpoint()
      await world.pass(20_000)
    }
    const { base } = await manifestOf(world)
    const reached = base.filter(({ segment }) => segment?.last.collection === base[0]?.segment?.first.collection).length
    assert.ok(reached >= 7, `${reached} ranges`)
    write(cold, 3)
    const victim = await spoilFolded(world, spoil)
    for (let round = 4; round < 10; round++) {
      write(hot, round)
      await world.checkpoint()
      await world.pass(6000)
    }
    const [one, other] = [base[0]?.segment?.first.collection ?? 0, base.at(-1)?.segment?.last.collection ?? 0]
    assert.deepEqual({ cold: (await behindIn(one)) >= reached, hot: await behindIn(other) }, { cold: true, hot: 0 })
    const { failures, lastError } = store.stats().upkeep
    assert.ok(lastError?.includes(victim), lastError)
    assert.ok(failures <= failuresMax, `${failures} failures`)
    await world.close()
  })
}
