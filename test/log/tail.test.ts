/** The tail of the log as a table: it must say of every collection what replaying the log into Maps says. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { compareKeys, decodeKey, type Key, tideCodec } from '../../src/codec/index.ts'
import { ColdCollection, ColdState } from '../../src/cold/index.ts'
import { type CatalogueEntry, EMPTY_BASE, type FoldPoint, type LogEntry, RECORD_PUT, RecordCursor } from '../../src/format/index.ts'
import { Image } from '../../src/image/index.ts'
import { LogScan } from '../../src/log/index.ts'
import { openStore } from '../../src/open.ts'
import { openForReading, readTail, type Tail } from '../../src/restore/index.ts'
import { MemoryDisk, MemoryStorage } from '../../src/storage/index.ts'

type Step =
  | { readonly type: 'set'; readonly name: string; readonly key: Key; readonly value: number }
  | { readonly type: 'remove'; readonly name: string; readonly key: Key }
  | { readonly type: 'clear' | 'drop'; readonly name: string }
  | { readonly type: 'checkpoint' | 'restart' }

const name = fc.constantFrom('a', 'b', 'c')
const key = fc.oneof(fc.integer({ min: 0, max: 5 }), fc.constantFrom<Key>('x', 'y', 7n))
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 12, arbitrary: fc.record({ type: fc.constant('set'), name, key, value: fc.nat(99) }) as fc.Arbitrary<Step> },
  { weight: 5, arbitrary: fc.record({ type: fc.constant('remove'), name, key }) as fc.Arbitrary<Step> },
  { weight: 1, arbitrary: fc.record({ type: fc.constantFrom('clear', 'drop'), name }) as fc.Arbitrary<Step> },
  { weight: 5, arbitrary: fc.record({ type: fc.constantFrom('checkpoint', 'restart') }) as fc.Arbitrary<Step> },
)

/** A store that lived through the steps. */
async function live(steps: readonly Step[], compression: 'none' | 'deflate'): Promise<MemoryDisk> {
  const disk = new MemoryDisk()
  const begin = () =>
    openStore('memory', { checkpoint: { intervalMs: 0 }, compression }, { storage: new MemoryStorage(disk), writer: 'inline' })
  let store = await begin()
  for (const one of steps) {
    if (one.type === 'set') store.map<number>(one.name).set(one.key as string, one.value)
    else if (one.type === 'remove') store.map(one.name).delete(one.key as string)
    else if (one.type === 'clear') store.map(one.name).clear()
    else if (one.type === 'drop') store.delete(one.name)
    else if (one.type === 'checkpoint') await store.checkpoint()
    else {
      await store.close()
      store = await begin()
    }
  }
  await store.close()
  return disk
}

const never = (): undefined => undefined

/** The log, record by record, into Maps. */
async function replay(storage: MemoryStorage, storeId: string, log: readonly LogEntry[]) {
  const scan = new LogScan({ storage, storeId, log })
  const maps = new Map<number, Map<Key, unknown>>()
  let catalogue: readonly CatalogueEntry[] = []
  let nextId = 1
  for await (const item of scan) {
    // A collection may be in the catalogue of an epoch that has no record, and gone with the next.
    for (const { id } of item.commit.catalogue) nextId = Math.max(nextId, id + 1)
    if (item.type === 'commit') {
      catalogue = item.commit.catalogue
      continue
    }
    const cursor = new RecordCursor(item.bytes)
    while (cursor.next()) {
      const { collection, kind, keyStart, keyEnd, valueStart, valueEnd } = cursor
      const map = maps.get(collection) ?? new Map<Key, unknown>()
      maps.set(collection, map)
      nextId = Math.max(nextId, collection + 1)
      const key = decodeKey(item.bytes, keyStart, keyEnd)
      if (kind === RECORD_PUT) map.set(key, tideCodec.decode(item.bytes, valueStart, valueEnd))
      else map.delete(key)
    }
  }
  const collections = catalogue
    .toSorted((a, b) => a.id - b.id)
    .map(({ id, name }) => {
      const found = [...(maps.get(id) ?? new Map<Key, unknown>())].sort(([a], [b]) => compareKeys(a, b))
      return { id, name, entries: found.length, found }
    })
  return { collections, nextId, end: scan.report.end }
}

/** Of each collection: id, entries as the catalogue says, entries in order. */
function contentOf({ table, catalogue }: Tail): unknown[] {
  const base = EMPTY_BASE.map(({ start, through }) => ({ start, through, layer: null }))
  const state = new ColdState({ image: new Image({ tables: [table], young: [], base }), segments: [] }, () => 0)
  return catalogue.map(({ id, name, entries }) => {
    const found: [Key, unknown][] = []
    const cursor = new ColdCollection(state, id, tideCodec).keys()
    for (let one = cursor.next(); one !== undefined; one = cursor.next()) found.push([one, cursor.read()])
    return { id, name, entries, found }
  })
}

for (const slackBytes of [undefined, 0]) {
  test(`the tail says what a replay says${slackBytes === 0 ? ', packed at every epoch' : ''}`, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 60 }),
        fc.constantFrom('none' as const, 'deflate' as const),
        async (steps, compression) => {
          const storage = new MemoryStorage(await live(steps, compression))
          const opened = await openForReading(storage)
          const { storeId, log } = opened.manifest
          const replayed = await replay(storage, storeId, log)
          const tail = await readTail({ storage, storeId, log, fold: null, onDamage: 'refuse', pause: never }, slackBytes)
          assert.deepEqual(contentOf(tail), replayed.collections)
          assert.equal(tail.nextId, replayed.nextId)
          assert.deepEqual(tail.report.end, replayed.end)
          assert.equal(tail.epoch, replayed.end.epoch)
        },
      ),
      { numRuns: 60, examples: [[[{ type: 'remove', name: 'a', key: 'x' }, { type: 'checkpoint' }, { type: 'drop', name: 'a' }], 'none']] },
    )
  })
}

test('behind a fold point only what follows it is read; tombstones stay, and so does what the fold point says', async () => {
  const set = (key: Key, value: number): Step => ({ type: 'set', name: 'a', key, value })
  const disk = await live([set(1, 1), set(2, 2), { type: 'checkpoint' }, { type: 'remove', name: 'a', key: 1 }, set(3, 3)], 'deflate')
  const storage = new MemoryStorage(disk)
  const { manifest } = await openForReading(storage)
  const { storeId, log } = manifest
  const scan = new LogScan({ storage, storeId, log })
  const folds: FoldPoint[] = []
  for await (const item of scan) {
    if (item.type === 'commit') folds.push({ ...item.position, timeMs: item.commit.timeMs, nextId: 50, catalogue: item.commit.catalogue })
  }
  const [first, second] = folds as [FoldPoint, FoldPoint]
  assert.equal(folds.length, 2)
  for (const slackBytes of [undefined, 0]) {
    const tail = await readTail({ storage, storeId, log, fold: first, onDamage: 'refuse', pause: never }, slackBytes)
    assert.equal(tail.records, 2)
    assert.equal(tail.table.records, 2)
    const puts: boolean[] = []
    for (const cursor = tail.table.cursor(); cursor.next(); ) puts.push(cursor.put)
    assert.deepEqual(puts, [false, true])
    assert.deepEqual(
      tail.catalogue.map(({ name, entries }) => [name, entries]),
      [['a', 2]],
    )
    assert.equal(tail.nextId, 50)
    const none = await readTail({ storage, storeId, log, fold: second, onDamage: 'refuse', pause: never }, slackBytes)
    assert.equal(none.records, 0)
    assert.equal(none.table.records, 0)
    assert.deepEqual([none.epoch, none.timeMs, none.catalogue], [second.epoch, second.timeMs, second.catalogue])
  }
})

test('a key that is written again and again takes no more memory than a few times what counts', async () => {
  const storage = new MemoryStorage()
  const store = await openStore('memory', { checkpoint: { intervalMs: 0 } }, { storage, writer: 'inline' })
  const map = store.map<Uint8Array>('map')
  for (let epoch = 0; epoch < 60; epoch++) {
    map.set('key', Buffer.alloc(10_000, epoch))
    await store.checkpoint()
  }
  await store.close()
  const { manifest } = await openForReading(storage)
  const { table, rawBytes } = await readTail(
    { storage, storeId: manifest.storeId, log: manifest.log, fold: null, onDamage: 'refuse', pause: never },
    50_000,
  )
  assert.equal(table.records, 1)
  assert.ok(table.rawBytes < 100_000, `${table.rawBytes} bytes`)
  // What is to be folded, and what is said where that is late, is the whole of it.
  assert.ok(rawBytes > 600_000, `${rawBytes} bytes`)
})
