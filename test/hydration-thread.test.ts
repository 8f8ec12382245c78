/** Blocks of a real store come home by way of the writer's thread. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Settings, Store } from 'tidemark'
import { ByteWriter } from '../src/base/bytes.ts'
import { appendRecord, openCompress, RecordCursor, segmentName } from '../src/format/index.ts'
import { openStore } from '../src/open.ts'
import { type BlocksWanted, type RawBlocks, Segment, SegmentWriter } from '../src/segment/index.ts'
import { FileStorage } from '../src/storage/index.ts'
import { ThreadHost } from '../src/writer/index.ts'
import { Life } from './support/log-store.ts'
import { temporaryFolder } from './temporary.ts'

const COUNT = 400
const digest = (text: string): string => createHash('sha512').update(text).digest('base64')
/** So that all of them are worth the way. */
const contentOf = (at: number): object => ({ at, text: Array.from({ length: 6 }, (_, part) => digest(`${at} ${part}`)).join('') })

/** Folds what is little, into segments of the usual size. */
const opened = (directory: string, settings: Settings = {}): Promise<Store> =>
  openStore(directory, settings, { thresholds: { bytes: 3000, records: 100, paced: false } })

/** All of it in segments. */
async function stored(directory: string): Promise<void> {
  const store = await opened(directory, { checkpoint: { intervalMs: 0 } })
  for (let at = 0; at < COUNT; at++) store.map('map').set(`key ${at}`, contentOf(at))
  await store.checkpoint()
  for (let look = 0; store.stats().upkeep.foldedEpoch < 1; look++) {
    assert.ok(look < 3000, 'nothing is folded')
    await setTimeout(20)
  }
  await store.close()
}

/** What the thread gives to those who ask from now on. */
function noted(t: TestContext): Promise<RawBlocks | undefined>[] {
  const answers: Promise<RawBlocks | undefined>[] = []
  const original = ThreadHost.prototype.unpack
  t.mock.method(ThreadHost.prototype, 'unpack', function (this: ThreadHost, wanted: BlocksWanted) {
    const answer = original.call(this, wanted)
    answers.push(answer)
    return answer
  })
  return answers
}

test("a restart's blocks are unpacked by the writer's thread", async t => {
  const directory = temporaryFolder(t)
  await stored(directory)
  const answers = noted(t)
  const store = await opened(directory)
  await store.hydrated()
  // On a busy machine it may be done here meanwhile: the thread answers all the same.
  const given = await Promise.all(answers)
  assert.ok(given.length > 0)
  assert.ok(given.every(raw => raw !== undefined && raw.bytes.length === raw.ends.at(-1)))
  for (let at = 0; at < COUNT; at++) assert.deepEqual(store.map('map').get(`key ${at}`), contentOf(at))
  store.map('map').set('after', 1)
  await store.durable()
  await store.close()
})

/** A thread without work, and a block that it can give. */
async function withBlock(t: TestContext): Promise<{ host: ThreadHost; life: Life; wanted: BlocksWanted }> {
  const root = temporaryFolder(t)
  let host: ThreadHost | undefined
  const storage = new FileStorage(root)
  const life = await Life.open({
    storage,
    name: 'unpack',
    host: facts => (host = new ThreadHost({ root, facts: { ...facts, compression: 'none' } })),
  })
  assert.ok(host !== undefined)
  await storage.makeFolder('segment')
  const writer = await SegmentWriter.create({ storage, file: segmentName(1, 1), salt: 7, compress: await openCompress('none') })
  const bytes = new ByteWriter(64)
  appendRecord(bytes, 1, Buffer.from('key'), Buffer.from('value'))
  const cursor = new RecordCursor(bytes.view())
  assert.ok(cursor.next())
  const { keyStart, keyEnd, valueStart: start, valueEnd: end } = cursor
  writer.add({ collection: 1, put: true, bytes: bytes.view(), keyStart, keyEnd, start, end })
  const segment = await Segment.open(storage, await writer.finish({ from: 1, through: 2 }, async () => {}))
  const wanted = segment.wanted([0])
  await segment.close()
  assert.deepEqual((await host.unpack(wanted))?.ends.length, 1)
  return { host, life, wanted }
}

test('what the thread cannot give, and what it is asked for when it has ended, is no value and no error', async t => {
  const { host, life, wanted } = await withBlock(t)
  assert.equal(await host.unpack({ ...wanted, file: segmentName(1, 2) }), undefined)
  const underWay = host.unpack(wanted)
  await life.close()
  await underWay
  assert.equal(await host.unpack(wanted), undefined)
})

test('a thread that is lost while blocks are with it gives nothing', async t => {
  const { host, wanted } = await withBlock(t)
  const underWay = host.unpack(wanted)
  host.terminate()
  assert.equal(await underWay, undefined)
})

test('a process that waits for all to be home lives until it is, and one that does not may end', async t => {
  const directory = temporaryFolder(t)
  await stored(directory)
  const opens = fileURLToPath(new URL('../src/open.js', import.meta.url))
  const run = (rest: string): string =>
    execFileSync(
      process.execPath,
      [
        '--input-type=module',
        '-e',
        `const { openStore } = await import(${JSON.stringify(opens)})
         const store = await openStore(${JSON.stringify(directory)}, { checkpoint: { intervalMs: 0 }, lock: 'none' })
         ${rest}`,
      ],
      { encoding: 'utf8', timeout: 60_000 },
    )
  assert.equal(run("await store.hydrated(); console.log('home')"), 'home\n')
  assert.equal(run("process.on('exit', () => console.log('ended'))"), 'ended\n')
})
