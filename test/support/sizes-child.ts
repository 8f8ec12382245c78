/** What values of many kinds take in a process of their own, in the heap and beside it, once they were decoded; and what is estimated. */
import { ByteWriter } from '../../src/base/bytes.ts'
import { tideCodec } from '../../src/codec/index.ts'
import { entryHeapBytes } from '../../src/cold/heap-size.ts'

const range = <T>(length: number, of: (at: number) => T): T[] => Array.from({ length }, (_, at) => of(at))

const KINDS: Readonly<Record<string, (n: number) => unknown>> = {
  session: n => ({ id: n, user: `user-${n}`, round: 1, score: (n * 7) % 1000, at: 1_700_000_000_000 + n }),
  player: n => ({ id: n, v: 0, name: `user${n}`, score: n % 1000, at: 1_700_000_000_000 + n, active: true }),
  nested: n => ({ a: { b: { c: [n, n + 1, { d: `x${n}` }] } }, tags: [`a${n}`, `b${n}`], pos: { x: n + 0.5, y: n - 0.5 } }),
  double: n => n + 0.5,
  'short string': n => `${1_000_000 + n}`,
  'long string': n => `${n}`.padStart(1000, 'x'),
  'wide string': n => `${n}`.padStart(100, 'é€'),
  bigint: n => BigInt(n) + 5n,
  'wide bigint': n => (1n << 1000n) + BigInt(n),
  'no fields': () => ({}),
  'one field': n => ({ a: n }),
  'more fields': n => ({ a: n, b: n, c: n, d: n, e: n, f: n, g: n, h: n, i: n, j: n }),
  'no array': () => [],
  array: n => range(10, at => at + n),
  'array of doubles': n => range(10, at => at + n + 0.5),
  'mixed array': n => range(10, at => (at % 2 === 0 ? at + 0.5 : `s${at}${n}`)),
  'long array': n => range(1000, at => at + n),
  date: n => new Date(n),
  map: n => new Map(range(5, at => [at, n])),
  'large map': n => new Map(range(100, at => [at, n])),
  set: n => new Set(range(5, at => at + n)),
  'small buffer': n => Buffer.alloc(100, n),
  'large buffer': n => Buffer.alloc(4096, n),
  doubles: n => new Float64Array(10).fill(n),
  'array buffer': () => new ArrayBuffer(100),
  'no prototype': n => Object.assign(Object.create(null), { a: n, b: n }),
}

function used(): number {
  globalThis.gc?.()
  globalThis.gc?.()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

function decoded(make: (n: number) => unknown, count: number): unknown[] {
  const writer = new ByteWriter(64)
  const values: unknown[] = new Array(count).fill(undefined)
  for (let n = 0; n < count; n++) {
    writer.reset()
    tideCodec.encodeInto(writer, make(n))
    values[n] = tideCodec.decode(writer.view(), 0, writer.length)
  }
  return values
}

/** So many bytes more or less the heap takes by itself: it is counted by pages, and code is compiled meanwhile. */
const BY_ITSELF_BYTES = 1 << 20

const found: Record<string, { estimated: number; used: number }> = {}
for (const [kind, make] of Object.entries(KINDS)) {
  const estimated = decoded(make, 200).reduce<number>((sum, value) => sum + entryHeapBytes(0, value), 0) / 200
  decoded(make, 2000)
  // So many that this is less than what the estimate may be wrong by.
  const count = Math.ceil(BY_ITSELF_BYTES / Math.max(16, estimated / 4))
  const before = used()
  const values = decoded(make, count)
  const after = used()
  // What holds them is not theirs.
  found[kind] = { estimated, used: (after - before) / count - 8 }
  values.length = 0
}
process.stdout.write(JSON.stringify(found))
