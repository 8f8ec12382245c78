/** What show makes of an entry and of keys: what was asked for, all of it, and no more. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inspect } from 'node:util'
import { type Codec, defaultCodec, open } from 'tidemark'
import { shown } from '../src/tools/show.ts'
import type { Entries } from '../src/tools/stores.ts'
import { json, MANUAL, run } from './support/cli.ts'
import { temporaryFolder } from './temporary.ts'

const TEXT = { all: false, json: false }
const JSON_OF = { all: false, json: true }
const MANY = 1_000_000

/** Of a value that is too long for it. */
const tooLong: Codec = {
  name: 'tide1',
  encode: () => {
    throw new RangeError('Cannot create a string longer than 0x1fffffe8 characters')
  },
  decode: bytes => bytes,
}

function cell(value: unknown): Entries {
  const entry: [string, unknown] = ['value', value]
  const about = { name: 'cell', kind: 'value', codec: 'tide1', size: 1 } as const
  return { ...about, has: key => key === 'value', get: () => value, keys: () => ['value'], scan: () => [entry] }
}

test('a value is said as what was asked for alone: one that no line of JSON takes has a text', () => {
  const bytes = cell(Buffer.from([1, 2, 255]))
  assert.equal([...shown(bytes, tooLong, TEXT)].join(''), '<Buffer 01 02 ff>\n')
  assert.throws(() => [...shown(bytes, tooLong, JSON_OF)], {
    message: /^the value cannot be shown as JSON: Cannot create a string longer/,
    hint: /tidemark copy/,
    status: 1,
  })
  const silent = {
    [inspect.custom]: () => {
      throw new Error('as text')
    },
  }
  assert.throws(() => [...shown(cell(silent), tooLong, TEXT)], { message: /^the value cannot be shown as text: as text/, status: 1 })
  assert.throws(() => [...shown(cell(silent), tooLong, JSON_OF)], { message: /^the value cannot be shown as JSON/ })
})

test('a value that is nested too deep for a text is refused as text, and no other for what it says', async () => {
  const codec = await defaultCodec()
  const nested = (levels: number): unknown => {
    let value: unknown = '[Array: Inspection interrupted prematurely. Maximum call stack size exceeded.]'
    for (let level = 0; level < levels; level++) value = level % 3 === 0 ? { value } : level % 3 === 1 ? new Map([[value, 1]]) : [value]
    return value
  }
  assert.match([...shown(cell(nested(200)), codec, TEXT)].join(''), /'\[Array: Inspection interrupted/)
  assert.throws(() => [...shown(cell(nested(1000)), codec, TEXT)], { message: /nested too deep/, hint: /--json/, status: 1 })
  assert.match([...shown(cell(nested(1000)), codec, JSON_OF)].join(''), /"\$":/)
  const ended = {
    [inspect.custom]: () => {
      throw new RangeError('Maximum call stack size exceeded')
    },
  }
  assert.throws(() => [...shown(cell([ended]), codec, TEXT)], { message: /nested too deep/ })
})

test('of bytes all are shown, in pieces, alone and inside of a value', async () => {
  const codec = await defaultCodec()
  const text = (value: unknown): string => [...shown(cell(value), codec, TEXT)].join('')
  const bytes = Buffer.from(Array.from({ length: 100_000 }, (_, at) => at % 251))
  const hex = [...bytes].map(byte => byte.toString(16).padStart(2, '0')).join(' ')
  assert.equal(text(bytes), `<Buffer ${hex}>\n`)
  assert.equal(text(new Uint8Array(bytes)), `Uint8Array(100000) <${hex}>\n`)
  assert.equal(text(Buffer.alloc(0)), '<Buffer >\n')
  assert.ok([...shown(cell(bytes), codec, TEXT)].every(({ length }) => length < 65_536))
  const few = bytes.subarray(0, 60)
  assert.match(text({ few }), new RegExp(`<Buffer ${hex.slice(0, 3 * 60 - 1)}>`))
  // Node.js goes on as before.
  assert.match(inspect(few), /10 more bytes/)
})

test('an ArrayBuffer and a DataView are shown whole, alone and inside of a value, as deep as any other', async () => {
  const codec = await defaultCodec()
  const text = (value: unknown): string => [...shown(cell(codec.decode(codec.encode(value))), codec, TEXT)].join('')
  const bytes = Uint8Array.from({ length: 150 }, (_, at) => at)
  const contents = `[Uint8Contents]: <${Buffer.from(bytes)
    .toString('hex')
    .replace(/..(?=.)/g, '$& ')}>`
  const nested = (value: unknown, levels: number): unknown => (levels === 0 ? value : [nested(value, levels - 1)])
  for (const value of [bytes.buffer, new DataView(bytes.buffer)]) {
    for (const shape of [value, { value }, new Map([[1, [value, value]]]), nested(value, 199)]) assert.ok(text(shape).includes(contents))
    assert.throws(() => text(nested(value, 201)), { message: /nested too deep/ })
  }
})

test('a key is the number that was typed, in whatever form, and none that it would be rounded to', async () => {
  const codec = await defaultCodec()
  const map = new Map<unknown, unknown>(
    [
      0,
      5,
      7,
      15,
      16,
      0.5,
      2 ** 53,
      1e23,
      Number.MAX_VALUE,
      Number.POSITIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
      Number.NaN,
      2n ** 53n + 1n,
    ].map(key => [key, key]),
  )
  const entries: Entries = { ...cell(undefined), kind: 'map', has: key => map.has(key), get: key => map.get(key) }
  const shownAt = (typed: string): string => [...shown(entries, codec, { ...TEXT, typed })].join('').trimEnd()
  const zeros = '0'.repeat(23)
  for (const typed of [
    '1e400',
    '-1e400',
    '1e-400',
    '-1e-400',
    '9007199254740993.0',
    '9007199254740993.',
    '9.007199254740993e15',
    '+9007199254740993',
  ])
    assert.throws(() => shownAt(typed), { message: `'cell' has no key ${typed}` }, typed)
  for (const typed of [
    '+1e-400',
    '.1e-400',
    '0x20000000000001',
    '0x',
    '0x10n',
    '-0x10',
    `0x${'f'.repeat(400)}`,
    '7.00000000000000000001',
    `1${zeros}`,
    '9'.repeat(400),
    '+Infinity',
    ' ',
    '.',
    'nan',
  ])
    assert.throws(() => shownAt(typed), { message: `'cell' has no key ${typed}` }, typed)
  for (const [typed, value] of [
    ...(['0', '-0', '0.0', '0e5', '.0', '00'] as const).map(typed => [typed, 0] as const),
    ...(['7', '7.0', '7.', '70e-1', '0.7E1', '+7', '007', ' 7 '] as const).map(typed => [typed, 7] as const),
    ...(['0x10', '0X10', ' 0x10 ', '0o20', '0b10000', '1.6e1'] as const).map(typed => [typed, 16] as const),
    ['0b101', 5],
    ['0o17', 15],
    ['0xF', 15],
    ['0x20000000000000', 2 ** 53],
    ...(['0.5', '.5', '5e-1', '00.50'] as const).map(typed => [typed, 0.5] as const),
    ...(['9007199254740992', '9007199254740992.0', '9.007199254740992e+15'] as const).map(typed => [typed, 2 ** 53] as const),
    ...(['1e23', '1e+23', '10.0e22'] as const).map(typed => [typed, 1e23] as const),
    ['1.7976931348623157e+308', Number.MAX_VALUE],
    ['Infinity', Number.POSITIVE_INFINITY],
    ['-Infinity', Number.NEGATIVE_INFINITY],
    ['NaN', Number.NaN],
    ['9007199254740993', 2n ** 53n + 1n],
    ['9007199254740993n', 2n ** 53n + 1n],
  ] as const)
    assert.equal(shownAt(typed), inspect(value), typed)
})

test('keys are said as they are read, however many there are', async () => {
  const codec = await defaultCodec()
  let read = 0
  const entries: Entries = {
    ...cell(undefined),
    kind: 'map',
    size: MANY,
    *keys() {
      for (; read < MANY; ) yield read++
    },
  }
  const first = (asked: Parameters<typeof shown>[2]): string[] => {
    read = 0
    const found: string[] = []
    for (const piece of shown(entries, codec, asked)) {
      found.push(piece)
      if (found.length === 4) break
    }
    assert.ok(read <= 4, `${read}`)
    return found
  }
  assert.deepEqual(first({ all: true, json: false }), ['0\n', '1\n', '2\n', '3\n'])
  assert.deepEqual(first({ all: true, json: true }).slice(1), ['0', ',1', ',2'])
})

test('what show writes is one line of JSON, with keys in the same way as without them, and the rest is counted', async t => {
  const folder = temporaryFolder(t)
  const store = await open(folder, MANUAL)
  const map = store.map<unknown, string | number | bigint>('map')
  const bytes = Buffer.alloc(200_000, 7)
  map.set('bytes', bytes)
  for (let at = 0; at < 20_000; at++) map.set(at, 0)
  map.set(7n, 0)
  store.map('empty')
  await store.close()
  const keys = [7n, ...Array.from({ length: 20_000 }, (_, at) => at), 'bytes']
  const codec = await defaultCodec()
  const all = json('show', folder, 'map', '--all') as { entries: number; keys: unknown[] }
  assert.deepEqual({ ...all, keys: all.keys.length }, { collection: 'map', kind: 'map', codec: 'tide1', entries: 20_002, keys: 20_002 })
  assert.deepEqual(new Set(all.keys.map(key => (typeof key === 'object' ? 7n : key))), new Set(keys))
  assert.deepEqual(json('show', folder, 'empty'), { collection: 'empty', kind: 'map', codec: 'tide1', entries: 0, keys: [] })
  assert.match(run(['show', folder, 'map']).out, /\nand 19902 more: --all\n$/)
  assert.equal(run(['show', folder, 'map', 'bytes']).out, `<Buffer${' 07'.repeat(200_000)}>\n`)
  const { value } = json('show', folder, 'map', 'bytes') as { value: { $: string } }
  assert.deepEqual(codec.decode(Buffer.from(value.$, 'base64')), bytes)
})
