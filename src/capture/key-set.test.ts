import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { PIECE_ENTRIES_MAX } from '../base/limits.ts'
import type { Key } from '../codec/index.ts'
import { KeyPositions } from './key-positions.ts'
import { KeySet } from './key-set.ts'
import { hashKey } from './pieces.ts'

const key: fc.Arbitrary<Key> = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.double(),
  fc.integer(),
  fc.bigInt(),
  fc.constantFrom(0, -0, Number.NaN, '0', 0n),
)

test('does what a Set does', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), key), { maxLength: 200 }), fc.nat({ max: 100_000 }), (steps, expected) => {
      const mine = new KeySet(expected)
      const model = new Set<Key>()
      for (const [adds, one] of steps) {
        if (adds) {
          assert.equal(mine.add(one), !model.has(one))
          model.add(one)
        } else assert.equal(mine.delete(one), model.delete(one))
        assert.equal(mine.has(one), model.has(one))
        assert.equal(mine.size, model.size)
      }
      assert.deepEqual(new Set(mine.pieces().flatMap(piece => [...piece.keys()])), model)
    }),
    { seed: 1, numRuns: 100 },
  )
})

test('does what a Map does, and a walk meets what is there all the time', () => {
  const step = fc.record({ op: fc.constantFrom('set', 'set', 'set', 'delete'), key: fc.oneof(key, fc.nat({ max: 50 })), place: fc.nat() })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 400, size: 'max' }), fc.nat({ max: 5000 }), fc.nat(), (steps, expected, gone) => {
      const mine = new KeyPositions(expected)
      const model = new Map<Key, number>()
      for (const { op, key: one, place } of steps) {
        if (op === 'set') {
          mine.set(one, place)
          model.set(one, place)
        } else assert.equal(mine.delete(one), model.delete(one))
        assert.equal(mine.get(one), model.get(one))
        assert.equal(mine.size, model.size)
      }
      for (const [one, place] of model) assert.equal(mine.get(one), place)
      // What was met is deleted, and so is some of what was not: a capture and the calls of the user do the same.
      const left = new Set(model.keys())
      const met: Key[] = []
      for (let at = 0; at < mine.pieceCount; at++) {
        for (const one of mine.pieceAt(at)?.keys() ?? []) {
          assert.ok(left.delete(one), `${String(one)} is not there, or was met before`)
          assert.ok(mine.delete(one))
          met.push(one)
          const other = [...left][gone % 7]
          if (met.length % 3 === 0 && other !== undefined) {
            assert.ok(mine.delete(other))
            left.delete(other)
          }
        }
      }
      assert.equal(left.size, 0)
      assert.equal(mine.size, 0)
    }),
    { seed: 2, numRuns: 200 },
  )
})

test('keys that come and go for ever take no more room than those that are there', () => {
  const set = new KeySet()
  for (let n = 0; n < 500_000; n++) {
    assert.ok(set.add(`k${n}`))
    if (n >= 100) assert.ok(set.delete(`k${n - 100}`))
  }
  assert.equal(set.size, 100)
  assert.deepEqual(
    set
      .pieces()
      .flatMap(piece => [...piece.keys()])
      .sort(),
    Array.from({ length: 100 }, (_, at) => `k${499_900 + at}`).sort(),
  )
  assert.ok((set.pieceAt(0)?.slots ?? 0) <= 1024)
})

test('many keys that are expected and do not come take little room', () => {
  for (const expected of [400_000, 10_000_000]) {
    const places = new KeyPositions(expected)
    for (let n = 0; n < 100_000; n++) places.set(`k${n % 100}`, n)
    const slots = places.pieces().reduce((sum, piece) => sum + piece.slots, 0)
    assert.ok(slots <= 100 * 512, `${slots} slots for 100 keys of ${expected}`)
  }
})

test('keys that come in the order in which another table gives them are spread all the same', () => {
  const one = new KeySet()
  for (let n = 0; n < 100_000; n++) one.add(`user:${n}`)
  const other = new KeySet()
  let crowded = 0
  for (const key of one.pieces().flatMap(piece => [...piece.keys()])) {
    other.add(key)
    if (other.size % 256 === 0) crowded += other.pieces().filter(({ slots }) => slots === 0).length
  }
  assert.equal(crowded, 0)
})

/** Keys as services make them, and some that try to hurt. */
const FAMILIES: Readonly<Record<string, (n: number) => Key>> = {
  'counted up': n => n,
  negative: n => -n,
  'multiples of 4,096': n => n * 4096,
  halves: n => n / 2,
  hundredths: n => n / 100,
  'below a millionth': n => n * 1e-12,
  'very large': n => (n + 1) * 2 ** 120,
  'very large and negative': n => -(n + 1) * 1e40,
  'milliseconds since 1970': n => 1767225600000 + n * 1000,
  'beyond 2^53': n => 2 ** 60 + n * 2 ** 12,
  'short names': n => `k${n}`,
  'padded names': n => `user:${String(n).padStart(10, '0')}`,
  'long names, the number at the end': n => `https://example.com/accounts/europe/customers/${n}`,
  'long names, the number in front': n => `${n}/orders/europe/customers/accounts/example`,
  'long names, the number within': n => `${'x'.repeat(12)}${String(n).padStart(10, '0')}${'y'.repeat(78)}`,
  'very long names, the number within': n => `${'x'.repeat(147)}${String(n).padStart(6, '0')}${'y'.repeat(147)}`,
  bigints: n => BigInt(n),
  'bigints beyond 64 bits': n => BigInt(n) << 64n,
  snowflakes: n => (BigInt(n) << 22n) + 1n,
  hexadecimal: n => (n * 2654435761).toString(16).padStart(16, '0'),
}

for (const [name, keyAt] of Object.entries(FAMILIES)) {
  test(`105,000 keys in small pieces: ${name}`, () => {
    const set = new KeySet()
    const count = 105_000
    let largest = 0
    for (let n = 0; n < count; n++) set.add(keyAt(n))
    assert.equal(set.size, count)
    for (const piece of set.pieces()) largest = Math.max(largest, piece.size)
    assert.ok(largest <= PIECE_ENTRIES_MAX, `${largest} in one piece of ${set.pieceCount}`)
    for (let n = 0; n < count; n += 7) assert.ok(set.has(keyAt(n)))
    assert.ok(!set.has('not there'))
    for (let n = 0; n < count; n += 2) assert.ok(set.delete(keyAt(n)))
    assert.equal(set.size, count / 2)
    for (let n = 0; n < 1000; n++) assert.equal(set.has(keyAt(n)), n % 2 === 1)
  })
}

test('keys that share one hash are kept apart all the same', () => {
  // The hash looks at 128 places of a very long string: what differs elsewhere alone falls on one piece.
  const length = 4000
  const looked = new Set<number>()
  for (let at = 0; at < 32; at++) looked.add(at).add(length - 1 - at)
  for (let at = 0; at < 64; at++) looked.add((32 + (at * (length - 64)) / 64) | 0)
  const free = Array.from({ length }, (_, at) => at).filter(at => !looked.has(at))
  assert.equal(free.length, length - 128)
  const keyAt = (n: number): string => {
    const units = new Array<string>(length).fill('a')
    for (let bit = 0; bit < 14; bit++) if ((n >> bit) & 1) units[free[bit * 20] as number] = 'b'
    return units.join('')
  }
  const set = new KeySet()
  const hash = hashKey(keyAt(0))
  for (let n = 0; n < 10_000; n++) {
    assert.equal(hashKey(keyAt(n)), hash)
    assert.ok(set.add(keyAt(n)))
  }
  assert.equal(set.size, 10_000)
  assert.equal(set.pieces().length, 1)
  for (let n = 0; n < 10_000; n++) assert.ok(set.has(keyAt(n)))
  for (let n = 0; n < 10_000; n++) assert.ok(set.delete(keyAt(n)))
  assert.equal(set.size, 0)
})

test('bigints that differ in their higher digits alone, or in their sign, have different hashes', () => {
  for (const shift of [64n, 65n, 100n, 128n, 1000n, 4000n]) {
    const hashes = new Set<number>()
    for (let n = 1n; n <= 1000n; n++) hashes.add(hashKey(n << shift)).add(hashKey(-n << shift))
    assert.ok(hashes.size >= 1998, `${hashes.size} of 2000 shifted by ${shift}`)
  }
  // A network and a host in it.
  const hosts = new Set<number>()
  for (let n = 0n; n < 10_000n; n++) hosts.add(hashKey(((n / 100n) << 64n) + (n % 100n)))
  assert.ok(hosts.size >= 9990, `${hosts.size} of 10000`)
})

test('equal keys have equal hashes: 0 and -0, every NaN', () => {
  assert.equal(hashKey(0), hashKey(-0))
  const bits = new Float64Array(new Uint32Array([1, 0xfff80000]).buffer)
  assert.equal(hashKey(Number.NaN), hashKey(bits[0] as number))
})
