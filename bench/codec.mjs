/**
 * The value codec against others: fidelity, time and size, as ratios to JSON. Measures one room of the house, so it opens that room
 * in the build instead of the package's front door, which does not show it.
 *
 *   npm run build && node bench/codec.mjs [--json]
 */
import { performance } from 'node:perf_hooks'
import { isDeepStrictEqual } from 'node:util'
import { deserialize, serialize } from 'node:v8'
import { Encoder as Cbor } from 'cbor-x'
import { Packr } from 'msgpackr'

const built = new URL('../dist/', import.meta.url)
const { tideCodec } = await import(new URL('codec/index.js', built).href)
const { ByteWriter } = await import(new URL('base/bytes.js', built).href)

const ROUNDS = 9
const MS_EACH = 20
const COUNT = 2000

const writer = new ByteWriter(1 << 22)
const packr = new Packr({ useRecords: false, moreTypes: true })
const cbor = new Cbor({ useRecords: false })

/** `encode` gives the number of bytes; `copy` the bytes to decode. */
const codecs = {
  json: {
    copy: value => Buffer.from(JSON.stringify(value)),
    encode: value => Buffer.from(JSON.stringify(value)).length,
    decode: bytes => JSON.parse(bytes),
  },
  tide1: {
    copy: value => {
      writer.length = 0
      tideCodec.encodeInto(writer, value)
      return Buffer.from(writer.view())
    },
    encode: value => {
      writer.length = 0
      tideCodec.encodeInto(writer, value)
      return writer.length
    },
    decode: bytes => tideCodec.decode(bytes, 0, bytes.length),
  },
  v8: { copy: serialize, encode: value => serialize(value).length, decode: deserialize },
  msgpackr: {
    copy: value => Buffer.from(packr.pack(value)),
    encode: value => packr.pack(value).length,
    decode: bytes => packr.unpack(bytes),
  },
  'cbor-x': {
    copy: value => Buffer.from(cbor.encode(value)),
    encode: value => cbor.encode(value).length,
    decode: bytes => cbor.decode(bytes),
  },
}

const make = build => Array.from({ length: COUNT }, (_, index) => build(index))
const record = index => ({ id: index, v: 4, name: `user${index}`, score: 5512 + index, at: 1700000000123 + index, active: index % 2 === 0 })
const order = index => ({
  ...record(index),
  address: { street: `${index} Long Street`, city: 'Zürich', geo: { latitude: 47.37 + index / 1e4, longitude: 8.54 } },
  tags: ['a', 'bcd', 'efgh'],
  lines: [record(index), record(index + 1), record(index + 2)],
})
const sets = {
  'number (int)': make(index => index * 7919),
  'string (24)': make(index => `the text of a value ${index + 1000}`),
  'record, 6 fields': make(record),
  'order, nested': make(order),
  'array, 100 numbers': make(index => Array.from({ length: 100 }, (_, at) => index * at)),
  'text, 2 KB': make(index => `${index} lorem ipsum dolor sit amet `.repeat(70)),
}

/** Each of the codecs on every value the contract names: [kind, value]. */
function holed() {
  const array = [1, 0, 3]
  delete array[1]
  return array
}
const kinds = [
  ['undefined in an object', { a: undefined }],
  ['-0', -0],
  ['NaN', Number.NaN],
  ['2^70 as bigint', 2n ** 70n],
  ['2^4000 as bigint', 2n ** 4000n],
  ['Date', new Date(5)],
  ['invalid Date', new Date(Number.NaN)],
  ['Map', new Map([[{ a: 1 }, 2]])],
  ['Set', new Set([1, '1'])],
  ['RegExp', /a/gi],
  ['TypeError with cause and code', Object.assign(new TypeError('m', { cause: 1 }), { code: 'E' })],
  ['Float64Array', new Float64Array([1.5])],
  ['BigInt64Array', new BigInt64Array([1n])],
  ['ArrayBuffer', new Uint8Array([1, 2]).buffer],
  ['DataView', new DataView(new ArrayBuffer(2))],
  ['Buffer', Buffer.from('ab')],
  ['Uint8Array', new Uint8Array([1, 2])],
  ['lone surrogate', '\ud800x'],
  ['lone surrogate as a key', { '\ud800': 1 }],
  ['own __proto__', JSON.parse('{"__proto__":1}')],
  ['null prototype', Object.assign(Object.create(null), { a: 1 })],
  ['sparse array', holed()],
  // Refusal is fidelity too: what cannot come back must not be taken.
  [
    'class instance: refused',
    new (class Player {
      a = 1
    })(),
    true,
  ],
  ['function: refused', { a: () => 1 }, true],
  [
    'getter: refused',
    {
      get a() {
        return 1
      },
    },
    true,
  ],
  ['symbol key: refused', { [Symbol('s')]: 1 }, true],
  ['boxed number: refused', Object(1), true],
]

function keeps(codec, value, refused) {
  let copy
  try {
    copy = codec.decode(codec.copy(value))
  } catch {
    return refused === true
  }
  if (refused) return false
  // An invalid date is equal to nothing, itself among it.
  if (value instanceof Date) return copy instanceof Date && Object.is(copy.getTime(), value.getTime())
  if (!isDeepStrictEqual(copy, value)) return false
  if (value instanceof Error) return copy.cause === value.cause && copy.code === value.code && copy.stack === value.stack
  return typeof value !== 'object' || Object.keys(copy).join() === Object.keys(value).join()
}

let sink = 0
function nanoseconds(values, step) {
  let best = Infinity
  for (let round = 0; round < ROUNDS; round++) {
    const start = performance.now()
    let done = 0
    do {
      for (let index = 0; index < values.length; index++) sink += step(values[index]) ? 1 : 0
      done += values.length
    } while (performance.now() - start < MS_EACH)
    best = Math.min(best, ((performance.now() - start) / done) * 1e6)
  }
  return best
}

const result = { node: process.version, fidelity: {}, sets: {} }
for (const [name, codec] of Object.entries(codecs)) {
  const lost = kinds.filter(([, value, refused]) => !keeps(codec, value, refused)).map(([kind]) => kind)
  result.fidelity[name] = { kept: kinds.length - lost.length, of: kinds.length, lost }
}
for (const [set, values] of Object.entries(sets)) {
  result.sets[set] = {}
  for (const [name, codec] of Object.entries(codecs)) {
    const stored = values.map(codec.copy)
    result.sets[set][name] = {
      encodeNs: nanoseconds(values, codec.encode),
      decodeNs: nanoseconds(stored, bytes => codec.decode(bytes) !== undefined),
      bytes: stored.reduce((sum, bytes) => sum + bytes.length, 0) / values.length,
    }
  }
}

if (process.argv.includes('--json')) console.log(JSON.stringify(result, null, 2))
else {
  console.log(`Node.js ${result.node}; times are the best of ${ROUNDS}, in brackets the ratio to JSON; lower is better\n`)
  console.log('| values | codec | encode ns | decode ns | bytes |\n| --- | --- | ---: | ---: | ---: |')
  for (const [set, rows] of Object.entries(result.sets)) {
    for (const [name, row] of Object.entries(rows)) {
      const cell = key => `${Math.round(row[key])} (${(row[key] / rows.json[key]).toFixed(2)})`
      console.log(`| ${set} | ${name} | ${cell('encodeNs')} | ${cell('decodeNs')} | ${cell('bytes')} |`)
    }
  }
  console.log('\n| codec | kept or rightly refused | not |\n| --- | ---: | --- |')
  for (const [name, { kept, of, lost }] of Object.entries(result.fidelity))
    console.log(`| ${name} | ${kept} of ${of} | ${lost.join(', ')} |`)
}
if (sink < 0) console.log(sink)
