/** What a fold takes of the log: whole epochs, in parts where they are larger than a table, and every id that was given. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ByteWriter } from '../src/base/bytes.ts'
import { FOLD_TABLE_BYTES } from '../src/base/limits.ts'
import { systemRandom } from '../src/base/random.ts'
import { foldLog } from '../src/fold/fold.ts'
import type { TailSize } from '../src/fold/tail.ts'
import { appendRecord, type FoldPoint, openCompress, SEGMENT_FOLDER, type SegmentEntry, segmentName } from '../src/format/index.ts'
import type { Rhythm } from '../src/pace/index.ts'
import { openForReading } from '../src/restore/index.ts'
import { Segment } from '../src/segment/index.ts'
import { MemoryStorage } from '../src/storage/index.ts'
import type { CommitMessage } from '../src/writer/contract.ts'
import { type Block, blockBytes, catalogue, Life } from './support/log-store.ts'

const rhythm = { due: false, spent: true, done() {}, wrote() {}, stepped() {}, remains() {}, rest: async () => {} } as unknown as Rhythm

class Folds {
  readonly storage = new MemoryStorage()
  life!: Life
  /** What the next commits say instead. */
  change: Partial<CommitMessage> = {}
  /** The fold point before. */
  from: FoldPoint | null = null
  /** Names that are given. */
  names = 0
  namesMax = Number.POSITIVE_INFINITY

  async begin(): Promise<this> {
    this.life = await Life.open({ storage: this.storage, compression: 'none' })
    await this.storage.makeFolder(SEGMENT_FOLDER)
    const { host } = this.life
    const post = host.post.bind(host)
    host.post = message => post(message.type === 'commit' ? { ...message, ...this.change } : message)
    return this
  }

  async commit(...blocks: Block[]): Promise<void> {
    await this.life.mustCommit(blocks)
  }

  async fold(enough?: TailSize) {
    const { storage } = this
    const { manifest } = await openForReading(storage)
    const end = this.life.messages.flatMap(message => (message.type === 'committed' ? [message.position] : [])).at(-1)
    assert.ok(end)
    const newFile = (): string => {
      if (this.names >= this.namesMax) throw new Error('no name')
      return segmentName(1, ++this.names)
    }
    const folded = await foldLog(
      { storage, random: systemRandom, compress: await openCompress('none'), newFile },
      { ...manifest, fold: this.from },
      end,
      rhythm,
      enough,
    )
    assert.ok(folded)
    return folded
  }

  /** Keys with the first characters of their values; undefined: a tombstone. */
  async held(entry: SegmentEntry | undefined): Promise<[string, string | undefined][]> {
    assert.ok(entry)
    const segment = await Segment.open(this.storage, entry)
    const found: [string, string | undefined][] = []
    const cursor = segment.cursor()
    while (cursor.next()) {
      const { bytes, keyStart, keyEnd, put, start } = cursor
      found.push([bytes.toString('latin1', keyStart, keyEnd), put ? bytes.toString('latin1', start, start + 3) : undefined])
    }
    await segment.close()
    return found
  }
}

const large = 'x'.repeat(FOLD_TABLE_BYTES / 2 + 1000)

test('an epoch larger than a table is folded in parts, newest first, and the fold ends behind it', async () => {
  const folds = await new Folds().begin()
  await folds.commit([['b', large]], [['k', large]], [['k', 'new']], [['b', undefined]])
  await folds.commit([['k', 'of another epoch']])
  const { point, segments, size } = await folds.fold()
  assert.equal(point.epoch, 1)
  assert.equal(size.records, 4)
  assert.deepEqual(
    segments.map(({ from, through }) => [from, through]),
    [
      [0, 1],
      [0, 1],
    ],
  )
  assert.deepEqual(await folds.held(segments[0]), [
    ['b', undefined],
    ['k', 'new'],
  ])
  assert.deepEqual(await folds.held(segments[1]), [
    ['b', 'xxx'],
    ['k', 'xxx'],
  ])
})

test('a fold that fails between two parts leaves none of them', async () => {
  const folds = await new Folds().begin()
  await folds.commit([['b', large]], [['k', large]], [['k', 'new']])
  folds.namesMax = 1
  await assert.rejects(folds.fold(), { message: 'no name' })
  assert.equal(folds.names, 1)
  assert.deepEqual(await folds.storage.list(SEGMENT_FOLDER), [])
})

test('a fold takes epochs until they are enough by every measure', async () => {
  const folds = await new Folds().begin()
  for (let epoch = 1; epoch <= 4; epoch++) await folds.commit([[`k${epoch}`, 'value']])
  assert.equal((await folds.fold()).point.epoch, 4)
  const least = { rawBytes: 1, records: 1, logBytes: 1 }
  const { point, size } = await folds.fold(least)
  assert.equal(point.epoch, 1)
  for (const name of ['rawBytes', 'records', 'logBytes'] as const) {
    const more = await folds.fold({ ...least, [name]: size[name] + 1 })
    assert.deepEqual([more.point.epoch, more.size.records], [2, 2], name)
  }
})

test('a fold point is above every id that a catalogue or a record has, and says what was refused', async () => {
  const folds = await new Folds().begin()
  const [one] = catalogue()
  assert.ok(one)
  await folds.commit([['k', 'value']])
  assert.deepEqual((await folds.fold()).point.nextId, 2)
  // Known to the catalogue alone, then gone again.
  folds.change = { catalogue: [one, { ...one, id: 7, name: 'empty' }], refused: 3 }
  await folds.commit([['k', 'value']])
  const { nextId, refused } = (await folds.fold()).point
  assert.deepEqual([nextId, refused], [8, 3])
  // Begun and gone in one epoch: a record alone tells.
  const writer = new ByteWriter(64)
  appendRecord(writer, 9, Buffer.from('gone'), Buffer.from('value'))
  folds.change = { bytes: Buffer.concat([writer.view(), blockBytes([['k', 'last']])]), records: 2 }
  await folds.commit([['k', 'last']])
  folds.change = {}
  const { point, segments } = await folds.fold()
  assert.deepEqual([point.nextId, point.refused], [10, undefined])
  assert.deepEqual(await folds.held(segments[0]), [['k', 'las']])
  // In a part that was written before the last one, too.
  const long = new ByteWriter(64)
  appendRecord(long, 20, Buffer.from('gone'), Buffer.from(large))
  appendRecord(long, 1, Buffer.from('k'), Buffer.from(large))
  const { host, attempt } = folds.life
  host.post({ type: 'batch', attempt, bytes: Buffer.from(long.view()), records: 2 })
  await folds.commit([['k', 'end']])
  const parts = await folds.fold()
  assert.deepEqual([parts.point.epoch, parts.point.nextId, parts.segments.length], [4, 21, 2])
  // What was given before the last fold point is in that alone.
  folds.from = { ...parts.point, nextId: 50 }
  await folds.commit([['k', 'behind']])
  const behind = await folds.fold()
  assert.deepEqual([behind.point.nextId, behind.segments.map(({ from, through }) => [from, through])], [50, [[4, 5]]])
})
