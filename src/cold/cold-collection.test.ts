import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ByteWriter } from '../base/bytes.ts'
import { Histogram } from '../base/histogram.ts'
import { ABSENT, type ColdCursor, Collection, Space } from '../capture/index.ts'
import { compareKeys, type Key, tideCodec, wrapCodec } from '../codec/index.ts'
import { appendPut, appendTombstone, EMPTY_BASE } from '../format/index.ts'
import { Image, RecordTable } from '../image/index.ts'
import { ColdCollection } from './cold-collection.ts'
import { ColdState, type ColdView } from './cold-state.ts'
import { Resident } from './resident.ts'

interface Write {
  readonly collection: number
  readonly key: Key
  /** undefined: deleted. */
  readonly value: number | undefined
}

function view(tables: readonly (readonly Write[])[]): ColdView {
  const layers = tables.map(writes => {
    const writer = new ByteWriter(64)
    for (const { collection, key, value } of writes) {
      if (value === undefined) appendTombstone(writer, collection, key)
      else appendPut(writer, collection, key, value, tideCodec)
    }
    const table = new RecordTable()
    table.add(writer.view())
    return table
  })
  const base = EMPTY_BASE.map(({ start, through }) => ({ start, through, layer: null }))
  return { image: new Image({ tables: layers.toReversed(), young: [], base }), segments: [] }
}

function walk(cursor: ColdCursor): [Key, unknown][] {
  const entries: [Key, unknown][] = []
  for (let key = cursor.next(); key !== undefined; key = cursor.next()) entries.push([key, cursor.read()])
  return entries
}

const key = fc.oneof(
  fc.stringMatching(/^[aé]{0,3}$/),
  fc.integer({ min: -2, max: 2 }),
  fc.constantFrom<Key>(Number.NaN, -0, 0.5, 1n, -1n, '1'),
)
const write = fc.record({ collection: fc.integer({ min: 1, max: 2 }), key, value: fc.option(fc.nat(9), { nil: undefined }) })

test('a cold collection answers as a Map of the last words does', () => {
  fc.assert(
    fc.property(fc.array(fc.array(write, { maxLength: 20 }), { maxLength: 4 }), fc.array(key), (tables, others) => {
      const state = new ColdState(view(tables), () => 0)
      for (const id of [1, 2, 3]) {
        const model = new Map<Key, number>()
        for (const one of tables.flat()) {
          if (one.collection !== id) continue
          if (one.value === undefined) model.delete(one.key)
          else model.set(one.key, one.value)
        }
        const cold = new ColdCollection(state, id, tideCodec)
        const asked = [...tables.flat().map(one => one.key), ...others]
        for (const one of asked) {
          assert.equal(cold.read(one), model.get(one) ?? ABSENT)
          assert.equal(cold.has(one), model.has(one))
          assert.equal(cold.mayHave(one), model.has(one))
        }
        const sorted = [...model].sort(([a], [b]) => compareKeys(a, b))
        // Sorting puts 0 and -0 together: as keys they are the same.
        assert.deepEqual(walk(cold.keys()), sorted)
        for (const from of asked.slice(0, 5)) {
          for (const behind of [false, true]) {
            assert.deepEqual(
              walk(cold.keys(from, behind)),
              sorted.filter(([one]) => compareKeys(one, from) >= (behind ? 1 : 0)),
            )
          }
        }
      }
    }),
    { numRuns: 200 },
  )
})

test('what cannot be a key is stored nowhere', () => {
  const cold = new ColdCollection(new ColdState(view([[{ collection: 1, key: 'a', value: 1 }]]), () => 0), 1, tideCodec)
  for (const none of [{}, null, undefined, true, Symbol('a'), 'a'.repeat(70_000), 1n << 600_000n]) {
    assert.equal(cold.read(none as Key), ABSENT)
    assert.equal(cold.has(none as Key), false)
    assert.equal(cold.mayHave(none as Key), false)
  }
  assert.equal(cold.read('a'), 1)
})

test('a value is decoded with the codec that was given last', () => {
  const state = new ColdState(view([[{ collection: 1, key: 'a', value: 7 }]]), () => 0)
  const cold = new ColdCollection(state, 1, tideCodec)
  const cursor = cold.keys()
  assert.equal(cursor.next(), 'a')
  cold.codec = wrapCodec({ name: 'length', encode: () => Buffer.alloc(0), decode: bytes => `${bytes.length} bytes` })
  assert.match(String(cold.read('a')), /^\d+ bytes$/)
  assert.equal(cursor.read(), cold.read('a'))
})

test('after an exchange look-ups see the later view, and walks of the earlier one end loudly', () => {
  const state = new ColdState(view([[{ collection: 1, key: 'a', value: 1 }]]), () => 0)
  const cold = new ColdCollection(state, 1, tideCodec)
  const cursor = cold.keys()
  assert.equal(cold.version, 0)
  assert.deepEqual(state.exchange(view([[{ collection: 1, key: 'a', value: 2 }]])), [])
  assert.equal(cold.version, 1)
  assert.equal(cold.read('a'), 2)
  assert.throws(() => cursor.next(), { code: 'TIDEMARK_BUG' })
  assert.deepEqual(walk(cold.keys()), [['a', 2]])
})

test("an entry of a codec of one's own takes what its values have as bytes at least, once some were read; private state shows nothing", () => {
  class Body {
    readonly #text: string
    constructor(text: string) {
      this.#text = text
    }
    get text(): string {
      return this.#text
    }
  }
  const codec = wrapCodec<Body>({ name: 'body', encode: body => Buffer.from(body.text), decode: bytes => new Body(String(bytes)) })
  const writer = new ByteWriter(64)
  for (let at = 0; at < 3; at++) appendPut(writer, 1, at, new Body('x'.repeat(5000)), codec)
  const table = new RecordTable()
  table.add(writer.view())
  const base = EMPTY_BASE.map(({ start, through }) => ({ start, through, layer: null }))
  const state = new ColdState({ image: new Image({ tables: [table], young: [], base }), segments: [] }, () => 0)
  const space = new Space(new Histogram(), () => 0)
  for (const walks of [false, true]) {
    const cold = new ColdCollection(state, 1, codec)
    const collection = new Collection(space, 'c', 'map', codec, 1, new Map(), { cold, coldCount: 3, evicts: true })
    const resident = new Resident(collection)
    const body = walks ? walk(cold.keys())[0]?.[1] : cold.read(0)
    collection.live.set(0, body)
    resident.enters(0, body)
    assert.ok(resident.bytes > 5000 && resident.bytes < 6000, `${resident.bytes}`)
  }
})
