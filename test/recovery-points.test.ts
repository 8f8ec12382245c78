/** What can be restored where a part of the past is damaged. */
import assert from 'node:assert/strict'
import { renameSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { type ErrorCode, type FileReport, open, type RecoveryPoint, recoveryPoints, type Settings, verify } from 'tidemark'
import { FRAME_HEADER_BYTES, LOG_HEADER_BYTES, manifestName, SEAL_BYTES } from '../src/format/index.ts'
import { openStore } from '../src/open.ts'
import { openForReading } from '../src/restore/index.ts'
import { FileStorage } from '../src/storage/index.ts'
import { SeededRandom } from '../src/testing/index.ts'
import { json, run, runEach } from './support/cli.ts'
import { damage, epochsOf, flip, makeHistory } from './support/history.ts'
import { SimulatedStore } from './support/simulated-store.ts'
import { failsWith, temporaryFolder } from './temporary.ts'

test('damage in the log hides no recovery point but those before the next fold point, and is told', { timeout: 60_000 }, async t => {
  const folder = temporaryFolder(t)
  // Fold points at 3, 6, 9.
  await makeHistory(folder, { days: 3, epochsADay: 3, tailBytes: 1000 })
  assert.deepEqual(await epochsOf(folder), [10, 9, 8, 7, 6, 5, 4, 3, 2, 1])
  const file = await damage(folder, 4)
  assert.deepEqual(await epochsOf(folder), [10, 9, 8, 7, 6, 3, 2, 1])
  for (const epoch of await epochsOf(folder)) {
    const store = await open(folder, { readOnly: true, restore: { at: epoch } })
    assert.deepEqual(
      [...store.map<string, number>('map').keys()].sort((a, b) => a - b),
      Array.from({ length: Math.min(epoch, 9) }, (_, at) => at + 1),
    )
    await store.close()
  }
  for (const at of [4, 5]) await failsWith('TIDEMARK_LOG_DAMAGED', () => open(folder, { readOnly: true, restore: { at } }))

  const points = json('log', folder) as RecoveryPoint[]
  for (const { time } of points) {
    const epoch = points.find(point => point.time <= time)?.epoch as number
    const settings: Settings = { readOnly: true, restore: { at: new Date(time) } }
    if (epoch === 3) {
      await failsWith('TIDEMARK_LOG_DAMAGED', () => open(folder, settings))
      continue
    }
    const store = await open(folder, settings)
    assert.equal(store.restored.epoch, epoch, 'damage counts only where what it took may be the point')
    await store.close()
  }
  const [told, ...others] = points.filter(({ lost }) => lost !== undefined)
  assert.deepEqual(others, [])
  assert.equal(told?.epoch, 6)
  const { firstLostEpoch, lastLostEpoch, file: damaged } = told.lost as NonNullable<RecoveryPoint['lost']>
  assert.deepEqual([firstLostEpoch, lastLostEpoch, damaged], [4, 5, file])
  const note = new RegExp(`^note.* epochs 4 to 5 cannot be restored: ${file} is damaged at \\d+`)
  const [lineage, ...lines] = run(['log', folder]).out.trimEnd().split('\n')
  assert.match(lineage as string, new RegExp(`^lineage ${told.lineage}$`))
  assert.equal(lines.length, points.length + 1)
  assert.match(lines[5] as string, note)
  assert.match(lines[4] as string, /^6 /)
  assert.match(lines[6] as string, /^3 /)
  const status = run(['status', folder])
  assert.equal(status.status, 0)
  assert.match(status.out, new RegExp(note.source, 'm'))
  assert.deepEqual((json('status', folder) as { lost: unknown }).lost, [told.lost])
})

test('an epoch that is damaged in the log and folded can be restored: nothing is lost', { timeout: 60_000 }, async t => {
  const folder = temporaryFolder(t)
  await makeHistory(folder, { days: 3, epochsADay: 1, tailBytes: 1000 })
  const file = await damage(folder, 2)
  assert.match(run(['verify', folder]).out, new RegExp(`damaged: ${file}`))
  assert.deepEqual(await epochsOf(folder), [4, 3, 2, 1])
  const points = json('log', folder) as RecoveryPoint[]
  assert.ok(points.every(({ lost }) => lost === undefined))
})

test('where the oldest manifest that is kept is damaged, the points behind the next one are left', { timeout: 60_000 }, async t => {
  const folder = temporaryFolder(t)
  await makeHistory(folder, { days: 3, epochsADay: 2, tailBytes: 1000 })
  // The beginning and the fold point at 2 are of one minute: the earlier is kept.
  const { retained } = (await openForReading(new FileStorage(folder))).manifest
  const file = manifestName(retained[0]?.number as number)
  flip(join(folder, file), 40)
  const epochs = await epochsOf(folder)
  assert.deepEqual(epochs, [7, 6, 5, 4])
  const [oldest] = (json('log', folder) as RecoveryPoint[]).slice(-1)
  assert.deepEqual([oldest?.lost?.firstLostEpoch, oldest?.lost?.lastLostEpoch, oldest?.lost?.file], [1, 3, file])
})

test('verify goes on behind damage in the log at the next fold point: every damaged file is named, and the newest epoch that is whole', {
  timeout: 60_000,
}, async t => {
  const folder = temporaryFolder(t)
  // Fold points at 3, 6, 9.
  await makeHistory(folder, { days: 3, epochsADay: 3, tailBytes: 1000 })
  const damaged = (files: readonly FileReport[]): string[] => files.flatMap(({ file, problem }) => (problem === undefined ? [] : [file]))
  const later = await damage(folder, 7)
  assert.deepEqual(await verify(folder).then(({ ok, epoch, files }) => [ok, epoch, damaged(files)]), [false, 10, [later]])
  const earlier = await damage(folder, 4)
  const { ok, epoch, files, notes } = await verify(folder)
  assert.deepEqual([ok, epoch, damaged(files)], [false, 10, [earlier, later]])
  assert.deepEqual(notes, [
    `behind the damage in ${earlier} the log was not looked at up to the fold point at epoch 6`,
    `behind the damage in ${later} the log was not looked at up to the fold point at epoch 9`,
  ])
  assert.equal(new Set(files.map(({ file }) => file)).size, files.length)
})

test('behind the newest fold point verify ends at the damage, and says so', { timeout: 60_000 }, async t => {
  const folder = temporaryFolder(t)
  await makeHistory(folder, { days: 2, epochsADay: 2, tailBytes: 1000 })
  const file = await damage(folder, 5)
  const { ok, epoch, notes } = await verify(folder)
  assert.deepEqual([ok, epoch], [false, 4])
  assert.deepEqual(notes, [`behind the damage in ${file} the log was not looked at`])
})

test('the bytes of a point are all that its epoch takes in the log, and no more is said to be checked than was', {
  timeout: 60_000,
}, async t => {
  const folder = temporaryFolder(t)
  await makeHistory(folder, { days: 2, epochsADay: 2, tailBytes: 1000 })
  const storage = new FileStorage(folder)
  const { log } = (await openForReading(storage)).manifest
  let written = 0
  // A close seals what it wrote.
  for (const { file } of log) written += Math.max(0, (await storage.size(file)) - LOG_HEADER_BYTES - FRAME_HEADER_BYTES - SEAL_BYTES)
  const points = (json('log', folder) as RecoveryPoint[]).reverse()
  assert.deepEqual(
    points.map(({ epoch }) => epoch),
    [1, 2, 3, 4, 5],
  )
  assert.equal(
    points.reduce((sum, { bytes }) => sum + bytes, 0),
    written,
  )
  assert.ok(points.every(({ verified }) => verified.join() === 'checksums,chain'))
  // The log no longer leads to the second fold point: what stands on the segments was not looked at.
  await damage(folder, 1)
  const left = (json('log', folder) as RecoveryPoint[]).reverse()
  assert.deepEqual(
    left.map(({ epoch, bytes, verified }) => [epoch, bytes, verified.join()]),
    [
      [4, 0, ''],
      [5, points[4]?.bytes, 'checksums,chain'],
    ],
  )
})

test('status and log say so where the newest epoch can be read and not be restored, and what keeps all of them from it', {
  timeout: 60_000,
}, async t => {
  const folder = temporaryFolder(t)
  // Fold points at 2 and 4, and 5 behind them.
  await makeHistory(folder, { days: 2, epochsADay: 2, tailBytes: 1000 })
  const { manifest } = await openForReading(new FileStorage(folder))
  const [file = ''] = manifest.young.map(entry => entry.file)
  truncateSync(join(folder, file), (manifest.young[0]?.bytes ?? 0) - 1)
  await damage(folder, 3)
  assert.deepEqual(await epochsOf(folder), [2, 1])
  const note = /^note {8}epochs 3 to 5 cannot be restored: tidemark verify names what is damaged$/m
  for (const verb of ['status', 'log']) assert.match(run([verb, folder]).out, note, verb)
  await damage(folder, 1)
  for (const number of manifest.retained.map(point => point.number)) flip(join(folder, manifestName(number)), 40)
  for (const verb of ['status', 'log']) {
    const { status, out, err } = run([verb, folder])
    assert.deepEqual([status, out], [1, ''], verb)
    assert.match(err, /manifest\/.*TIDEMARK_MANIFEST_DAMAGED/)
  }
})

test('where the newest state does not open, what can be restored is listed all the same, and status says who lists it', {
  timeout: 60_000,
}, async t => {
  const folder = temporaryFolder(t)
  // Fold points at 2 and 4, and 5 behind them.
  await makeHistory(folder, { days: 2, epochsADay: 2, tailBytes: 1000, keepLast: 3 })
  const { manifest } = await openForReading(new FileStorage(folder))
  const segment = manifest.young[0]?.file as string
  const lists = async (epochs: number[], code: ErrorCode, file: string): Promise<void> => {
    await failsWith(code, () => open(folder, { readOnly: true }))
    assert.deepEqual(
      (await recoveryPoints(folder)).map(({ epoch }) => epoch),
      epochs,
    )
    const [listed, told, status] = runEach([
      ['log', folder, '--json'],
      ['log', folder],
      ['status', folder],
    ])
    assert.deepEqual([listed?.status, (JSON.parse(listed?.out ?? '') as RecoveryPoint[]).map(({ epoch }) => epoch)], [0, epochs])
    const { error } = JSON.parse(listed?.err ?? '') as { error: { code: string; message: string; hint: string } }
    assert.deepEqual([error.code, error.message.includes(file), error.hint.length > 0], [code, true, true])
    assert.equal(told?.err, `tidemark: ${error.message} (${code})\nhint: ${error.hint}\n`)
    const lines = told?.out.split('\n') ?? []
    assert.match(lines[0] ?? '', new RegExp(`^note {8}the newest state does not open: .*${file}.*\\(${code}\\)$`))
    assert.deepEqual([told?.status, lines.length], [0, epochs.length + 3])
    assert.deepEqual([status?.status, status?.out], [1, ''])
    assert.match(status?.err ?? '', new RegExp(`${code}\\)\\nhint: .*tidemark log lists what can be restored`))
  }
  renameSync(join(folder, segment), join(folder, 'away'))
  await lists([5, 4, 3, 2, 1], 'TIDEMARK_STORAGE', segment)
  renameSync(join(folder, 'away'), join(folder, segment))
  await lists([4, 3, 2, 1], 'TIDEMARK_LOG_DAMAGED', await damage(folder, 5))
})

test('where nothing can be restored, whoever asks for a list is told what the newest state does not open for', async t => {
  const folder = temporaryFolder(t)
  await makeHistory(folder, { days: 0, epochsADay: 0, tailBytes: 1000 })
  const file = await damage(folder, 1)
  assert.deepEqual(await recoveryPoints(folder), [])
  for (const { status, out, err } of runEach([
    ['log', folder],
    ['status', folder],
  ])) {
    assert.deepEqual([status, out], [1, ''])
    assert.match(err, new RegExp(`${file}.*TIDEMARK_LOG_DAMAGED\\)\\nhint: `))
    assert.doesNotMatch(err, /tidemark log lists/)
  }
  for (const directory of [join(folder, 'absent'), 5 as never, ''])
    await failsWith(directory === join(folder, 'absent') ? 'TIDEMARK_NO_STORE' : 'TIDEMARK_ARGUMENT', () => recoveryPoints(directory))
})

test('a reader lists what can be restored by now: the points behind its own too, and those alone where its own is not kept any more', async () => {
  const world = new SimulatedStore({ retention: { keepLast: 1, keepMs: 0 } })
  world.thresholds = { records: 100, graceMs: 100, paced: false }
  const writer = await world.open()
  const map = writer.map<number, number>('map')
  const write = async (value: number): Promise<number> => {
    map.set(0, value)
    return (await world.checkpoint()).epoch
  }
  for (const value of [1, 2, 3]) assert.equal(await write(value), value)
  const reader = await world.open({ readOnly: true, restore: { at: 2 } })
  const listed = async (): Promise<number[]> => (await world.run(reader.recoveryPoints())).map(({ epoch }) => epoch)
  assert.deepEqual(await listed(), [3, 2, 1])
  world.store = writer
  assert.equal(await write(4), 4)
  assert.deepEqual(await listed(), [4, 3, 2, 1])
  for (let at = 1; at < 200; at++) map.set(at, at)
  assert.equal(await write(5), 5)
  await world.pass(600_000)
  world.store = writer
  assert.equal(await write(6), 6)
  const epochs = await listed()
  assert.deepEqual(epochs, [6, 5], 'what was folded is kept no longer')
  assert.equal(reader.map('map').get(0), 2)
  for (const epoch of epochs) {
    const then = await world.open({ readOnly: true, restore: { at: epoch } })
    assert.equal(then.map('map').get(0), epoch)
    await world.run(then.close())
  }
  await world.run(reader.close())
  await world.run(writer.close())
})

test('a point names the lineage that its epoch was written in, however often history went back, and a service that goes back at each start makes no list', async () => {
  const world = new SimulatedStore()
  const random = new SeededRandom(1)
  const known = new Map<number, string>()
  const seen = new Set<string>()
  for (const at of ['latest', 4, 3, 3, 3, 5, 4, 2, 2, 2] as const) {
    const { storage, scheduler, clock } = world
    const settings: Settings = {
      checkpoint: { intervalMs: 0 },
      compression: 'none',
      restore: { at },
      retention: { keepLast: 5, keepMs: 0 },
    }
    const store = await world.run(openStore('simulated', settings, { storage, scheduler, clock, random }))
    for (let epoch = 0; epoch < 5; epoch++) {
      store.map<number>('map').set('key', epoch)
      await world.run(store.checkpoint())
    }
    const points = await world.run(store.recoveryPoints())
    const newest = points[0]?.lineage as string
    assert.ok(!seen.has(newest))
    seen.add(newest)
    for (const { epoch, lineage } of points) assert.equal(lineage, at === 'latest' || epoch > at ? newest : known.get(epoch), `${epoch}`)
    for (const { epoch, lineage } of points) known.set(epoch, lineage)
    await world.run(store.close())
  }
  assert.equal((await world.run(openForReading(world.storage))).manifest.lineage.length, 2)
})
