/** The public contract: collections and transactions, as a service sees them. Everything through real files. */
import assert from 'node:assert/strict'
import { closeSync, existsSync, mkdirSync, readdirSync, readlinkSync, realpathSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { copy, explain, open, profile, recoveryPoints, type Settings, verify } from 'tidemark'
import { failsWith, temporaryFolder } from './temporary.ts'

const ASKED: Settings = { checkpoint: { intervalMs: 0 } }

test('open makes the directory, with those above it, for its owner alone', async t => {
  const folder = join(temporaryFolder(t), 'deep', 'state')
  const store = await open(folder)
  assert.equal(store.directory, folder)
  assert.equal(store.readOnly, false)
  assert.equal(store.status, 'ok')
  if (process.platform !== 'win32') assert.equal(statSync(folder).mode & 0o077, 0)
  await store.close()
  assert.ok(existsSync(folder))
})

test('close gives back all the rest where somebody has closed the descriptor of the lock', async t => {
  if (!existsSync('/proc/self/fd')) return t.skip('this system does not list descriptors')
  const folder = realpathSync(temporaryFolder(t))
  const opened = (): string[] =>
    readdirSync('/proc/self/fd').filter(name => {
      try {
        return readlinkSync(`/proc/self/fd/${name}`).startsWith(folder)
      } catch {
        return false
      }
    })
  const store = await open(folder, ASKED)
  store.map<number>('map').set('x', 1)
  await store.checkpoint()
  const isLock = (name: string): boolean => {
    try {
      return readlinkSync(`/proc/self/fd/${name}`).endsWith('/lock')
    } catch {
      // One of the writer's, closed meanwhile.
      return false
    }
  }
  for (const name of opened()) if (isLock(name)) closeSync(Number(name))
  await store.close()
  assert.deepEqual(opened(), [])
  await using again = await open(folder, ASKED)
  assert.equal(again.map<number>('map').get('x'), 1)
})

test('a relative path is that of the call, wherever the process stands when the engine looks at it', async t => {
  const before = process.cwd()
  t.after(() => process.chdir(before))
  const here = realpathSync(temporaryFolder(t))
  const there = join(here, 'elsewhere')
  mkdirSync(there)
  const from = <T>(call: () => Promise<T>): Promise<T> => {
    process.chdir(here)
    const promise = call()
    process.chdir(there)
    return promise
  }
  const store = await from(() => open('state'))
  assert.equal(store.directory, join(here, 'state'))
  store.map('map').set('key', 1)
  await store.close()
  assert.equal((await from(() => verify('state'))).ok, true)
  assert.equal((await from(() => copy('state', 'copied'))).entries, 1)
  assert.ok(existsSync(join(here, 'copied')))
  assert.equal((await from(() => profile('state'))).ok, true)
  assert.equal((await from(() => recoveryPoints('state'))).length, 1)
  await from(() => explain('state'))
})

test('a map is a Map: every method, in insertion order', async t => {
  await using store = await open(temporaryFolder(t))
  const map = store.map<number, string | number | bigint>('map')
  const model = new Map<string | number | bigint, number>()
  assert.ok(!(map instanceof Map), 'it has the interface, not the class')
  assert.equal(store.map('map'), map, 'the same name gives the same object')
  for (const target of [map, model]) {
    assert.equal(target.set('b', 1), target)
    target.set('a', 2).set(1, 3).set('1', 4).set(1n, 5).set(-0, 6).set(0, 7).set(Number.NaN, 8)
    target.set('b', 9)
    assert.equal(target.delete('a'), true)
    assert.equal(target.delete('a'), false)
    target.set('a', 10)
  }
  assert.deepEqual([...map], [...model])
  assert.deepEqual([...map.keys()], ['b', 1, '1', 1n, 0, Number.NaN, 'a'])
  assert.deepEqual([...map.values()], [...model.values()])
  assert.deepEqual([...map.entries()], [...model.entries()])
  assert.equal(map.size, model.size)
  assert.equal(map.get(-0), 7)
  assert.equal(map.has(Number.NaN), true)
  const visited: unknown[] = []
  map.forEach(function (this: unknown, value, key, all) {
    visited.push([key, value, all === map, this])
  }, 'this')
  assert.deepEqual(
    visited,
    [...model].map(([key, value]) => [key, value, true, 'this']),
  )
  assert.equal(Object.prototype.toString.call(map), '[object TidemarkMap]')
  // The last two on a Node.js whose Map does not have them yet, too.
  for (const name of [...Reflect.ownKeys(Map.prototype), 'getOrInsert', 'getOrInsertComputed'])
    assert.ok(Object.hasOwn(Object.getPrototypeOf(map), name), String(name))
  map.clear()
  assert.equal(map.size, 0)
  assert.deepEqual([...map], [])
})

test('forEach takes a function, and asks for no entry without one', async t => {
  const folder = temporaryFolder(t)
  const settings = { checkpoint: { intervalMs: 0 }, restore: { hydrate: 'on-demand' } } as const
  const store = await open(folder, settings)
  const empty = store.map('empty')
  let decoded = 0
  const codec = { name: 'one', encode: () => Buffer.from([1]), decode: () => ++decoded }
  store.map('map', { codec }).set('a', 1)
  await store.checkpoint()
  const reader = await open(folder, { ...settings, readOnly: true })
  const stored = reader.map('map', { codec })
  for (const given of [undefined, null, 5, {}] as never[]) {
    await failsWith('TIDEMARK_ARGUMENT', () => empty.forEach(given), { collection: 'empty', says: ['forEach takes a function'] })
    await failsWith('TIDEMARK_ARGUMENT', () => stored.forEach(given), { collection: 'map', says: ['forEach takes a function'] })
  }
  assert.equal(decoded, 0)
  stored.forEach((value, key) => void assert.deepEqual([key, value], ['a', 1]))
  assert.equal(decoded, 1)
  await reader.close()
  await store.close()
})

test('while it is in memory, get gives the same object', async t => {
  await using store = await open(temporaryFolder(t), ASKED)
  const map = store.map<{ n: number }>('map')
  const value = { n: 1 }
  map.set('key', value)
  assert.equal(map.get('key'), value)
  await store.checkpoint()
  assert.equal(map.get('key'), value)
})

test('iteration sees what is added and removed meanwhile, as with a Map', async t => {
  await using store = await open(temporaryFolder(t))
  const run = (map: Map<number, number>): number[] => {
    for (let at = 0; at < 10; at++) map.set(at, at)
    const seen: number[] = []
    for (const [key] of map) {
      seen.push(key)
      if (key === 2) map.delete(3)
      if (key === 4) map.set(100, 100)
      if (key === 5) {
        map.delete(1)
        map.set(1, 1)
      }
      if (key === 100) map.clear()
      if (seen.length === 11) map.set(200, 200)
    }
    return seen
  }
  assert.deepEqual(run(store.map<number, number>('map')), run(new Map()))
})

test('update changes in place, replaces, and leaves what is absent absent', async t => {
  const folder = temporaryFolder(t)
  const store = await open(folder, ASKED)
  const map = store.map<{ n: number }>('map')
  map.set('a', { n: 1 })
  const object = map.get('a')
  await store.checkpoint()
  assert.equal(
    map.update('a', value => void value.n++),
    object,
  )
  map.update('b', (value: { n: number } | undefined) => value ?? { n: 10 })
  assert.equal(
    map.update('missing', () => undefined),
    undefined,
  )
  assert.equal(map.has('missing'), false)
  assert.throws(() =>
    map.update('a', value => {
      value.n = 99
      throw new Error('half way')
    }),
  )
  await store.close()
  const again = await open(folder)
  assert.deepEqual(
    new Map(again.map('map')),
    new Map([
      ['a', { n: 99 }],
      ['b', { n: 10 }],
    ]),
    'what memory had is what is durable',
  )
  await again.close()
})

test('null, undefined and absent differ, in maps and cells, after a restart too', async t => {
  const folder = temporaryFolder(t)
  const store = await open(folder)
  const map = store.map<null | undefined>('map')
  map.set('null', null).set('undefined', undefined)
  store.value<unknown>('null', 1).set(null)
  store.value<unknown>('undefined', 1).set(undefined)
  store.value<unknown>('untouched', 1)
  await store.close()
  const again = await open(folder)
  const found = again.map<null | undefined>('map')
  assert.equal(found.get('null'), null)
  assert.equal(found.get('undefined'), undefined)
  assert.equal(found.has('undefined'), true)
  assert.equal(found.has('absent'), false)
  assert.equal(found.size, 2)
  assert.equal(again.value<unknown>('null', 2).get(), null)
  assert.equal(again.value<unknown>('undefined', 2).get(), undefined)
  assert.equal(again.value<unknown>('untouched', 2).get(), 2)
  await again.close()
})

test('an initial value is given but not stored until set', async t => {
  const folder = temporaryFolder(t)
  const first = await open(folder, ASKED)
  const initial = { n: 5 }
  const cell = first.value('cell', initial)
  assert.equal(cell.get(), initial)
  assert.equal(first.value('none').get(), undefined)
  await first.checkpoint()
  await first.close()
  const second = await open(folder)
  assert.deepEqual(second.value('cell', { n: 6 }).get(), { n: 6 })
  second.value('cell', { n: 6 }).update(value => void value.n++)
  second.value('counter', 0).update(n => n + 1)
  await second.close()
  const third = await open(folder)
  assert.deepEqual(third.value('cell', { n: 0 }).get(), { n: 7 })
  assert.equal(third.value('counter', 0).get(), 1)
  await third.close()
})

test('clear and delete of whole collections last', async t => {
  const folder = temporaryFolder(t)
  const store = await open(folder, ASKED)
  for (const name of ['kept', 'cleared', 'dropped', 'turned']) for (let at = 0; at < 100; at++) store.map<number>(name).set(`key ${at}`, at)
  await store.checkpoint()
  store.map('cleared').clear()
  store.map<number>('cleared').set('new', 1)
  const dropped = store.map<number>('dropped')
  assert.equal(store.delete('dropped'), true)
  assert.equal(store.delete('dropped'), false)
  assert.throws(() => dropped.get('key 1'), { code: 'TIDEMARK_CLOSED' })
  assert.throws(() => dropped.set('key 1', 1), { code: 'TIDEMARK_CLOSED' })
  store.delete('turned')
  store.value('turned', '').set('now a value')
  await store.close()
  const again = await open(folder)
  assert.equal(again.map('kept').size, 100)
  assert.deepEqual([...again.map('cleared')], [['new', 1]])
  assert.equal(again.map('dropped').size, 0)
  assert.equal(again.value('turned', '').get(), 'now a value')
  await again.close()
})

test('the order after a restart is that of the keys, then that of insertion', async t => {
  const folder = temporaryFolder(t)
  const store = await open(folder)
  const map = store.map<number, string | number | bigint>('map')
  const keys = ['b', 10n, 2, 'a', -5, 1n, 'ab', 1.5, -1n, '', 'B', Number.NaN, 0, 2n ** 80n, Number.NEGATIVE_INFINITY]
  for (const key of keys) map.set(key, 1)
  assert.deepEqual([...map.keys()], keys)
  await store.close()
  const again = await open(folder)
  const found = again.map<number, string | number | bigint>('map')
  const order = [...found.keys()]
  assert.deepEqual(new Set(order), new Set(keys))
  assert.equal(order.length, keys.length)
  const of = (type: string) => order.filter(key => typeof key === type)
  assert.deepEqual(of('string'), ['', 'B', 'a', 'ab', 'b'])
  assert.deepEqual(of('bigint'), [-1n, 1n, 10n, 2n ** 80n])
  assert.deepEqual(
    of('number').filter(key => !Number.isNaN(key as number)),
    [Number.NEGATIVE_INFINITY, -5, 0, 1.5, 2],
  )
  found.set('aa', 2)
  found.delete('a')
  found.set('a', 3)
  assert.deepEqual([...found.keys()].slice(-2), ['aa', 'a'])
  await again.close()
})

test('a transaction counts whole or not at all, over all collections', async t => {
  const folder = temporaryFolder(t)
  const store = await open(folder, ASKED)
  const map = store.map<{ n: number }>('map')
  const other = store.map<string, number>('other')
  const cell = store.value('cell', 0)
  map.set('a', { n: 1 })
  map.set('b', { n: 2 })
  other.set(1, 'one').set(2, 'two')
  assert.equal(
    store.transaction(() => 'result'),
    'result',
  )
  const reason = new Error('no')
  assert.throws(
    () =>
      store.transaction(() => {
        map.update('a', value => void (value.n = 10))
        const b = map.get('b') as { n: number }
        b.n = 20
        map.set('b', b)
        map.set('c', { n: 30 })
        other.clear()
        other.set(3, 'three')
        cell.set(5)
        store.transaction(() => void map.delete('a'))
        throw reason
      }),
    reason,
  )
  const state = {
    map: new Map([
      ['a', { n: 1 }],
      ['b', { n: 2 }],
    ]),
    other: new Map([
      [1, 'one'],
      [2, 'two'],
    ]),
  }
  assert.deepEqual({ map: new Map(map), other: new Map(other) }, state)
  assert.equal(cell.get(), 0)
  await store.close()
  const again = await open(folder)
  assert.deepEqual({ map: new Map(again.map('map')), other: new Map(again.map<string, number>('other')) }, state)
  assert.equal(again.value('cell', 0).get(), 0)
  await again.close()
})

test('an object changed before the transaction got it is refused there', async t => {
  await using store = await open(temporaryFolder(t))
  const map = store.map<{ n: number }>('map')
  const value = { n: 1 }
  map.set('key', value)
  await failsWith(
    'TIDEMARK_TRANSACTION_STALE',
    () =>
      store.transaction(() => {
        value.n++
        map.set('key', value)
      }),
    { collection: 'map', key: 'key' },
  )
})
