/** Stores written by released formats stay readable for ever: `test/golden/<version>` with the account of what each holds. */
import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { inspect } from 'node:util'
import type { Key } from '../src/codec/index.ts'
import { hashPlace, SEGMENT_FOLDER, type SegmentEntry } from '../src/format/index.ts'
import { openStore } from '../src/open.ts'
import { openForReading } from '../src/restore/index.ts'
import { Segment, verifySegment } from '../src/segment/index.ts'
import { FileStorage, MemoryStorage } from '../src/storage/index.ts'
import type { Store } from '../src/store.ts'
import { root } from './root.ts'
import { filesOf } from './support/files.ts'
import { accountOf, writeGolden } from './support/golden.ts'
import { accountOfSegment, accountOfStore, placesAsked, SEGMENT_COMPRESSIONS, writeGoldenSegment } from './support/golden-folded.ts'
import { Life } from './support/log-store.ts'

const golden = join(root, 'test', 'golden')
const versions = readdirSync(golden).filter(name => /^v\d+$/.test(name))

test('there is a golden store of every format version', () => {
  assert.deepEqual(versions, ['v1', 'v2'])
})

// In v1 the log is the store, so it is read as one.
for (const version of ['v1']) {
  const store = join(golden, version, 'store')
  const expected: unknown = JSON.parse(readFileSync(join(golden, version, 'expected.json'), 'utf8'))

  test(`the golden store ${version} reads as it was written`, async () => {
    assert.deepEqual(await accountOf(new FileStorage(store)), expected)
  })

  test(`a store of format ${version} is taken over and goes on`, async () => {
    const copy = mkdtempSync(join(tmpdir(), 'tidemark-golden-'))
    try {
      cpSync(store, copy, { recursive: true })
      const storage = new FileStorage(copy)
      const before = (await accountOf(storage)) as { epochs: unknown[] }
      const writer = await Life.open({ storage, name: 'after' })
      await writer.mustCommit([])
      await writer.close()
      const after = (await accountOf(storage)) as { epochs: unknown[] }
      assert.deepEqual(after.epochs.slice(0, -1), before.epochs)
    } finally {
      rmSync(copy, { recursive: true, force: true })
    }
  })
}

test('a store of format v1 opens with all it holds, is written on, and is of format 2 then', async () => {
  const copy = mkdtempSync(join(tmpdir(), 'tidemark-golden-'))
  try {
    cpSync(join(golden, 'v1', 'store'), copy, { recursive: true })
    const { epochs } = JSON.parse(readFileSync(join(golden, 'v1', 'expected.json'), 'utf8')) as { epochs: readonly GoldenEpoch[] }
    const content = foldedContent(epochs)
    assert.equal((await openForReading(new FileStorage(copy))).manifest.format, 1)
    const store = await openStore(copy, {}, { writer: 'inline' })
    assert.equal(store.restored.epoch, epochs.at(-1)?.commit.epoch)
    assert.deepEqual(contentOf(store), content)
    store.map<unknown, string>('things').set('after', 1)
    await store.close()
    content['things'] = { ...content['things'], "'after'": '1' }
    const again = await openStore(copy, {}, { writer: 'inline' })
    assert.deepEqual(contentOf(again), content)
    await again.close()
    assert.equal((await openForReading(new FileStorage(copy))).manifest.format, 2)
  } finally {
    rmSync(copy, { recursive: true, force: true })
  }
})

interface GoldenEpoch {
  readonly commit: { readonly epoch: number; readonly catalogue: readonly { readonly id: number; readonly name: string }[] }
  readonly records: readonly { readonly collection: number; readonly key: string; readonly value: string | null }[]
}

type Content = Record<string, Record<string, string>>

/** What the epochs of a log come to, by name of the collection, keys and values as they are shown. */
function foldedContent(epochs: readonly GoldenEpoch[]): Content {
  const content: Content = {}
  for (const { commit, records } of epochs) {
    const names = new Map(commit.catalogue.map(({ id, name }) => [id, name]))
    for (const { collection, key, value } of records) {
      const entries = (content[names.get(collection) as string] ??= {})
      if (value === null) delete entries[key]
      else entries[key] = value
    }
  }
  return content
}

/** The same of a store that is open. */
function contentOf(store: Store): Content {
  const shown = (value: unknown): string => inspect(value, { depth: 9 })
  const things = [...store.map<unknown, Key>('things')].map(([key, value]) => [inspect(key), shown(value)])
  return { things: Object.fromEntries(things), 'counter ü': { "'value'": shown(store.value('counter ü').get()) } }
}

test('today the same life is written in the same bytes, but for what compression makes of it', async () => {
  const storage = new MemoryStorage()
  await writeGolden(storage)
  const today = await filesOf(storage)
  const then = await filesOf(new FileStorage(join(golden, 'v1', 'store')))
  assert.deepEqual([...today.keys()], [...then.keys()])
  const uncompressed = 'log/00000001-00000001.log'
  assert.ok(today.get(uncompressed)?.equals(then.get(uncompressed) as Buffer))
})

const folded = join(golden, 'v2', 'store')
const content = JSON.parse(readFileSync(join(golden, 'v2', 'expected.json'), 'utf8')) as { epoch: number; entries: number }

test('the golden store v2 has young segments, a base of several ranges, a tail and kept points', async () => {
  const { manifest } = await openForReading(new FileStorage(folded))
  assert.equal(manifest.format, 2)
  assert.ok(manifest.young.length > 0 && manifest.base.length > 1 && manifest.retained.length > 0)
  assert.ok((manifest.fold?.epoch ?? 0) < content.epoch)
  const storage = new FileStorage(folded)
  for (const entry of [...manifest.young, ...manifest.base.flatMap(range => range.segment ?? [])])
    await verifySegment(storage, entry, () => {})
})

for (const hydrate of ['eager', 'background', 'on-demand'] as const) {
  test(`the golden store v2 opens with what it was closed with, ${hydrate}`, async () => {
    const store = await openStore(folded, { readOnly: true, restore: { hydrate } })
    try {
      assert.deepEqual(await accountOfStore(store), content)
    } finally {
      await store.close()
    }
  })
}

test('the golden store v2 is taken over and goes on', async () => {
  const copy = mkdtempSync(join(tmpdir(), 'tidemark-golden-'))
  try {
    cpSync(folded, copy, { recursive: true })
    const store = await openStore(copy, {}, { writer: 'inline' })
    assert.equal(store.restored.entries, content.entries)
    store.map<unknown, string>('things').set('after', 1)
    await store.close()
    const again = await openStore(copy, { readOnly: true })
    assert.equal(again.restored.entries, content.entries + 1)
    assert.equal(again.map<unknown, string>('things').get('after'), 1)
    await again.close()
  } finally {
    rmSync(copy, { recursive: true, force: true })
  }
})

const segments = new FileStorage(join(golden, 'v2', 'segments'))
const accounts = JSON.parse(readFileSync(join(golden, 'v2', 'segments.json'), 'utf8')) as { entry: SegmentEntry; account: object }[]

for (const [index, { entry, account }] of accounts.entries()) {
  const compression = SEGMENT_COMPRESSIONS[index]

  test(`the golden segment, compression ${compression}, reads and answers as it was written`, async () => {
    await verifySegment(segments, entry, () => {})
    assert.deepEqual(await accountOfSegment(segments, entry), account)
    const segment = await Segment.open(segments, entry)
    for (const { record, written } of placesAsked()) {
      const { collection, put, bytes, keyStart, keyEnd, start, end } = record
      const key = bytes.subarray(keyStart, keyEnd)
      const found = segment.find(collection, key, hashPlace(collection, key))
      assert.equal(found?.put, written ? put : undefined)
      if (found?.put) assert.ok(found.bytes.subarray(found.start, found.end).equals(bytes.subarray(start, end)))
    }
    await segment.close()
  })

  test(`today the golden segment, compression ${compression}, is written with the same content${index === 0 ? ' in the same bytes' : ''}`, async () => {
    const storage = new MemoryStorage()
    await storage.makeFolder(SEGMENT_FOLDER)
    const today = await writeGoldenSegment(storage, index)
    assert.deepEqual(await accountOfSegment(storage, today), account)
    if (compression !== 'none') return
    assert.deepEqual(today, entry)
    const files = await filesOf(storage)
    assert.ok(files.get(entry.file)?.equals(readFileSync(join(golden, 'v2', 'segments', entry.file))))
  })
}
