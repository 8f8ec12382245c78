/** What leaves a store as lines of JSON and comes back. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { pipeline } from 'node:stream/promises'
import { test } from 'node:test'
import fc from 'fast-check'
import { defaultCodec, open } from 'tidemark'
import { anyValue, assertExact, gaps } from '../src/codec/exact.test.ts'
import { differences } from '../src/tools/look.ts'
import { Contents, reading } from '../src/tools/stores.ts'
import { restore } from '../src/tools/transfer.ts'
import { say, unsay } from '../src/tools/values.ts'
import { cli, fails, json, json1, LINE, MANUAL, make, run } from './support/cli.ts'
import { temporaryFolder } from './temporary.ts'

/** What export writes of so many entries. */
const exported = (...lines: string[]): string => `{"tidemark":1}\n${lines.join('\n')}\n{"end":{"entries":${lines.length}}}\n`

const shared = { shared: true }
const VALUES: readonly unknown[] = [
  undefined,
  null,
  true,
  0,
  -0,
  1.5,
  Number.NaN,
  Infinity,
  -Infinity,
  '',
  'ä\u2028\r\n\ud800"',
  2n ** 70n,
  -1n,
  new Date(5),
  new Date(Number.NaN),
  /a+/gi,
  new Map<unknown, unknown>([[1n, new Set([undefined])]]),
  new Uint8Array([1, 2]),
  new Float64Array([-0]),
  new ArrayBuffer(3),
  gaps([1, 2, 3], 1),
  { a: undefined },
  { $: 'text' },
  { deep: [{ $: 1 }] },
  [shared, shared],
  new Error('no'),
  { plain: [1, 'two', null, { three: false }] },
  Object.create(null),
  JSON.parse('{"__proto__": 1}'),
]
const KEYS: readonly (string | number | bigint)[] = [
  '',
  'a\u2029\n',
  '\ud800',
  '7',
  7,
  7n,
  -1n,
  Number.NaN,
  Infinity,
  -Infinity,
  0.1,
  2n ** 80n,
]

test('export | import gives every kind of value and key back exactly', async t => {
  const [from, to] = [temporaryFolder(t), temporaryFolder(t)]
  const store = await open(from, MANUAL)
  const values = store.map<unknown, number>('values')
  for (const [at, value] of VALUES.entries()) values.set(at, value)
  const keys = store.map<unknown, string | number | bigint>('keys')
  for (const key of KEYS) keys.set(key, String(key))
  store.value<unknown>('undefined').set(undefined)
  store.value('never', 1)
  store.map('empty')
  store.map<unknown>('own', { codec: json1 }).set('a', { list: [1] })
  await store.close()
  const lines = run(['export', from])
  assert.equal(lines.status, 0, lines.err)
  assert.ok(lines.out.includes('"value":{"plain":[1,"two",null,{"three":false}]}'))
  const imported = run(['import', to, '--json'], lines.out)
  assert.equal(imported.status, 0, imported.err)
  assert.deepEqual(JSON.parse(imported.out), { entries: VALUES.length + KEYS.length + 2, epoch: 1 })
  assert.equal(run(['export', to]).out, lines.out)
  assert.deepEqual(json('status', to) && Object.keys((await statsOf(to)).collections).sort(), [
    'empty',
    'keys',
    'never',
    'own',
    'undefined',
    'values',
  ])
  const again = await open(to, { readOnly: true })
  for (const [at, value] of VALUES.entries()) assertExact(again.map<unknown, number>('values').get(at), value)
  assert.deepEqual(new Set(again.map<unknown, string | number | bigint>('keys').keys()), new Set(KEYS))
  assert.equal(again.value<unknown>('undefined', 'unset').get(), undefined)
  assert.equal(again.value<unknown>('never', 'unset').get(), 'unset')
  assert.deepEqual(again.map('own', { codec: json1 }).get('a'), { list: [1] })
  await again.close()
})

test('what is asked of a store as a whole is asked once, however many collections it has', async t => {
  const folder = temporaryFolder(t)
  const store = await open(folder, MANUAL)
  for (let at = 0; at < 50; at++) store.map<number>(`map ${at}`).set('key', at)
  await store.checkpoint()
  store.map<number>('map 7').set('key', 0)
  await store.checkpoint()
  await store.close()
  const asked = t.mock.method(Object.getPrototypeOf(store) as typeof store, 'stats').mock
  const codec = await defaultCodec()
  const changes = await reading(folder, 1, older =>
    reading(folder, 2, newer => [...differences(new Contents(older), new Contents(newer), codec, false)]),
  )
  assert.deepEqual(changes, ['  "map 7"\n', '  * "key"\n'])
  assert.equal(asked.callCount(), 2)
  await restore.run({ positionals: [folder], flags: { to: '1' } })
  assert.equal(asked.callCount(), 3)
})

async function statsOf(folder: string) {
  const store = await open(folder, { readOnly: true })
  const stats = store.stats()
  await store.close()
  return stats
}

test('any value is said in JSON and back exactly', async () => {
  const codec = await defaultCodec()
  fc.assert(
    fc.property(anyValue, value => assertExact(unsay(codec, JSON.parse(JSON.stringify(say(codec, value)))), value)),
    { numRuns: 500 },
  )
})

test('a value of too many objects, or with too long an array in it, is said as bytes', async () => {
  const codec = await defaultCodec()
  for (const [value, isPlain] of [
    [[1, 2, 3], true],
    [[1, 2, 3, 4], false],
    [[[1, 2, 3, 4]], false],
    [{ a: 1, b: 2, c: 3, d: 4 }, true],
    [[{}, { a: [] }], false],
    [[{}, []], true],
  ] as const) {
    const said = say(codec, value, 3)
    assert.equal(said === value, isPlain, JSON.stringify(value))
    assertExact(unsay(codec, JSON.parse(JSON.stringify(said))), value)
  }
})

test('export takes one collection and an epoch; import refuses a line that is none, and says what is stored', async t => {
  const folder = await make(temporaryFolder(t))
  assert.equal(run(['export', folder, '--collection', 'late']).out, exported('{"collection":"late","kind":"map","key":"x","value":1}'))
  assert.equal(
    run(['export', folder, '--collection', 'total', '--at', '1']).out,
    exported('{"collection":"total","kind":"value","key":"value","value":1}'),
  )
  fails(1, /no collection 'total'/, 'export', folder, '--collection', 'total')
  const line = LINE
  for (const bad of [
    '{',
    '7',
    'null',
    '{}',
    '{"collection":"a","kind":"list"}',
    '{"collection":"a","kind":"map","key":true,"value":1}',
    '{"collection":"a","kind":"map","key":"k"}',
    '{"collection":"b","kind":"value","value":1}',
    '{"collection":"a","kind":"map","Key":"k","value":1}',
    '{"collection":"a","kind":"map","key":"k","value":{"$":"AAAA"}}',
    '{"collection":"a","kind":"value","key":"k","value":1}',
  ]) {
    const { status, err } = run(['import', temporaryFolder(t)], `${line}\n${bad}\n`)
    assert.equal(status, 1, bad)
    assert.match(err, /line 3 is none of an export/, bad)
    assert.match(err, /the 0 entries of the batches before it are stored/)
  }
  const target = temporaryFolder(t)
  const { status, err } = run(['import', target], `${line.repeat(1000)}{`)
  assert.equal(status, 1)
  assert.match(err, /line 1001 .*\n.*the 1000 entries/)
  assert.equal(run(['show', target, 'a', 'k']).out, '1\n')
})

test('lines may end anywhere in what is read at once, and the first may have a byte order mark', async t => {
  const folder = temporaryFolder(t)
  const long = 'ä\u2028'.repeat(100_000)
  const lines = [long, 'short', '\ufeff', long].map((value, key) => JSON.stringify({ collection: 'a', kind: 'map', key, value }))
  const { status, err } = run(['import', folder], `\ufeff${lines.join('\n')}`)
  assert.equal(status, 0, err)
  assert.equal(run(['export', folder]).out, exported(...lines))
})

/** Starts an import in a heap of so many MiB, and gives it lines as fast as it takes them. */
async function importIn(heapMib: number, folder: string, lines: Iterable<string>): Promise<{ status: number | null; err: string }> {
  const child = spawn(process.execPath, [`--max-old-space-size=${heapMib}`, cli, 'import', folder], { stdio: ['pipe', 'ignore', 'pipe'] })
  let err = ''
  child.stderr.setEncoding('utf8').on('data', text => {
    err += text
  })
  const ended = once(child, 'close')
  // One that died takes no more.
  await pipeline(lines, child.stdin).catch(() => {})
  await ended
  return { status: child.exitCode, err }
}

test('import holds a bounded part of the store in memory', { timeout: 240_000 }, async t => {
  function* many(count: number, characters: number): Generator<string> {
    const text = 'x'.repeat(characters)
    for (let key = 0; key < count; key++) yield `{"collection":"a","kind":"map","key":${key},"value":"${key} ${text}"}\n`
  }
  const folder = temporaryFolder(t)
  // Half as much again as the heap, in values of which a thousand are small, and in some of which a thousand are more than the heap.
  for (const [count, characters] of [
    [120_000, 2000],
    [250, 1_000_000],
  ] as const) {
    const { status, err } = await importIn(160, folder, many(count, characters))
    assert.equal(status, 0, err)
  }
  const store = await statsOf(folder)
  assert.equal(store.collections['a']?.entries, 120_000)
})
