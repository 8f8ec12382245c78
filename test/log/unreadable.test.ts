/** A sector of the log that the device does not give back: what lies before it stays within reach, and what is lost is told. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hasCode } from '../../src/base/errors.ts'
import { FRAME_HEADER_BYTES, LOG_HEADER_BYTES, manifestName, SEAL_BYTES } from '../../src/format/index.ts'
import { type EpochPlace, LogScan, proveEpoch } from '../../src/log/index.ts'
import { openStore } from '../../src/open.ts'
import { copyStore } from '../../src/restore/copy.ts'
import { openForReading, openForWriting } from '../../src/restore/index.ts'
import { verifyStore } from '../../src/restore/verify.ts'
import {
  type ErrnoName,
  MemoryDisk,
  MemoryStorage,
  type OpenMode,
  type StorageFile,
  storageError,
  systemError,
} from '../../src/storage/index.ts'
import { SeededRandom, SimulatedStorage } from '../../src/testing/index.ts'
import { Life, pseudoRandom, readAll } from '../support/log-store.ts'

const SETTINGS = { checkpoint: { intervalMs: 0 }, compression: 'none' } as const
const PAGE = 4096
const FILE = 'log/00000001-00000001.log'

/** Gives no read back that reaches this byte of the log, or `bytes` from it on; `times`: so often; `handles`: where the file was opened no more often before. */
class Scratched extends MemoryStorage {
  at: number
  times = Number.POSITIVE_INFINITY
  handles = Number.POSITIVE_INFINITY
  bytes = 1
  failed = 0
  errno: ErrnoName = 'EIO'

  constructor(disk: MemoryDisk, at: number) {
    super(disk)
    this.at = at
  }

  override async open(path: string, mode: OpenMode): Promise<StorageFile> {
    const file = await super.open(path, mode)
    if (path === FILE && --this.handles < 0) return file
    const read = file.read.bind(file)
    file.read = async (offset, length) => {
      if (path !== FILE || this.at + this.bytes <= offset || this.at >= offset + length || this.failed >= this.times)
        return read(offset, length)
      this.failed++
      throw storageError('read', path, systemError(this.errno, 'read'))
    }
    return file
  }
}

interface Place {
  readonly start: number
  readonly commitAt: number
  readonly end: number
}

/** Five epochs in one file, and where they stand. */
async function fiveEpochs(): Promise<{ disk: MemoryDisk; places: Place[] }> {
  const disk = new MemoryDisk()
  const storage = new MemoryStorage(disk)
  const store = await openStore('memory', SETTINGS, { storage, writer: 'inline' })
  for (let epoch = 1; epoch <= 5; epoch++) {
    store.map('map').set(`key ${epoch}`, 'x'.repeat(1000))
    await store.checkpoint()
  }
  await store.close()
  const { storeId, log } = (await openForReading(storage)).manifest
  const scan = new LogScan({ storage, storeId, log, payloads: false })
  const places: Place[] = []
  for await (const item of scan) {
    if (item.type !== 'commit') continue
    const { start, commitAt } = scan.report.unproven as EpochPlace
    places.push({ start, commitAt, end: item.position.bytes })
  }
  return { disk, places }
}

const copyOf = async (disk: MemoryDisk): Promise<MemoryDisk> => {
  const copy = new MemoryDisk()
  const [from, to] = [new MemoryStorage(disk), new MemoryStorage(copy)]
  for (const folder of ['log', 'manifest']) {
    await to.makeFolder(folder)
    for (const name of await from.list(folder)) {
      const file = await from.open(`${folder}/${name}`, 'read')
      await to.createIfAbsent(`${folder}/${name}`, await file.read(0, await file.size()))
      await file.close()
    }
  }
  return copy
}

test('a sector in a block of epoch 4: epochs 1 to 3 are there to fall back to, to go back to and to be listed', async () => {
  const { disk, places } = await fiveEpochs()
  const at = (places[3] as Place).start + FRAME_HEADER_BYTES + 500
  const fresh = async () => ({ storage: new Scratched(await copyOf(disk), at), writer: 'inline' }) as const

  await assert.rejects(openStore('memory', SETTINGS, await fresh()), error => {
    assert.ok(hasCode(error, 'TIDEMARK_STORAGE'))
    const { file, info } = error as { file?: string; info?: { offset?: number } }
    assert.equal(file, FILE)
    assert.ok((info?.offset ?? 0) > (places[2] as Place).end && (info?.offset ?? 0) <= at)
    return true
  })

  const components = await fresh()
  const fallen = await openStore('memory', { ...SETTINGS, restore: { onDamage: 'fall-back' } }, components)
  const { epoch, lost } = fallen.restored
  assert.deepEqual([epoch, lost?.firstLostEpoch, lost?.lastSeenEpoch, lost?.file], [3, 4, 5, FILE])
  fallen.map('map').set('new', 1)
  await fallen.checkpoint()
  await fallen.close()
  const again = await openStore('memory', SETTINGS, components)
  assert.deepEqual([again.restored.epoch, again.map('map').size], [4, 4])
  await again.close()

  for (const readOnly of [true, false]) {
    const back = await openStore('memory', { ...SETTINGS, readOnly, restore: { at: 2 } }, await fresh())
    assert.deepEqual([back.restored.epoch, back.map('map').size], [2, 2])
    await back.close()
  }

  const { storage } = await fresh()
  const reader = await openStore('memory', { ...SETTINGS, readOnly: true, restore: { onDamage: 'fall-back' } }, { storage })
  assert.deepEqual(
    (await reader.recoveryPoints()).map(point => point.epoch),
    [3, 2, 1],
  )
  await reader.close()
  const { ok, files } = await verifyStore(storage, () => undefined)
  assert.equal(ok, false)
  assert.match(files.find(({ file }) => file === FILE)?.problem ?? '', /device/)
  await assert.rejects(
    copyStore(storage, new MemoryStorage(), new SeededRandom(1), () => undefined),
    { code: 'TIDEMARK_STORAGE' },
  )
})

test('what the file system itself finds wrong is not given back either; behind a network mount that was made anew it may all be there', async () => {
  const { disk, places } = await fiveEpochs()
  const at = (places[3] as Place).start + FRAME_HEADER_BYTES + 500
  const openWith = async (errno: ErrnoName, onDamage: 'refuse' | 'fall-back') => {
    const storage = new Scratched(await copyOf(disk), at)
    storage.errno = errno
    return await openStore('memory', { ...SETTINGS, restore: { onDamage } }, { storage, writer: 'inline' })
  }
  for (const errno of ['EUCLEAN', 'EBADMSG'] as const) {
    await assert.rejects(openWith(errno, 'refuse'), { code: 'TIDEMARK_STORAGE', file: FILE })
    const fallen = await openWith(errno, 'fall-back')
    assert.deepEqual([fallen.restored.epoch, fallen.restored.lost?.firstLostEpoch, fallen.restored.lost?.lastSeenEpoch], [3, 4, 5])
    await fallen.close()
  }
  for (const errno of ['ESTALE', 'EACCES', 'EMFILE'] as const)
    await assert.rejects(openWith(errno, 'fall-back'), { code: 'TIDEMARK_STORAGE', file: FILE })
})

test('any byte of the log that is not given back: falling back ends before its epoch, or behind it where only an echo is lost', async () => {
  const { disk, places } = await fiveEpochs()
  const { storeId, log } = (await openForReading(new MemoryStorage(disk))).manifest
  const size = await new MemoryStorage(disk).size(FILE)
  for (let at = 0; at < size; at += at < LOG_HEADER_BYTES ? 256 : 7) {
    const storage = new Scratched(disk, at)
    const { end, damage } = await new LogScan({ storage, storeId, log, payloads: false, onDamage: 'fall-back' }).run()
    const inEpoch = places.findIndex(place => at < place.end)
    const { commitAt, end: ends } = places.at(inEpoch) as Place
    const whole = at < LOG_HEADER_BYTES ? 0 : inEpoch < 0 ? 5 : at >= (commitAt + ends) / 2 ? inEpoch + 1 : inEpoch
    assert.equal(end.epoch, whole === inEpoch + 1 ? 5 : whole, `${at}`)
    assert.equal(damage === null, whole === inEpoch + 1, `${at}`)
    if (damage !== null) assert.ok(damage.firstLostEpoch === end.epoch + 1 && damage.lastSeenEpoch >= damage.firstLostEpoch)
  }
})

test('a read that fails once is read again: nothing is lost', async () => {
  const { disk, places } = await fiveEpochs()
  const storage = new Scratched(disk, (places[3] as Place).start + FRAME_HEADER_BYTES)
  storage.times = 2
  const reader = await openStore('memory', { ...SETTINGS, readOnly: true }, { storage })
  assert.deepEqual([reader.restored.epoch, reader.restored.lost], [5, undefined])
  await reader.close()
})

test('a call that fails once and says nothing about the bytes is no damage: falling back gives up nothing for it', async () => {
  const storage = new SimulatedStorage()
  const life = await Life.open({ storage, fileBytesMax: 1 })
  for (let epoch = 1; epoch <= 5; epoch++) await life.mustCommit([[['n', `${epoch}`]]])
  await life.close()
  const { log } = (await openForReading(storage)).manifest
  for (const operation of ['exists', 'open', 'size'] as const) {
    for (const { file, end } of [...log.slice(1, 2), ...log.slice(-1)]) {
      // Of the file that is open the length is looked at again.
      for (const nth of operation === 'size' && end === null ? [1, 2] : [1]) {
        const heal = storage.inject({ operation, path: file, errno: 'EIO', nth })
        await assert.rejects(readAll(storage, { onDamage: 'fall-back' }), { code: 'TIDEMARK_STORAGE', file }, `${operation} ${nth}`)
        heal()
      }
    }
  }
  const { epochs, report } = await readAll(storage, { onDamage: 'fall-back' })
  assert.deepEqual([epochs.length, report.damage], [5, null])
})

test('behind a sector that is not given back a long log is not asked for it again and again', async () => {
  const disk = new MemoryDisk()
  const life = await Life.open({ storage: new MemoryStorage(disk), compression: 'none' })
  for (let epoch = 1; epoch <= 1000; epoch++) await life.mustCommit([[[`key ${epoch}`, 'x'.repeat(100)]]])
  await life.close()
  const size = await new MemoryStorage(disk).size(FILE)
  const storage = new Scratched(disk, size - 2000)
  const { storeId, log } = (await openForReading(storage)).manifest
  const { end, damage } = await new LogScan({ storage, storeId, log, payloads: false, onDamage: 'fall-back' }).run()
  assert.ok(end.epoch > 980 && damage?.lastSeenEpoch === 1000, `${end.epoch}, ${damage?.lastSeenEpoch}`)
  assert.ok(storage.failed < 50, `${storage.failed} reads failed`)
})

for (const pages of [1, 3, 30]) {
  test(`${pages} pages of the log that are not given back: what is lost is told up to the last epoch, wherever they lie`, async () => {
    const disk = new MemoryDisk()
    const life = await Life.open({ storage: new MemoryStorage(disk), compression: 'none' })
    const ends: number[] = []
    for (let epoch = 1; epoch <= 60; epoch++) {
      await life.mustCommit([[['key', 'x'.repeat(3000)]]])
      ends.push(await new MemoryStorage(disk).size(FILE))
    }
    await life.close()
    const { storeId, log } = (await openForReading(new MemoryStorage(disk))).manifest
    for (let at = 0; at + PAGE * pages < (ends.at(-2) as number); at += PAGE) {
      const storage = new Scratched(disk, at)
      storage.bytes = PAGE * pages
      const { end, damage } = await new LogScan({ storage, storeId, log, payloads: false, onDamage: 'fall-back' }).run()
      const before = ends.filter(each => each <= at).length
      // An epoch whose echo alone is lost counts.
      assert.ok(end.epoch === before || end.epoch === before + 1, `${at}: ${end.epoch}`)
      // Where its header cannot be read, nothing in a file can be.
      assert.equal(damage?.lastSeenEpoch, at === 0 ? 1 : 60, `${at}`)
      assert.ok(storage.failed < 150, `${storage.failed} reads failed`)
    }
  })
}

test('what was inherited and is not given back: the error is the storage’s, and the next try may do better', async () => {
  const { disk, places } = await fiveEpochs()
  const storage = new Scratched(disk, -1)
  const { storeId, log } = (await openForReading(storage)).manifest
  const { report } = await (async () => {
    const scan = new LogScan({ storage, storeId, log: log.map(({ file }) => ({ file, end: null })), payloads: false, until: { epoch: 3 } })
    return { report: await scan.run() }
  })()
  storage.at = (places[2] as Place).start + FRAME_HEADER_BYTES
  await assert.rejects(proveEpoch(storage, storeId, report.unproven as EpochPlace, report.end), { code: 'TIDEMARK_STORAGE' })
  storage.at = -1
  await proveEpoch(storage, storeId, report.unproven as EpochPlace, report.end)
})

test('an echo that is not given back, of an epoch without a seal: the epoch counts, is written again, and is built upon', async () => {
  const disk = new MemoryDisk()
  const failpoint = async (name: string): Promise<void> => {
    if (name === 'commit.seal') throw new Error('no seal')
  }
  const life = await Life.open({ storage: new MemoryStorage(disk), compression: 'none', failpoint })
  await life.mustCommit([[['a', 'x'.repeat(1000)]]])
  const size = await new MemoryStorage(disk).size(FILE)
  const storage = new Scratched(disk, size - 10)
  const again = await Life.open({ storage, name: 'again' })
  assert.deepEqual([again.found.report.end.epoch, again.found.report.unproven === null], [1, false])
  await again.mustCommit([[['b', '1']]])
  await again.close()
  assert.equal((await readAll(storage)).epochs.length, 2)
})

test('a time is asked for, and the sector is given back when it is read again: nothing later is opened, and the next try finds it', async () => {
  const disk = new MemoryDisk()
  const life = await Life.open({ storage: new MemoryStorage(disk), compression: 'none' })
  const ends: number[] = []
  for (let epoch = 1; epoch <= 5; epoch++) {
    await life.mustCommit([[['n', `${epoch}`]]])
    ends.push(await new MemoryStorage(disk).size(FILE))
  }
  await life.close()
  for (const onDamage of ['refuse', 'fall-back'] as const) {
    for (const readOnly of [true, false]) {
      const storage = new Scratched(await copyOf(disk), (ends[2] as number) + FRAME_HEADER_BYTES + SEAL_BYTES)
      storage.handles = 1
      const open = () =>
        openStore('memory', { ...SETTINGS, readOnly, restore: { at: new Date(1003), onDamage } }, { storage, writer: 'inline' })
      await assert.rejects(open(), { code: 'TIDEMARK_STORAGE', file: FILE, message: /otherwise/ })
      const store = await open()
      assert.equal(store.restored.epoch, 3)
      await store.close()
    }
  }
})

/** Two files of five epochs each, and the newest manifest, which alone names the second one, does not verify. */
async function manifestLost(): Promise<{ disk: MemoryDisk; inFirst: number }> {
  const disk = new MemoryDisk()
  const plain = new MemoryStorage(disk)
  for (const name of ['one', 'two']) {
    const life = await Life.open({ storage: plain, name, compression: 'none' })
    for (let epoch = 1; epoch <= 5; epoch++) await life.mustCommit([[[name, `${epoch}`]]])
    await life.close()
  }
  const { manifest } = await openForReading(plain)
  disk.files.get(manifestName(manifest.number))?.write(100, [Buffer.from('damaged')])
  return { disk, inFirst: LOG_HEADER_BYTES + FRAME_HEADER_BYTES }
}

test('beside a damaged newest manifest, a sector that is not given back once: no file that goes on is passed over', async () => {
  const { disk, inFirst } = await manifestLost()
  const storage = new Scratched(disk, inFirst)
  const facts = { createdBy: 'test', random: pseudoRandom('three') }
  const before = await storage.list('manifest')
  await assert.rejects(openForWriting(storage, facts), { code: 'TIDEMARK_STORAGE', file: FILE })
  assert.deepEqual(await storage.list('manifest'), before)
  storage.at = -1
  const life = await Life.open({ storage, name: 'three' })
  assert.equal(life.epoch, 10)
  await life.close()
})

test('beside a damaged newest manifest, a sector of the only log file: what lies before it can be fallen back to', async () => {
  const { disk, inFirst } = await manifestLost()
  for (const path of [...disk.files.keys()]) if (path.startsWith('log/') && path !== FILE) disk.files.delete(path)
  const storage = new Scratched(disk, inFirst)
  const life = await Life.open({ storage, name: 'three', onDamage: 'fall-back' })
  assert.deepEqual([life.epoch, life.found.report.damage?.file], [0, FILE])
  await life.close()
})
