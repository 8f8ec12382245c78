/** Debug mode: what was changed without a word is named, what was declared never is. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { systemScheduler } from '../../src/base/scheduler.ts'
import { Untracked } from '../../src/capture/index.ts'
import { KeySet } from '../../src/capture/key-set.ts'
import type { Key } from '../../src/codec/index.ts'
import { openStore } from '../../src/open.ts'
import { MemoryDisk, MemoryStorage } from '../../src/storage/index.ts'
import type { Store } from '../../src/store.ts'
import { Rig } from '../support/capture-rig.ts'
import { share } from '../support/share.ts'
import { program } from './program.ts'
import { runProgram } from './run.ts'
import { noTotals } from './totals.ts'

interface Item {
  n: number
  inner: { list: number[] }
}

const SEED = 20_260_102

async function openWatched(disk: MemoryDisk, sample: number): Promise<{ store: Store; named: string[] }> {
  const settings = { checkpoint: { intervalMs: 0 }, debug: { untracked: true, sample } }
  const store = await openStore('simulated', settings, { storage: new MemoryStorage(disk) })
  const named: string[] = []
  store.on('untracked', ({ collection, key }) => named.push(`${collection}/${String(key)}`))
  return { store, named }
}

/** Barriers, and the turns in which events come. */
async function barriers(store: Store, count: number): Promise<void> {
  for (let n = 0; n < count; n++) await store.checkpoint()
  await new Promise<void>(resolve => {
    systemScheduler.immediate(() => systemScheduler.immediate(resolve))
  })
}

const item = (n: number): Item => ({ n, inner: { list: [n] } })

test('an undeclared change is named once, within entries / sample + 2 barriers, after a restart too', async () => {
  const disk = new MemoryDisk()
  for (let life = 0; life < 3; life++) {
    const { store, named } = await openWatched(disk, 10)
    const map = store.map<Item>('items')
    const cell = store.value<Item>('cell', item(0))
    if (life === 0) {
      for (let n = 0; n < 95; n++) map.set(`k${n}`, item(n))
      cell.set(item(1))
      await barriers(store, 1)
    }
    assert.deepEqual(named, [])
    ;(map.get('k37') as Item).inner.list.push(-1)
    ;(map.get('k94') as Item).n = -2 - life
    cell.get().n = -3 - life
    await barriers(store, 12)
    assert.deepEqual(named.sort(), ['cell/value', 'items/k37', 'items/k94'], `life ${life}`)
    await barriers(store, 24)
    assert.equal(named.length, 3, 'once')
    // The value itself is stored as soon as somebody says so; set it, so that the next life starts from it.
    map.set('k94', map.get('k94') as Item)
    map.set('k37', map.get('k37') as Item)
    cell.set(cell.get())
    await store.close()
  }
})

test('nothing is named for another codec of the same name, which writes otherwise; changes behind that are', async () => {
  const { store, named } = await openWatched(new MemoryDisk(), 1000)
  const codec = (indent: number) => ({
    name: 'json',
    encode: (value: Item) => Buffer.from(JSON.stringify(value, null, indent)),
    decode: (bytes: Uint8Array) => JSON.parse(Buffer.from(bytes).toString()) as Item,
  })
  const map = store.map<Item>('items', { codec: codec(0) })
  for (let n = 0; n < 20; n++) map.set(`k${n}`, item(n))
  await barriers(store, 2)
  // Seen once, and to be looked at again when the codec comes.
  ;(map.get('k1') as Item).n = -1
  await barriers(store, 1)
  store.map<Item>('items', { codec: codec(2) })
  await barriers(store, 4)
  assert.deepEqual(named, [])
  ;(map.get('k4') as Item).n = -5
  await barriers(store, 3)
  assert.deepEqual(named, ['items/k4'])
  await store.close()
})

test('a change that is declared before the barrier after next is not named', async () => {
  const { store, named } = await openWatched(new MemoryDisk(), 1000)
  const map = store.map<Item>('items')
  for (let n = 0; n < 20; n++) map.set(`k${n}`, item(n))
  await barriers(store, 2)
  const value = map.get('k3') as Item
  value.n = 30
  const point = store.checkpoint()
  value.inner.list.push(30)
  map.set('k3', value)
  await point
  map.update('k4', old => {
    old.n = 40
  })
  map.delete('k5')
  map.delete('k6')
  map.set('k6', item(60))
  store.transaction(() => {
    const inside = map.get('k7') as Item
    inside.n = 70
    map.set('k7', inside)
  })
  assert.throws(() =>
    store.transaction(() => {
      ;(map.get('k8') as Item).n = 80
      throw new Error('intended')
    }),
  )
  await barriers(store, 5)
  map.clear()
  map.set('k9', item(90))
  await barriers(store, 5)
  assert.deepEqual(named, [])
  await store.close()
})

test('of keys that were written no table is made at a barrier, however many they are, and none of them is named', ({ mock }) => {
  const rig = new Rig()
  const map = rig.collection(Array.from({ length: 2000 }, (_, n) => [n, item(n)]))
  const named: Key[] = []
  const untracked = new Untracked(2000, ({ key }) => named.push(key))
  untracked.loaded(map)
  rig.checkpoint()
  for (let n = 5; n < 2000; n++) {
    const value = item(n)
    map.set(n, value)
    value.n = -1
  }
  map.delete(1)
  map.set(1, item(-1))
  ;(map.live.get(3) as Item).n = -1
  const added = mock.method(KeySet.prototype, 'add')
  for (let barrier = 0; barrier < 3; barrier++) untracked.inspect(rig.collections)
  assert.equal(added.mock.callCount(), 0)
  assert.deepEqual(named, [3])
})

test('a change that makes a value impossible to store is named', async () => {
  const { store, named } = await openWatched(new MemoryDisk(), 1000)
  const map = store.map<{ f: unknown }>('items')
  map.set('k', { f: 1 })
  await barriers(store, 1)
  ;(map.get('k') as { f: unknown }).f = () => {}
  await barriers(store, 3)
  assert.deepEqual(named, ['items/k'])
  await store.close()
})

test('without the setting nothing is watched', async () => {
  const store = await openStore('simulated', { checkpoint: { intervalMs: 0 } }, { storage: new MemoryStorage() })
  store.on('untracked', () => assert.fail('named'))
  const map = store.map<Item>('items')
  map.set('k', item(1))
  await barriers(store, 1)
  ;(map.get('k') as Item).n = 2
  await barriers(store, 4)
  await store.close()
})

test('random programs declare all they do, and nothing of it is named', async context => {
  context.diagnostic(`seed ${SEED}`)
  await fc.assert(
    fc.asyncProperty(program, one => runProgram(one, noTotals(), true)),
    { seed: SEED, numRuns: share(48), endOnFailure: true },
  )
})
