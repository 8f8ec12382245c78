import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import fc from 'fast-check'
import { ByteWriter } from '../base/bytes.ts'
import { REDUNDANT_RECORD_BYTES_MAX } from '../base/limits.ts'
import { type Key, tideCodec } from '../codec/index.ts'
import { appendPut } from '../format/index.ts'
import { RecordMemory, Redundancy } from './redundant.ts'

const RING_BYTES = 4096
const ENTRIES = 64

function recordOf(id: number, key: Key, value: unknown): Buffer {
  const writer = new ByteWriter()
  appendPut(writer, id, key, value, tideCodec)
  return Buffer.from(writer.view())
}

function spares(redundancy: Redundancy, memory: RecordMemory, key: Key, value: unknown, id = 1): boolean {
  const record = recordOf(id, key, value)
  // Never at the beginning of its buffer, as in a block.
  const bytes = Buffer.concat([Buffer.alloc(7, 0xaa), record, Buffer.alloc(5, 0xbb)])
  return redundancy.spares(memory, id, key, bytes, 7, 7 + record.length)
}

test('a record is spared only when it is byte for byte the last one of its key, whatever happened in between', () => {
  const step = fc.record({
    op: fc.oneof(
      { weight: 40, arbitrary: fc.constant('put' as const) },
      { weight: 3, arbitrary: fc.constant('passed' as const) },
      { weight: 1, arbitrary: fc.constant('forget' as const) },
    ),
    id: fc.nat({ max: 2 }),
    key: fc.oneof(fc.nat({ max: 9 }), fc.nat({ max: 9 }).map(String), fc.constantFrom<Key>(1n, 0.5, Number.NaN, '')),
    value: fc.constantFrom<unknown>(0, 1, '', '1', 'x'.repeat(300), 'x'.repeat(600), [1, 2]),
  })
  let spared = 0
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200, size: 'max' }), steps => {
      const memory = new RecordMemory(RING_BYTES, ENTRIES)
      const collections = [new Redundancy(), new Redundancy(), new Redundancy()]
      const last = new Map<string, Buffer>()
      for (const { op, id, key, value } of steps) {
        const redundancy = collections[id] as Redundancy
        const name = `${id} ${typeof key} ${String(key)}`
        if (op === 'forget') {
          memory.forget()
          last.clear()
        } else if (op === 'passed') {
          redundancy.passed(memory, id, key)
          last.delete(name)
        } else {
          const record = recordOf(id, key, value)
          if (spares(redundancy, memory, key, value, id)) {
            spared++
            assert.deepEqual(last.get(name), record)
          }
          last.set(name, record)
        }
      }
    }),
    { seed: 20_261_125, numRuns: 400 },
  )
  assert.ok(spared > 500, `only ${spared} records were spared: nothing was shown`)
})

test('the key that is written again and again stays known while others pass by', () => {
  const memory = new RecordMemory(RING_BYTES, ENTRIES)
  const redundancy = new Redundancy()
  spares(redundancy, memory, 'hot', 'the same')
  for (let n = 0; n < 2000; n++) {
    // Few enough that no set of four places is asked for five.
    spares(redundancy, memory, 1 + (n % 24), { n })
    if (n % 16 === 0) assert.ok(spares(redundancy, memory, 'hot', 'the same'), `forgotten after ${n}`)
  }
})

test('keys whose hashes are alike displace each other and are never mixed up', () => {
  const memory = new RecordMemory(RING_BYTES, ENTRIES)
  const one = recordOf(1, 'one', 'value')
  const two = recordOf(1, 'two', 'value')
  assert.equal(memory.same(77, one, 0, one.length), false)
  assert.equal(memory.same(77, two, 0, two.length), false)
  assert.equal(memory.same(77, one, 0, one.length), false, 'two took its place')
  assert.equal(memory.same(77, one, 0, one.length), true)
})

test('a record too large to be kept makes the smaller one before it forgotten', () => {
  const memory = new RecordMemory()
  const redundancy = new Redundancy()
  const large = 'x'.repeat(REDUNDANT_RECORD_BYTES_MAX)
  assert.equal(spares(redundancy, memory, 'k', 'small'), false)
  assert.equal(spares(redundancy, memory, 'k', large), false)
  assert.equal(spares(redundancy, memory, 'k', large), false)
  assert.equal(spares(redundancy, memory, 'k', 'small'), false, 'the last record is the large one')
  assert.equal(spares(redundancy, memory, 'k', 'small'), true)
})

test('where nothing is redundant one key in 64 is looked at; when it begins to pay all are again', () => {
  const memory = new RecordMemory()
  const redundancy = new Redundancy()
  for (let n = 0; n < 500_000; n++) spares(redundancy, memory, n % 20_000, n)
  assert.equal(redundancy.oneIn, 64)
  assert.equal(redundancy.spared.records, 0)
  const round = (): number => {
    const before = redundancy.spared.records
    for (let n = 0; n < 20_000; n++) spares(redundancy, memory, n, 'rests')
    return redundancy.spared.records - before
  }
  let rounds = 0
  while (redundancy.oneIn > 1 && rounds < 1000) {
    rounds++
    round()
  }
  assert.equal(redundancy.oneIn, 1, 'after many rounds')
  round()
  // A set of four places is now and then asked for five.
  assert.ok(round() > 19_000)
  assert.ok(rounds < 60, `it took ${rounds} rounds`)
})

test('more keys than are remembered: a part of them goes on being spared', () => {
  const memory = new RecordMemory(1 << 16, 512)
  const redundancy = new Redundancy()
  const keys = 4000
  const rounds = 150
  for (let round = 0; round < rounds; round++) for (let n = 0; n < keys; n++) spares(redundancy, memory, n, 'rests')
  const share = redundancy.spared.records / (keys * rounds)
  assert.ok(share > 1 / 64, `${share} of the records spared`)
})

test('a memory that has ended knows nothing, and takes no harm from who still asks', () => {
  const memory = new RecordMemory(RING_BYTES, ENTRIES)
  const redundancy = new Redundancy()
  assert.equal(spares(redundancy, memory, 'k', 'v'), false)
  assert.equal(spares(redundancy, memory, 'k', 'v'), true)
  memory.end()
  redundancy.passed(memory, 1, 'k')
  assert.equal(spares(redundancy, memory, 'k', 'v'), false)
  assert.equal(spares(redundancy, memory, 'k', 'v'), true)
})

test('where there is no memory to remember records, or more of them, it is done without, and what is known stays right', () => {
  const memory = new RecordMemory()
  const value = (n: number): string => `${n} `.padEnd(1000, 'x')
  let want = true
  const { alloc } = Buffer
  mock.method(Buffer, 'alloc', (size: number, fill?: number) => {
    if (want && size > RING_BYTES) throw new RangeError('Array buffer allocation failed')
    return alloc(size, fill)
  })
  try {
    for (let n = 0; n < 2; n++) assert.equal(spares(new Redundancy(), memory, 'a', 1), false)
    want = false
    assert.deepEqual([spares(new Redundancy(), memory, 'a', 1), spares(new Redundancy(), memory, 'a', 1)], [false, true])
    want = true
    // It would have doubled long ago.
    for (let n = 0; n < 2000; n++) {
      assert.equal(spares(new Redundancy(), memory, n, value(n)), false)
      if (n % 100 === 0) assert.equal(spares(new Redundancy(), memory, n, value(n)), true)
    }
    assert.equal(spares(new Redundancy(), memory, 'a', 1), false, 'written over')
    want = false
    for (let n = 0; n < 2; n++) assert.equal(spares(new Redundancy(), memory, 'a', 2), n === 1)
  } finally {
    mock.restoreAll()
  }
})
