/** Reading beside a live writer, going back to an older recovery point, and values across a restart, through the public contract. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { open, type Settings } from 'tidemark'
import { failsWith, temporaryFolder } from './temporary.ts'

const ASKED: Settings = { checkpoint: { intervalMs: 0 } }
const READ: Settings = { readOnly: true }

test('a reader beside a live writer sees the newest recovery point and writes nothing', async t => {
  const folder = temporaryFolder(t)
  const store = await open(folder, ASKED)
  const map = store.map<number>('map')
  map.set('a', 1)
  const { epoch } = await store.checkpoint()
  map.set('b', 2)
  const reader = await open(folder, READ)
  assert.equal(reader.readOnly, true)
  assert.equal(reader.restored.epoch, epoch)
  assert.equal(reader.stats().epoch, epoch)
  const found = reader.map<number>('map')
  assert.deepEqual([...found], [['a', 1]])
  await failsWith('TIDEMARK_READ_ONLY', () => found.set('c', 3), { collection: 'map' })
  await failsWith('TIDEMARK_READ_ONLY', () => found.set('a', 1), { collection: 'map' })
  await failsWith('TIDEMARK_READ_ONLY', () => found.delete('a'), { collection: 'map' })
  await failsWith('TIDEMARK_READ_ONLY', () => found.clear(), { collection: 'map' })
  await failsWith('TIDEMARK_READ_ONLY', () => found.update('a', () => 5), { collection: 'map' })
  await failsWith('TIDEMARK_READ_ONLY', () => reader.value('cell', 0).set(1), { collection: 'cell' })
  await failsWith('TIDEMARK_READ_ONLY', () => reader.delete('map'))
  const refused = await failsWith('TIDEMARK_READ_ONLY', () => reader.transaction(() => 1))
  assert.deepEqual([refused.collection, refused.message], [undefined, 'the store is open read-only'])
  await failsWith('TIDEMARK_READ_ONLY', () => reader.checkpoint())
  await failsWith('TIDEMARK_READ_ONLY', () => reader.durable())
  await failsWith('TIDEMARK_READ_ONLY', () => reader.hold(() => 1))
  assert.deepEqual([...found], [['a', 1]])
  await reader.hydrated()
  assert.equal((await reader.recoveryPoints())[0]?.epoch, epoch)
  await store.checkpoint()
  const second = await open(folder, READ)
  assert.equal(second.map('map').size, 2)
  await second.close()
  await reader.close()
  await failsWith('TIDEMARK_CLOSED', () => found.get('a'))
  map.set('c', 3)
  await store.close()
  const last = await open(folder, READ)
  assert.equal(last.map('map').size, 3)
  await last.close()
})

test('any epoch can be read again, by its number and by its time', async t => {
  const folder = temporaryFolder(t)
  const store = await open(folder, ASKED)
  const map = store.map<number>('map')
  const points = []
  for (let n = 1; n <= 5; n++) {
    map.set('n', n)
    map.set(`key ${n}`, n)
    if (n === 4) map.delete('key 1')
    points.push(await store.checkpoint())
    await setTimeout(5)
  }
  await store.close()
  for (const [at, { epoch, time }] of points.entries()) {
    for (const when of [epoch, new Date(time), new Date(time + 1)]) {
      const reader = await open(folder, { ...READ, restore: { at: when } })
      assert.equal(reader.restored.epoch, epoch)
      assert.equal(reader.map<number>('map').get('n'), at + 1)
      assert.equal(reader.map('map').size, at + 2 - (at >= 3 ? 1 : 0))
      await reader.close()
    }
  }
  const listed = await open(folder, READ)
  const recoveryPoints = await listed.recoveryPoints()
  assert.deepEqual(
    recoveryPoints.slice(0, 5).map(point => point.epoch),
    points.map(point => point.epoch).reverse(),
  )
  await listed.close()
  await failsWith('TIDEMARK_NO_SUCH_POINT', () => open(folder, { ...READ, restore: { at: 999 } }), { says: ['999'] })
  await failsWith('TIDEMARK_NO_SUCH_POINT', () => open(folder, { ...READ, restore: { at: new Date(1000) } }))
  await failsWith('TIDEMARK_NO_SUCH_POINT', () => open(folder, { restore: { at: 999 } }))
  const latest = await open(folder, READ)
  assert.equal(latest.map<number>('map').get('n'), 5, 'a failed restore changed nothing')
  await latest.close()
})

test('opened for writing at an older epoch, history goes on from there', async t => {
  const folder = temporaryFolder(t)
  const store = await open(folder, ASKED)
  const map = store.map<string>('map')
  const points = []
  for (const word of ['one', 'two', 'three', 'four']) {
    map.set('word', word)
    map.set(word, word)
    points.push(await store.checkpoint())
  }
  await store.close()
  const fork = await open(folder, { ...ASKED, restore: { at: points[1]?.epoch as number } })
  assert.equal(fork.map('map').get('word'), 'two')
  assert.equal(fork.restored.epoch, points[1]?.epoch)
  fork.map<string>('map').set('word', 'another three')
  const point = await fork.checkpoint()
  assert.ok(point.epoch > (points[1]?.epoch as number))
  await fork.close()
  const after = await open(folder, ASKED)
  assert.deepEqual(
    new Map(after.map('map')),
    new Map([
      ['word', 'another three'],
      ['one', 'one'],
      ['two', 'two'],
    ]),
  )
  assert.equal(after.restored.epoch, point.epoch)
  const epochs = (await after.recoveryPoints()).map(({ epoch }) => epoch)
  assert.equal(epochs[0], point.epoch)
  assert.deepEqual(
    epochs,
    [...epochs].sort((a, b) => b - a),
  )
  await after.close()
})

test('a fork that writes nothing changes nothing that a later restart would see differently', async t => {
  const folder = temporaryFolder(t)
  const store = await open(folder, ASKED)
  const cell = store.value('cell', 0)
  cell.set(1)
  const { epoch } = await store.checkpoint()
  cell.set(2)
  await store.checkpoint()
  await store.close()
  const fork = await open(folder, { ...ASKED, restore: { at: epoch } })
  assert.equal(fork.value('cell', 0).get(), 1)
  await fork.close()
  const again = await open(folder, ASKED)
  assert.ok([1, 2].includes(again.value('cell', 0).get()))
  const reported = (await again.recoveryPoints())[0]?.epoch
  assert.equal(reported, again.restored.epoch)
  await again.close()
})

test('a store without any epoch opens again, empty', async t => {
  const folder = temporaryFolder(t)
  for (let time = 0; time < 3; time++) {
    const store = await open(folder, ASKED)
    assert.deepEqual(await store.recoveryPoints(), [])
    assert.equal(store.restored.epoch, 0)
    await store.close()
  }
  const reader = await open(folder, READ)
  assert.equal(reader.map('map').size, 0)
  await reader.close()
})

/** One of each kind the contract names. */
function samples(): Map<string, unknown> {
  const bare = Object.create(null) as Record<string, unknown>
  bare['a'] = 1
  const proto = JSON.parse('{"__proto__": {"polluted": true}, "constructor": 1}') as unknown
  // biome-ignore lint/suspicious/noSparseArray: sparse arrays are what is tested
  const sparse = [1, , 3, , ,]
  const error = new RangeError('too far', { cause: new TypeError('why') })
  let nested: unknown = 'deep'
  for (let level = 0; level < 990; level++) nested = level % 2 === 0 ? [nested] : { nested }
  return new Map<string, unknown>([
    ['json', { a: [1, 'two', true, false, null, { b: [] }], '': {} }],
    ['undefined', { a: undefined, list: [undefined] }],
    [
      'numbers',
      [0, -0, 1.5, -1e300, 5e-324, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.MIN_SAFE_INTEGER],
    ],
    ['bigints', [0n, -1n, 2n ** 64n, -(2n ** 4000n)]],
    ['dates', [new Date(0), new Date(-1), new Date(8.64e15)]],
    ['invalid date', new Date(Number.NaN)],
    [
      'map',
      new Map<unknown, unknown>([
        [{ key: 1 }, new Map([[1n, -0]])],
        [Number.NaN, undefined],
      ]),
    ],
    ['set', new Set<unknown>([1, '1', 1n, { a: new Set() }, undefined])],
    ['regexps', [/a[/]b\/c/giu, /(?<name>x)/dsy]],
    ['error', error],
    [
      'typed arrays',
      [new Int8Array([-1]), new Uint8ClampedArray([300]), new Uint16Array([65535]), new Int32Array([-5]), new Float32Array([1.5, -0])],
    ],
    ['big arrays', [new BigInt64Array([-1n]), new BigUint64Array([2n ** 63n]), new Float64Array([Number.NaN, Number.MAX_VALUE])]],
    ['bytes', new Uint8Array([1, 2, 3])],
    ['buffer', Buffer.from('buffer')],
    ['array buffer', new Uint8Array([9, 8]).buffer],
    ['data view', new DataView(new Uint8Array([7, 6, 5]).buffer)],
    ['surrogates', ['\ud800', 'a\udfffb', '😀']],
    ['own proto', proto],
    ['null prototype', bare],
    ['sparse', sparse],
    ['nested', nested],
    ['long text', 'tide '.repeat(100_000)],
    ['many bytes', new Uint8Array(300_000).fill(7)],
  ])
}

test('values come back exactly as they went in', async t => {
  const folder = temporaryFolder(t)
  const store = await open(folder, ASKED)
  for (const [name, value] of samples()) {
    store.map<unknown>('values').set(name, value)
    store.value<unknown>(`cell ${name}`, 0).set(value)
  }
  await store.checkpoint()
  await store.close()
  for (const settings of [READ, ASKED, ASKED]) {
    const again = await open(folder, settings)
    const found = again.map<unknown>('values')
    const expected = samples()
    assert.equal(found.size, expected.size)
    for (const [name, value] of expected) {
      for (const got of [found.get(name), again.value<unknown>(`cell ${name}`, 0).get()]) {
        if (name === 'invalid date') assert.ok(got instanceof Date && Number.isNaN(got.getTime()))
        else assert.deepStrictEqual(got, value, name)
        if (typeof value === 'object' && value !== null) assert.equal(Object.getPrototypeOf(got), Object.getPrototypeOf(value), name)
      }
    }
    const sparse = found.get('sparse') as unknown[]
    assert.deepEqual(Object.keys(sparse), ['0', '2'])
    assert.equal(sparse.length, 5)
    const proto = found.get('own proto') as object
    assert.deepEqual(Object.keys(proto), ['__proto__', 'constructor'])
    assert.equal(({} as { polluted?: boolean }).polluted, undefined)
    assert.ok(Object.is((found.get('numbers') as number[])[1], -0))
    await again.close()
  }
})

test('keys come back exactly as they went in', async t => {
  const folder = temporaryFolder(t)
  const keys = [
    '',
    'a',
    '\ud800',
    '\udfff\ud800',
    '__proto__',
    'a\0b',
    'é',
    1,
    '1',
    1n,
    0,
    -1,
    1.5,
    5e-324,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    2n ** 300n,
    -(2n ** 300n),
    'k'.repeat(60_000),
  ]
  const store = await open(folder, ASKED)
  for (const [at, key] of keys.entries()) store.map<number, string | number | bigint>('keyed').set(key, at)
  await store.close()
  const again = await open(folder, ASKED)
  const found = again.map<number, string | number | bigint>('keyed')
  assert.equal(found.size, keys.length)
  for (const [at, key] of keys.entries()) assert.equal(found.get(key), at)
  for (const key of keys) found.delete(key)
  await again.close()
  const empty = await open(folder, ASKED)
  assert.equal(empty.map('keyed').size, 0)
  await empty.close()
})

test('a shared object comes back as separate copies', async t => {
  const folder = temporaryFolder(t)
  const store = await open(folder, ASKED)
  const shared = { n: 1 }
  store.map<unknown>('map').set('pair', [shared, shared])
  await store.close()
  const again = await open(folder, ASKED)
  const pair = again.map<unknown[]>('map').get('pair') as { n: number }[]
  assert.deepEqual(pair, [{ n: 1 }, { n: 1 }])
  assert.notEqual(pair[0], pair[1])
  await again.close()
})

test('what is set between a barrier and its commit belongs to the next epoch', async t => {
  const folder = temporaryFolder(t)
  const store = await open(folder, ASKED)
  const map = store.map<{ n: number }, number>('map')
  for (let at = 0; at < 20_000; at++) map.set(at, { n: 0 })
  const first = store.checkpoint()
  for (let at = 0; at < 20_000; at += 7) map.update(at, value => void (value.n = 1))
  for (let at = 3; at < 20_000; at += 7) map.delete(at)
  for (let at = 20_000; at < 21_000; at++) map.set(at, { n: 1 })
  const { epoch, entries } = await first
  assert.equal(entries, 20_000)
  const reader = await open(folder, { ...READ, restore: { at: epoch } })
  const found = reader.map<{ n: number }, number>('map')
  assert.equal(found.size, 20_000)
  for (const value of found.values()) assert.equal(value.n, 0)
  await reader.close()
  await store.close()
  const again = await open(folder, ASKED)
  assert.deepEqual(new Map(again.map('map')).size, 20_000 - 2857 + 1000)
  for (const [key, value] of again.map<{ n: number }, number>('map'))
    assert.equal(value.n, key >= 20_000 || key % 7 === 0 ? 1 : 0, `key ${key}`)
  await again.close()
})
