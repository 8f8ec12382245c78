/** The writer of segments on a disk that fails, at every call it makes: a typed error, no file left, and the next attempt works. */
import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { hasCode, STOPPED } from '../base/errors.ts'
import { type Compress, openCompress, SEGMENT_FOLDER, type SegmentEntry, segmentName } from '../format/index.ts'
import { isErrno } from '../storage/index.ts'
import { type Fault, SimulatedStorage } from '../testing/index.ts'
import type { SegmentRecord } from './block-builder.ts'
import { SegmentWriter } from './segment-writer.ts'
import { verifySegment } from './verify.ts'

const COUNT = 900
const VALUE_BYTES = 2000
const FLUSH_BYTES = 256 * 1024

let compress: Compress
before(async () => {
  compress = await openCompress('none')
})

function* records(): Generator<SegmentRecord> {
  for (let at = 0; at < COUNT; at++) {
    const bytes = Buffer.alloc(5 + VALUE_BYTES, at)
    bytes.write(String(10_000 + at))
    yield { collection: 1, put: true, bytes, keyStart: 0, keyEnd: 5, start: 5, end: bytes.length }
  }
}

async function newStorage(capacityBytes?: number): Promise<SimulatedStorage> {
  const storage = new SimulatedStorage({ seed: 3, ...(capacityBytes === undefined ? {} : { capacityBytes }) })
  await storage.makeFolder(SEGMENT_FOLDER)
  await storage.syncFolder('')
  return storage
}

/** As whoever folds and merges does it. */
async function attempt(storage: SimulatedStorage, sequence: number, breathe = async (): Promise<void> => {}): Promise<SegmentEntry> {
  const writer = await SegmentWriter.create({ storage, file: segmentName(1, sequence), salt: sequence, compress })
  try {
    for (const record of records()) {
      writer.add(record)
      if (writer.pendingBytes >= FLUSH_BYTES) await writer.flush()
    }
    return await writer.finish({ from: 0, through: 1 }, breathe)
  } catch (error) {
    await writer.abandon()
    throw error
  }
}

async function failsAndGoesOn(storage: SimulatedStorage, what: string, check: (error: unknown) => boolean): Promise<void> {
  await assert.rejects(attempt(storage, 1), check, what)
  storage.heal()
  assert.deepEqual(await storage.list(SEGMENT_FOLDER), [], what)
  // Nothing of the failure stays behind a power cut either, once the folder is synced for the next file.
  const entry = await attempt(storage, 2)
  await verifySegment(storage, entry, () => {})
  const after = storage.crash({ mode: 'lost' })
  assert.deepEqual(await after.list(SEGMENT_FOLDER), [segmentName(1, 2).slice(SEGMENT_FOLDER.length + 1)], what)
  await verifySegment(after, entry, () => {})
}

/** How often each operation is called by an attempt that succeeds. */
async function callsOf(): Promise<Map<string, number>> {
  const storage = await newStorage()
  const before = storage.calls.length
  await attempt(storage, 1)
  const counts = new Map<string, number>()
  for (const { operation } of storage.calls.slice(before)) counts.set(operation, (counts.get(operation) ?? 0) + 1)
  return counts
}

const FAULTS: readonly Omit<Fault, 'nth'>[] = [
  { operation: 'open', errno: 'ENOSPC' },
  { operation: 'open', errno: 'EIO', applied: true },
  { operation: 'append', errno: 'ENOSPC' },
  { operation: 'append', errno: 'EIO', writtenBytes: 100 },
  { operation: 'append', errno: 'EIO', writtenBytes: 'random' },
  { operation: 'sync', errno: 'EIO', data: 'drop' },
  { operation: 'sync', errno: 'ENOSPC', data: 'part' },
  { operation: 'syncFolder', errno: 'EIO' },
  { operation: 'syncFolder', errno: 'EIO', applied: true },
  { operation: 'read', errno: 'EIO' },
  { operation: 'size', errno: 'EIO' },
  { operation: 'close', errno: 'EIO', applied: true },
]

test('whichever call fails, no file is left, the error is typed, and the next attempt works', async () => {
  const calls = await callsOf()
  assert.ok((calls.get('append') ?? 0) > 4 && (calls.get('sync') ?? 0) > 1, JSON.stringify([...calls]))
  for (const fault of FAULTS) {
    const count = calls.get(fault.operation) ?? 0
    assert.ok(count > 0, fault.operation)
    for (const nth of new Set([1, Math.ceil(count / 2), count])) {
      const storage = await newStorage()
      storage.inject({ ...fault, nth })
      const what = `${JSON.stringify(fault)} ${nth} of ${count}`
      await failsAndGoesOn(storage, what, error => hasCode(error, 'TIDEMARK_STORAGE') && isErrno(error, fault.errno))
    }
  }
})

test('a disk that is full in the middle of a file is as if nothing was begun', async () => {
  const { bytes } = await attempt(await newStorage(), 1)
  for (const capacity of [10, FLUSH_BYTES + 1000, bytes - 1]) {
    const storage = await newStorage(capacity)
    const what = `${capacity} bytes`
    await assert.rejects(attempt(storage, 1), error => hasCode(error, 'TIDEMARK_STORAGE') && isErrno(error, 'ENOSPC'), what)
    assert.deepEqual(await storage.list(SEGMENT_FOLDER), [], what)
    assert.equal(storage.openFiles, 0)
    await storage.syncFolder(SEGMENT_FOLDER)
    assert.equal(storage.disk.freeBytes, capacity, what)
  }
})

const WRONG_WRITES: readonly (readonly [what: string, lie: (bytes: Buffer) => Buffer])[] = [
  ['a short write', bytes => bytes.subarray(0, bytes.length - 1)],
  [
    'a write with another byte',
    bytes => {
      const at = bytes.length >> 1
      bytes[at] = (bytes[at] as number) ^ 1
      return bytes
    },
  ],
]

for (const [what, lie] of WRONG_WRITES) {
  test(`a write that says it was whole, and was not, is found before the file has an entry: ${what}`, async () => {
    const storage = await newStorage()
    const open = storage.open.bind(storage)
    let lies = 1
    storage.open = async (path, mode) => {
      const file = await open(path, mode)
      const append = file.append.bind(file)
      file.append = async parts => {
        const bytes = Buffer.concat(parts)
        await append([bytes.length > 1000 && lies-- > 0 ? lie(bytes) : bytes])
      }
      return file
    }
    await failsAndGoesOn(storage, what, error => hasCode(error, 'TIDEMARK_STORAGE'))
  })
}

test('one that is called off at any step of its end says so, and leaves nothing', async () => {
  let steps = 0
  const storage = await newStorage()
  await attempt(storage, 1, async () => void steps++)
  assert.ok(steps > 5)
  for (let stop = 1; stop <= steps; stop++) {
    const called = await newStorage()
    const writer = await SegmentWriter.create({ storage: called, file: segmentName(1, 1), salt: 1, compress })
    for (const record of records()) {
      writer.add(record)
      if (writer.pendingBytes >= FLUSH_BYTES) await writer.flush()
    }
    let step = 0
    let gone: Promise<void> | undefined
    const finish = writer.finish({ from: 0, through: 1 }, async () => {
      if (++step === stop) gone = writer.abandon()
    })
    await assert.rejects(finish, (error: unknown) => error === STOPPED, `step ${stop}`)
    await gone
    assert.deepEqual(await called.list(SEGMENT_FOLDER), [], `step ${stop}`)
    assert.equal(called.openFiles, 0)
  }
})

test('one that is called off during any call of its end says so, and leaves nothing', async () => {
  const calls = [...(await callsOf())].reduce((sum, [, count]) => sum + count, 0)
  let ended = 0
  for (let stop = 1; stop <= calls; stop++) {
    const storage = await newStorage()
    const writer = await SegmentWriter.create({ storage, file: segmentName(1, 1), salt: 1, compress })
    for (const record of records()) {
      writer.add(record)
      if (writer.pendingBytes >= FLUSH_BYTES) await writer.flush()
    }
    const begin = storage.calls.length
    let gone: Promise<void> | undefined
    storage.onCall = () => {
      if (storage.calls.length === begin + stop) gone = writer.abandon()
    }
    const outcome = await writer.finish({ from: 0, through: 1 }, async () => {}).catch((error: unknown) => error)
    if (gone === undefined) {
      ended++
      continue
    }
    await gone
    assert.equal(outcome, STOPPED, `call ${stop}`)
    assert.deepEqual(await storage.list(SEGMENT_FOLDER), [], `call ${stop}`)
  }
  assert.ok(ended > 0 && ended < calls - 5, `${ended} of ${calls}`)
})
