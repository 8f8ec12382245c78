import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ByteWriter } from '../base/bytes.ts'
import { appendRecord, FIRST_PLACE, hashPlace, type Place, type SegmentEntry } from '../format/index.ts'
import type { Found, Layer, LayerCursor, Range } from '../segment/index.ts'
import { Image, type ImageParts, type SegmentLayer } from './image.ts'
import { liveCursor } from './live.ts'
import { RecordTable } from './table.ts'

interface Write {
  readonly collection: number
  readonly key: string
  /** undefined: deleted. */
  readonly value: string | undefined
}

type At = Pick<Write, 'collection' | 'key'>

const EPOCHS = 12
const COLLECTIONS = 4
/** Shared by most keys, so that places differ late. */
const PREFIX = 'flight/2026-11-23/a rather long common prefix/'

const byPlace = (a: At, b: At): number => a.collection - b.collection || Buffer.compare(Buffer.from(a.key), Buffer.from(b.key))
const nameOf = ({ collection, key }: At): string => `${collection} ${key}`
const placeOf = ({ collection, key }: At): Place => ({ collection, key: Buffer.from(key).toString('hex') })
const bound = ({ collection, key }: At): { collection: number; key: Buffer } => ({ collection, key: Buffer.from(key) })

/** Counts the cursors that are under way: those that took a step and have not ended. */
class Open {
  now = 0
  most = 0
}

/** A table that plays a segment. `finds` counts what it was asked. */
class Played implements SegmentLayer {
  readonly entry: SegmentEntry
  finds = 0
  cursors = 0
  readonly #table = new RecordTable()
  readonly #open: Open

  constructor(writes: readonly Write[], open: Open, through = 0) {
    const writer = new ByteWriter(64)
    for (const { collection, key, value } of writes) {
      appendRecord(writer, collection, Buffer.from(key), value === undefined ? undefined : Buffer.from(value))
    }
    this.#table.add(writer.view())
    this.#open = open
    const { records, tombstones, rawBytes } = this.#table
    const sha256 = '0'.repeat(64)
    const ends = { first: FIRST_PLACE, last: FIRST_PLACE }
    this.entry = { file: 'segment/1-1.seg', bytes: 0, sha256, describedAt: 0, from: 0, through, records, tombstones, rawBytes, ...ends }
  }

  find(collection: number, key: Uint8Array, hash: number): Found | undefined {
    this.finds++
    return this.#table.find(collection, key, hash)
  }

  mayHave(collection: number, key: Uint8Array, hash: number): boolean {
    return this.#table.mayHave(collection, key, hash)
  }

  cursor(range?: Range): LayerCursor {
    this.cursors++
    const cursor = this.#table.cursor(range)
    const step = cursor.next.bind(cursor)
    const open = this.#open
    let under = false
    cursor.next = () => {
      if (!under) open.most = Math.max(open.most, ++open.now)
      under = step()
      if (!under) open.now--
      return under
    }
    return cursor
  }
}

/** Everything that was ever written, by place; and the layers that say the same. */
interface Stack {
  readonly image: Image
  readonly history: ReadonlyMap<string, readonly (Write & { readonly epoch: number })[]>
  readonly places: readonly At[]
  readonly open: Open
  readonly layers: number
}

interface Plan {
  readonly writes: readonly (readonly Write[])[]
  /** Whether a layer ends after the epoch. */
  readonly cuts: readonly boolean[]
  /** The epochs after which a young segment or a table begins: how many of the layers are tables. */
  readonly tables: number
  /** Where base ranges start beside the first, and how far each is merged, in cuts. */
  readonly starts: readonly At[]
  readonly merged: readonly number[]
  /** Of each base range: records that lie outside of it. */
  readonly strays: readonly Write[]
  /** Young segments that no range needs any more stay. */
  readonly keepAll: boolean
}

/** The last word on each place in the epochs after `from` up to and with `through`. */
function lastWords(history: Stack['history'], from: number, through: number): Write[] {
  const words: Write[] = []
  for (const writes of history.values()) {
    const last = writes.filter(({ epoch }) => epoch > from && epoch <= through).at(-1)
    if (last !== undefined) words.push(last)
  }
  return words
}

function build({ writes, cuts, tables, starts, merged, strays, keepAll }: Plan): Stack {
  const history = new Map<string, (Write & { epoch: number })[]>()
  for (const [at, epoch] of writes.entries()) {
    for (const write of epoch) {
      const name = nameOf(write)
      history.set(name, [...(history.get(name) ?? []), { ...write, epoch: at + 1 }])
    }
  }
  const open = new Open()
  const ends = [0, ...cuts.flatMap((cut, at) => (cut && at + 1 < EPOCHS ? [at + 1] : [])), EPOCHS]
  const folded = Math.max(0, ends.length - 1 - tables)
  const layers: { from: number; layer: Played }[] = []
  for (let at = 1; at < ends.length; at++) {
    const [from, through] = [ends[at - 1] as number, ends[at] as number]
    layers.unshift({ from, layer: new Played(lastWords(history, from, through), open, through) })
  }
  const sorted = [...new Map(starts.map(start => [nameOf(start), start])).values()].sort(byPlace)
  const ranges: At[] = [{ collection: 0, key: '' }, ...sorted.filter(({ collection, key }) => collection > 0 || key !== '')]
  const base = ranges.map((start, at) => {
    // A range may end within a young segment that was merged from several: any folded epoch will do.
    const through = Math.min(merged[at % merged.length] as number, ends[folded] as number)
    const next = ranges[at + 1]
    const inside = (place: At): boolean => byPlace(place, start) >= 0 && (next === undefined || byPlace(place, next) < 0)
    const held = lastWords(history, 0, through).filter(write => inside(write) && write.value !== undefined)
    const astray = strays.filter(write => !inside(write))
    const layer = held.length + astray.length === 0 ? null : new Played([...held, ...astray], open, through)
    return { start: placeOf(start), through, layer }
  })
  const needed = Math.min(...base.map(({ through }) => through))
  const young = layers.slice(layers.length - folded).filter(({ layer }) => keepAll || layer.entry.through > needed)
  const parts: ImageParts = {
    tables: layers.slice(0, layers.length - folded).map(({ layer }) => layer),
    young: young.map(({ layer }) => layer),
    base,
  }
  const places = [...history.values()].map(([first]) => first as At).sort(byPlace)
  return { image: new Image(parts), history, places, open, layers: parts.tables.length + parts.young.length + 1 }
}

function walk(cursor: LayerCursor): Write[] {
  const writes: Write[] = []
  while (cursor.next()) {
    const { collection, put, bytes, keyStart, keyEnd, start, end } = cursor
    writes.push({ collection, key: bytes.toString('utf8', keyStart, keyEnd), value: put ? bytes.toString('utf8', start, end) : undefined })
  }
  assert.equal(cursor.next(), false, 'an ended walk stays ended')
  return writes
}

function walkLive(image: Layer, collection: number, from?: string, behind = false): Write[] {
  const cursor = liveCursor(image, collection, from === undefined ? undefined : Buffer.from(from), behind)
  const writes: Write[] = []
  while (cursor.next()) {
    const { bytes, keyStart, keyEnd, start, end } = cursor
    writes.push({ collection, key: bytes.toString('utf8', keyStart, keyEnd), value: bytes.toString('utf8', start, end) })
  }
  return writes
}

/** The value, undefined for a tombstone, or null: no word. */
function ask(image: Image, { collection, key }: At): string | undefined | null {
  const bytes = Buffer.from(key)
  const hash = hashPlace(collection, bytes)
  const found = image.find(collection, bytes, hash)
  // The layers here know exactly what they hold, so mayHave is no wider than find.
  assert.equal(image.mayHave(collection, bytes, hash), found !== undefined)
  if (found === undefined) return null
  return found.put ? found.bytes.toString('utf8', found.start, found.end) : undefined
}

const key = fc.oneof(
  fc.stringMatching(/^[ab]{1,3}$/).map(end => PREFIX + end),
  fc.stringMatching(/^[ab]{0,2}$/),
  fc.constantFrom(PREFIX, `${PREFIX}a\0`, `${PREFIX}a\0\0`, '\0', '\u00ff'),
)
const collection = fc.integer({ min: 1, max: COLLECTIONS })
const place = fc.record({ collection: fc.integer({ min: 0, max: COLLECTIONS + 1 }), key })
const write = fc.record({ collection, key, value: fc.option(fc.string({ maxLength: 3 }), { nil: undefined }) })
const plan: fc.Arbitrary<Plan> = fc.record({
  writes: fc.array(fc.array(write, { maxLength: 12 }), { minLength: EPOCHS, maxLength: EPOCHS }),
  cuts: fc.array(fc.boolean(), { minLength: EPOCHS, maxLength: EPOCHS }),
  tables: fc.nat(3),
  starts: fc.array(place, { maxLength: 6 }),
  merged: fc.array(fc.nat(EPOCHS), { minLength: 1, maxLength: 7 }),
  strays: fc.array(
    write.map(one => ({ ...one, value: 'stray' })),
    { maxLength: 12 },
  ),
  keepAll: fc.boolean(),
})

/** What a stack may say: a tombstone may be gone where the base is all that speaks. */
function check({ image, history, places, open, layers }: Stack, from: At | undefined, to: At | undefined): void {
  const now = new Map(lastWords(history, 0, EPOCHS).map(last => [nameOf(last), last]))
  const alive = places.flatMap(at => now.get(nameOf(at)) ?? []).filter(({ value }) => value !== undefined)
  for (const at of places) assert.equal(ask(image, at) ?? undefined, now.get(nameOf(at))?.value)
  for (const at of [...(from ? [from] : []), ...(to ? [to] : [])]) if (!now.has(nameOf(at))) assert.equal(ask(image, at), null)
  const inside = (at: At): boolean => (from === undefined || byPlace(at, from) >= 0) && (to === undefined || byPlace(at, to) < 0)
  const walked = walk(image.cursor({ ...(from && { from: bound(from) }), ...(to && { to: bound(to) }) }))
  assert.deepEqual(
    walked.filter(({ value }) => value !== undefined),
    alive.filter(inside).map(({ collection, key, value }) => ({ collection, key, value })),
  )
  // Each word of a walk is what `find` gives, tombstones too, and no other is left out.
  const words = places.filter(inside).filter(at => ask(image, at) !== null)
  assert.deepEqual(walked.map(nameOf), words.map(nameOf))
  for (let id = 0; id <= COLLECTIONS + 1; id++) {
    for (const start of [undefined, '', from?.key, to?.key]) {
      for (const behind of [false, true]) {
        const isGiven = (one: At): boolean => start === undefined || byPlace(one, { collection: id, key: start }) >= (behind ? 1 : 0)
        const given = alive.filter(one => one.collection === id && isGiven(one))
        assert.deepEqual(
          walkLive(image, id, start, behind),
          given.map(({ collection, key, value }) => ({ collection, key, value })),
        )
      }
    }
  }
  assert.equal(open.now, 0)
  assert.ok(open.most <= layers, `${open.most} of ${layers} open`)
}

test('an image says of every place what was written last, however its layers are cut', () => {
  const option = fc.option(place, { nil: undefined })
  fc.assert(
    fc.property(plan, option, option, (one, from, to) => check(build(one), from, to)),
    { numRuns: 250 },
  )
})

test('an image of nothing has nothing', () => {
  const image = new Image({ tables: [], young: [], base: [{ start: FIRST_PLACE, through: 0, layer: null }] })
  assert.deepEqual(walk(image.cursor()), [])
  assert.equal(ask(image, { collection: 1, key: 'a' }), null)
})

test('a base that leaves places out, or stands in no order, is refused', () => {
  const range = (collection: number, key: string): ImageParts['base'][number] => ({ start: { collection, key }, through: 0, layer: null })
  for (const base of [[], [range(1, '')], [range(0, '00')], [range(0, ''), range(2, ''), range(1, '')], [range(0, ''), range(0, '')]]) {
    assert.throws(() => new Image({ tables: [], young: [], base }), { code: 'TIDEMARK_BUG' })
  }
})

/** A base of ranges with ten keys each, and one young segment that the ranges before the middle contain already. */
function wide(ranges: number): { image: Image; base: Played[]; young: Played; open: Open } {
  const open = new Open()
  const name = (at: number): string => String(at).padStart(6, '0')
  const base = Array.from({ length: ranges }, (_, range) => {
    return new Played(
      Array.from({ length: 10 }, (_, at) => ({ collection: 1, key: name(range * 10 + at), value: 'base' })),
      open,
    )
  })
  const young = new Played(
    Array.from({ length: ranges }, (_, range) => ({ collection: 1, key: name(range * 10), value: 'young' })),
    open,
    5,
  )
  const parts = base.map((layer, range) => {
    const start = range === 0 ? FIRST_PLACE : placeOf({ collection: 1, key: name(range * 10) })
    return { start, through: range < ranges / 2 ? 5 : 0, layer }
  })
  return { image: new Image({ tables: [], young: [young], base: parts }), base, young, open }
}

test('a walk enters base segments one after another, and asks no young segment where it has no say', () => {
  const { image, base, young, open } = wide(100)
  const cursor = image.cursor()
  assert.equal(base.filter(({ cursors }) => cursors > 0).length, 0)
  let steps = 0
  while (cursor.next()) {
    const opened = base.filter(({ cursors }) => cursors > 0).length
    assert.equal(opened, Math.floor(steps / 10) + 1)
    const contained = steps < 500
    assert.equal(cursor.bytes.toString('utf8', cursor.start, cursor.end), !contained && steps % 10 === 0 ? 'young' : 'base')
    steps++
  }
  assert.equal(steps, 1000)
  assert.equal(open.most, 2)
  assert.equal(young.cursors, 1)
  assert.ok(base.every(({ cursors }) => cursors === 1))
})

test('a walk looks at no base range behind its end, whether young segments have a say there or not', () => {
  const looked = new Set<number>()
  const part = (at: number, through: number): ImageParts['base'][number] => ({
    start: at === 0 ? FIRST_PLACE : placeOf({ collection: at, key: '' }),
    layer: null,
    get through() {
      looked.add(at)
      return through
    },
  })
  for (const through of [0, 5]) {
    const young = new Played([{ collection: 20, key: 'a', value: 'young' }], new Open(), 5)
    const image = new Image({ tables: [], young: [young], base: Array.from({ length: 100 }, (_, at) => part(at, through)) })
    assert.equal(walkLive(image, 20).length, through === 0 ? 1 : 0)
    assert.ok(
      [...looked].every(at => at === 20 || at === 21),
      [...looked].join(),
    )
    looked.clear()
  }
})

test('a look-up asks one base segment, and a young one only where it has a say', () => {
  const { image, base, young } = wide(100)
  assert.equal(ask(image, { collection: 1, key: '000010' }), 'base')
  assert.equal(young.finds, 0)
  assert.equal(ask(image, { collection: 1, key: '000990' }), 'young')
  assert.equal(ask(image, { collection: 1, key: '000991' }), 'base')
  assert.deepEqual(
    base.flatMap(({ finds }, at) => (finds > 0 ? [at] : [])),
    [1, 99],
  )
})

test('a walk that met damage never looks like one that ended', () => {
  const open = new Open()
  const writes = ['a', 'b', 'c', 'd'].map(key => ({ collection: 1, key, value: key }))
  for (const broken of [0, 1]) {
    for (let good = 0; good < 4; good++) {
      const layers = [new Played(writes, open), new Played(writes, open)]
      const layer = layers[broken] as Played
      const original = layer.cursor.bind(layer)
      layer.cursor = range => {
        const cursor = original(range)
        const step = cursor.next.bind(cursor)
        let steps = 0
        cursor.next = () => {
          if (steps++ === good) throw new RangeError('damaged')
          return step()
        }
        return cursor
      }
      const image = new Image({ tables: layers, young: [], base: [{ start: FIRST_PLACE, through: 0, layer: null }] })
      const cursor = image.cursor()
      const given: string[] = []
      const all = (): void => {
        while (cursor.next()) given.push(cursor.bytes.toString('utf8', cursor.keyStart, cursor.keyEnd))
      }
      assert.throws(all, RangeError)
      assert.throws(all, RangeError)
      assert.deepEqual(given, ['a', 'b', 'c', 'd'].slice(0, good))
    }
  }
})

test('the last collection there can be is walked to its end', () => {
  const last = 0xffff_ffff
  const table = new Played(
    [
      { collection: last, key: 'a', value: '1' },
      { collection: last - 1, key: 'a', value: '2' },
    ],
    new Open(),
  )
  assert.deepEqual(walkLive(table, last), [{ collection: last, key: 'a', value: '1' }])
  assert.deepEqual(walkLive(table, last, 'a', true), [])
})
