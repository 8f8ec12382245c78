/** Reading a log from a place in it: what a restart does behind a fold point. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TidemarkError } from '../../src/base/errors.ts'
import { LOG_HEADER_BYTES, type LogPosition } from '../../src/format/index.ts'
import { LogScan } from '../../src/log/index.ts'
import { MemoryDisk, MemoryStorage, type Storage } from '../../src/storage/index.ts'
import { filesOf, storageOf } from '../support/files.ts'
import { type Block, Life, readAll } from '../support/log-store.ts'

interface Made {
  readonly storage: Storage
  readonly ends: readonly LogPosition[]
}

/** Three lives of five epochs, some of them alone in their file. */
async function make(): Promise<Made> {
  const disk = new MemoryDisk()
  for (let life = 0; life < 3; life++) {
    const writer = await Life.open({ storage: new MemoryStorage(disk), name: `life ${life}`, ...(life === 1 ? { fileBytesMax: 1 } : {}) })
    for (let epoch = 0; epoch < 5; epoch++) {
      const blocks: Block[] = [[[`k${epoch}`, `${life} ${epoch}`]], [['both', 'x'.repeat(epoch * 30)]]]
      await writer.mustCommit(blocks.slice(epoch % 2))
    }
    await writer.close()
  }
  const storage = new MemoryStorage(disk)
  const { opened } = await readAll(storage)
  const scan = new LogScan({ storage, storeId: opened.manifest.storeId, log: opened.manifest.log })
  const ends: LogPosition[] = []
  for await (const item of scan) if (item.type === 'commit') ends.push(item.position)
  return { storage, ends }
}

test('a scan from behind any epoch gives the epochs that follow it, and the same end', async () => {
  const { storage, ends } = await make()
  const whole = await readAll(storage)
  assert.equal(ends.length, 15)
  assert.ok(new Set(ends.map(end => end.file)).size > 4, 'several files')
  for (const [index, from] of ends.entries()) {
    const { epochs, report } = await readAll(storage, { from })
    assert.deepEqual(epochs, whole.epochs.slice(index + 1), `from epoch ${from.epoch}`)
    assert.deepEqual(report.end, whole.report.end)
    assert.equal(report.commits, epochs.length)
    const until = ends[Math.min(index + 2, ends.length - 1)] as LogPosition
    const some = await readAll(storage, { from, until: { epoch: until.epoch } })
    assert.deepEqual(some.report.end, until)
  }
})

test('files before the one it begins in are not looked at', async () => {
  const { storage, ends } = await make()
  const from = ends.at(-2) as LogPosition
  const files = await filesOf(storage)
  for (const path of files.keys()) if (path.startsWith('log/') && path !== from.file) files.delete(path)
  const { epochs } = await readAll(await storageOf(files), { from })
  assert.deepEqual(
    epochs.map(({ epoch }) => epoch),
    [ends.at(-1)?.epoch],
  )
})

test('a place that is not the end of an epoch of this log is refused', async () => {
  const { storage, ends } = await make()
  const from = ends[1] as LogPosition
  const wrong: LogPosition[] = [
    { ...from, digest: '11'.repeat(32) },
    { ...from, bytes: from.bytes - 1 },
    { ...from, bytes: from.bytes + 1 },
    { ...from, bytes: 10_000_000 },
    { ...from, epoch: from.epoch + 1 },
  ]
  for (const one of wrong) await assert.rejects(readAll(storage, { from: one }), { code: 'TIDEMARK_LOG_DAMAGED' }, JSON.stringify(one))
})

test('an open file that lost bytes before the place is damage, not an end', async () => {
  const { storage, ends } = await make()
  const from = ends.at(-1) as LogPosition
  const files = await filesOf(storage)
  files.set(from.file as string, (files.get(from.file as string) as Buffer).subarray(0, from.bytes - 1))
  await assert.rejects(readAll(await storageOf(files), { from }), { code: 'TIDEMARK_LOG_DAMAGED' })
})

test('a file that ends at the place is not needed: it may be missing or damaged', async () => {
  const { storage, ends } = await make()
  const { opened } = await readAll(storage)
  const { storeId, log } = opened.manifest
  const files = await filesOf(storage)
  const closed = log.filter(entry => entry.end !== null)
  assert.ok(closed.length > 3)
  for (const { file, end } of closed) {
    const from = ends.find(one => one.file === file && one.bytes === end?.bytes) as LogPosition
    const left = await readAll(storage, { from })
    for (const damaged of [undefined, Buffer.alloc(2000), (files.get(file) as Buffer).subarray(0, from.bytes - 1)]) {
      const others = new Map([...files].filter(([path]) => path !== file))
      if (damaged !== undefined) others.set(file, damaged)
      const { epochs, report } = await readAll(await storageOf(others), { from })
      assert.deepEqual(epochs, left.epochs)
      assert.equal(report.damage, null)
      assert.deepEqual(report.end, left.report.end)
      // Where the log ends with it, so does the scan.
      const alone = new LogScan({
        storage: await storageOf(others),
        storeId,
        log: log.slice(0, log.findIndex(one => one.file === file) + 1),
        from,
      })
      assert.deepEqual((await alone.run()).end, from)
      for (const wrong of [
        { ...from, digest: '11'.repeat(32) },
        { ...from, epoch: from.epoch - 1 },
      ]) {
        await assert.rejects(readAll(await storageOf(others), { from: wrong }), { code: 'TIDEMARK_LOG_DAMAGED' })
      }
    }
  }
})

test('where what leads to an epoch that is asked for is damaged or missing, nobody is told to give up what lies behind that epoch', async () => {
  const { storage, ends } = await make()
  const files = await filesOf(storage)
  const path = ends[3]?.file as string
  const bytes = Buffer.from(files.get(path) as Buffer)
  bytes.fill(0, (ends[2]?.bytes as number) + 100, ends[3]?.bytes)
  const damaged = await storageOf(new Map(files).set(path, bytes))
  const missing = await storageOf(new Map([...files].filter(([name]) => name !== path)))
  for (const [found, first, hint] of [
    [damaged, 4, /^epochs 4 to 7 cannot be read, and so epoch 7 cannot be restored: .*recoveryPoints/],
    [missing, 1, /^put the file back.*only where it is lost epoch 7 cannot be restored: .*recoveryPoints/],
  ] as const) {
    await assert.rejects(readAll(found, { until: { epoch: 7 } }), (error: TidemarkError) => {
      assert.deepEqual([error.code, error.info?.['firstLostEpoch'], error.info?.['lastSeenEpoch']], ['TIDEMARK_LOG_DAMAGED', first, 7])
      assert.match(error.hint ?? '', hint)
      assert.doesNotMatch(error.hint ?? '', /fall-back/)
      return true
    })
    const { report } = await readAll(found, { until: { epoch: 7 }, onDamage: 'fall-back' })
    assert.deepEqual([report.damage?.firstLostEpoch, report.damage?.lastSeenEpoch], [first, 15])
  }
})

test('an open file that ends before a place that is known is damage; from there on, at a torn echo, or asked for less, nothing is otherwise', async () => {
  const { storage, ends } = await make()
  const { file } = ends.at(-1) as LogPosition
  const files = await filesOf(storage)
  const whole = files.get(file as string) as Buffer
  const own = ends.filter(end => end.file === file)
  assert.equal(own.length, 5)
  const from = ends.at(-6) as LogPosition
  for (let length = LOG_HEADER_BYTES; length <= whole.length; length += 97) {
    const cut = await storageOf(new Map(files).set(file as string, whole.subarray(0, length)))
    const plain = await readAll(cut, { from })
    // What a reader took for the end may be folded.
    for (const known of [plain.report.end, ...own, { ...(own[0] as LogPosition), file: 'log/other' }, null]) {
      const { report, epochs } = await readAll(cut, { from, known, onDamage: 'fall-back' })
      if (known?.file === file && known.bytes > length) {
        const { firstLostEpoch, lastSeenEpoch } = report.damage ?? {}
        assert.deepEqual([firstLostEpoch, lastSeenEpoch], [plain.report.end.epoch + 1, Math.max(known.epoch, plain.report.end.epoch + 1)])
        assert.deepEqual([epochs, report.end, report.torn], [plain.epochs, plain.report.end, null])
        const { epoch } = plain.report.end
        const asked = await readAll(cut, { from, known, until: { epoch } })
        assert.deepEqual([asked.epochs, asked.report.damage], [plain.epochs, null])
      } else assert.deepEqual([epochs, report], [plain.epochs, plain.report])
    }
  }
})
