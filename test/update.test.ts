/** `update` whose function writes to its own key, or to all: what it did stands. And `getOrInsertComputed`, where what it returns comes last. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { open, type Store, type TidemarkMap, type TidemarkValue } from 'tidemark'
import { failsWith, temporaryFolder } from './temporary.ts'

type Entry = { n: number }
type Cell = TidemarkValue<Entry>

async function withMap(use: (map: TidemarkMap<string, Entry>, store: Store) => void): Promise<void> {
  for (const inside of [false, true]) {
    await using store = await open(':memory:', { checkpoint: { intervalMs: 0 } })
    const map = store.map<Entry, string>('map')
    if (inside) store.transaction(() => use(map, store))
    else use(map, store)
  }
}

test('a function that inserts its key itself keeps what it inserted', () =>
  withMap(map => {
    const made = { n: 1 }
    const count = (): Entry | undefined =>
      map.update('x', (entry: Entry | undefined) => {
        if (entry === undefined) map.set('x', made)
        else entry.n++
      })
    assert.equal(count(), made)
    assert.equal(map.get('x'), made)
    assert.equal(count(), made)
    assert.deepEqual(map.get('x'), { n: 2 })
  }))

test('a function that deletes its key, or empties the map, brings nothing back', () =>
  withMap((map, store) => {
    for (const remove of [() => map.delete('a'), () => map.clear()]) {
      map.set('a', { n: 1 })
      assert.equal(
        map.update('a', entry => {
          entry.n++
          remove()
        }),
        undefined,
      )
      assert.deepEqual([map.has('a'), map.size], [false, 0])
    }
    const numbers = store.map<number>('numbers')
    for (const remove of [() => numbers.delete('a'), () => numbers.clear()]) {
      numbers.set('a', 5)
      numbers.update('a', () => {
        remove()
      })
      assert.equal(numbers.has('a'), false)
    }
  }))

test('a function that sets another value keeps that one; one that is returned comes last', () =>
  withMap(map => {
    const other = { n: 7 }
    map.set('a', { n: 1 })
    assert.equal(
      map.update('a', entry => {
        entry.n++
        map.set('a', other)
      }),
      other,
    )
    assert.equal(map.get('a'), other)
    const last = { n: 8 }
    map.update('a', () => {
      map.delete('a')
      return last
    })
    assert.equal(map.get('a'), last)
  }))

test('a function that deletes and sets the very object again has it changed in place', async () => {
  await using store = await open(':memory:', { checkpoint: { intervalMs: 0 } })
  const map = store.map<Entry>('map')
  map.set('a', { n: 1 })
  map.update('a', entry => {
    map.clear()
    map.set('a', entry)
    entry.n++
  })
  assert.equal((await store.checkpoint()).records, 1)
  assert.deepEqual(map.get('a'), { n: 2 })
})

test('the function of a cell that sets the cell keeps what it set', () =>
  withMap((_, store) => {
    const cell = store.value('cell', 0)
    assert.equal(
      cell.update(() => {
        cell.set(5)
      }),
      5,
    )
    assert.equal(
      cell.update(() => {
        cell.set(6)
      }),
      6,
    )
    assert.equal(cell.get(), 6)
    const object = store.value<Entry>('object', { n: 0 })
    object.update(initial => {
      initial.n++
    })
    assert.deepEqual(object.get(), { n: 1 })
  }))

test('a cell that may not be written has its function not called', async t => {
  const folder = temporaryFolder(t)
  const writer = await open(folder, { checkpoint: { intervalMs: 0 } })
  const reader = await open(folder, { readOnly: true })
  const change = (): never => assert.fail('it was called')
  assert.throws(() => reader.value('cell', { n: 0 }).update(change), { code: 'TIDEMARK_READ_ONLY', collection: 'cell' })
  await reader.close()
  const cell = writer.value('cell', { n: 0 })
  const closing = writer.close()
  assert.throws(() => cell.update(change), { code: 'TIDEMARK_CLOSED', collection: 'cell' })
  await closing
})

test('the first initial that is given counts, whoever asked for the cell before', async () => {
  await using store = await open(':memory:', { checkpoint: { intervalMs: 0 } })
  const early = store.value('total')
  assert.equal(early.get(), undefined)
  const total = store.value<number>('total', 0)
  assert.equal(total.get(), 0)
  assert.equal(early, total)
  assert.equal(store.value<number>('total', 7).get(), 0)
  assert.equal(store.value('total').get(), 0)
  total.update(n => n + 1)
  assert.equal(total.get(), 1)
  total.set(undefined as never)
  assert.equal(total.get(), undefined)
  store.value('late').set(3)
  assert.equal(store.value('late', 4).get(), 3)
})

test('an object changed halfway by a function that throws is stored as it is in memory, of a cell that was never set, too', async t => {
  const folder = temporaryFolder(t)
  const halfway = (value: Entry): never => {
    value.n = 5
    throw new Error('halfway')
  }
  const late = async (value: Entry): Promise<void> => void (value.n = 6)
  const store = await open(folder, { checkpoint: { intervalMs: 0 } })
  const cells = ['throws', 'waits', 'sets', 'other'].map(name => store.value<Entry>(name, { n: 0 }))
  const [throwing, waiting, setting, another] = cells as [Cell, Cell, Cell, Cell]
  assert.throws(() => throwing.update(halfway), { message: 'halfway' })
  assert.throws(() => waiting.update(late as never), { code: 'TIDEMARK_ARGUMENT' })
  assert.throws(
    () =>
      setting.update(value => {
        setting.set(value)
        return halfway(value)
      }),
    { message: 'halfway' },
  )
  assert.throws(
    () =>
      another.update(value => {
        another.set({ n: 9 })
        return halfway(value)
      }),
    { message: 'halfway' },
  )
  const number = store.value('plain', 1)
  assert.throws(() => number.update(() => halfway({ n: 0 })), { message: 'halfway' })
  const expected = [5, 6, 5, 9].map(n => ({ n }))
  assert.deepEqual(
    [throwing, waiting, setting, another].map(cell => cell.get()),
    expected,
  )
  assert.equal(store.stats().collections['plain']?.entries, 0)
  await store.close()
  const again = await open(folder, { checkpoint: { intervalMs: 0 } })
  assert.deepEqual(
    ['throws', 'waits', 'sets', 'other'].map(name => again.value<Entry | undefined>(name).get()),
    expected,
  )
  await again.close()
})

test('update takes a function, and marks nothing as changed without one', async () => {
  await using store = await open(':memory:', { checkpoint: { intervalMs: 0 } })
  const map = store.map<Entry>('map')
  const cell = store.value<Entry>('cell', { n: 0 })
  map.set('a', { n: 1 })
  await store.checkpoint()
  for (const given of [undefined, null, 5, { n: 2 }, 'text']) {
    for (const key of ['a', 'absent'])
      await failsWith('TIDEMARK_ARGUMENT', () => map.update(key, given as never), { collection: 'map', key, says: ['function'] })
    await failsWith('TIDEMARK_ARGUMENT', () => cell.update(given as never), { collection: 'cell', says: ['function'] })
  }
  cell.set({ n: 3 })
  assert.equal((await store.checkpoint()).records, 1)
  await failsWith('TIDEMARK_ARGUMENT', () => cell.update(5 as never), { collection: 'cell', says: ['function', 'a number'] })
  assert.equal((await store.checkpoint()).records, 0)
})

test('a cell whose function changes nothing keeps its initial value, which is not stored', async () => {
  await using store = await open(':memory:', { checkpoint: { intervalMs: 0 } })
  const total = store.value('total', 0)
  const last = store.value<number>('last')
  const down = (): number => total.update(n => (n > 10 ? n - 1 : undefined) as number)
  assert.equal(down(), 0)
  assert.equal(
    last.update(() => {}),
    undefined,
  )
  const stored = (name: string): number | undefined => store.stats().collections[name]?.entries
  assert.deepEqual([stored('total'), stored('last')], [0, 0])
  assert.equal((await store.checkpoint()).records, 0)
  // It is given still, also where somebody gives another one first.
  assert.equal(store.value('last', 5).get(), 5)
  total.set(12)
  assert.deepEqual([down(), down(), down()], [11, 10, 10])
  // An object may have been changed in place.
  const cell = store.value('object', { n: 0 })
  cell.update(() => {})
  assert.equal(stored('object'), 1)
})

test('what update throws is the error of its function, whatever became of the entry', async () => {
  await using store = await open(':memory:', { checkpoint: { intervalMs: 0 } })
  const mine = new Error('mine')
  const dropping = (name: string) => (): never => {
    store.delete(name)
    throw mine
  }
  const map = store.map<Entry>('map')
  map.set('a', { n: 1 })
  assert.throws(() => map.update('a', dropping('map')), mine)
  for (const stored of [true, false]) {
    const cell = store.value('cell', { n: 1 })
    if (stored) cell.set({ n: 2 })
    assert.throws(() => cell.update(dropping('cell')), mine)
  }
})

test('getOrInsert gives what is there, and else stores and gives what it was given', () =>
  withMap((map, store) => {
    const made = { n: 1 }
    assert.equal(map.getOrInsert('a', made), made)
    assert.equal(map.get('a'), made)
    assert.equal(map.getOrInsert('a', { n: 2 }), made)
    const all = store.map<unknown>('all')
    all.set('none', undefined)
    assert.deepEqual([all.getOrInsert('none', 1), all.getOrInsertComputed('none', () => assert.fail())], [undefined, undefined])
    assert.equal(all.getOrInsert('null', null), null)
    assert.equal(all.getOrInsert('null', 1), null)
    assert.deepEqual([...all], [...new Map<unknown, unknown>([['none', undefined]]).set('null', null)])
  }))

test('getOrInsertComputed calls its function for a key that is absent alone, with the key as it is stored', () =>
  withMap((map, store) => {
    const made = { n: 1 }
    assert.equal(
      map.getOrInsertComputed('a', key => (key === 'a' ? made : assert.fail('it is another key'))),
      made,
    )
    assert.equal(
      map.getOrInsertComputed('a', () => assert.fail('it was called')),
      made,
    )
    const all = store.map<unknown>('all')
    assert.equal(
      all.getOrInsertComputed(-0, key => Object.is(key, 0)),
      true,
    )
    all.getOrInsertComputed('nothing', () => undefined)
    assert.deepEqual([...all.keys()], [0, 'nothing'])
  }))

test('what the function of getOrInsertComputed returns comes last, as in a Map; what it set stands where it throws', () =>
  withMap(map => {
    const made = { n: 2 }
    const returned = map.getOrInsertComputed('a', () => {
      map.set('a', { n: 1 }).set('b', { n: 3 })
      return made
    })
    assert.equal(returned, made)
    assert.deepEqual(
      [...map],
      [
        ['a', { n: 2 }],
        ['b', { n: 3 }],
      ],
    )
    assert.equal(
      map.getOrInsertComputed('c', () => {
        map.clear()
        return made
      }),
      made,
    )
    assert.deepEqual([...map.keys()], ['c'])
    const mine = new Error('mine')
    const throwing = (): never => {
      map.set('d', { n: 4 })
      throw mine
    }
    assert.throws(() => map.getOrInsertComputed('d', throwing), mine)
    assert.deepEqual([...map.keys()], ['c', 'd'])
  }))

test('getOrInsertComputed takes a function that gives a value, and stores nothing without one', async t => {
  const folder = temporaryFolder(t)
  const store = await open(folder, { checkpoint: { intervalMs: 0 } })
  const map = store.map<unknown>('map')
  map.set('a', 1)
  await store.checkpoint()
  for (const key of ['a', 'absent'])
    await failsWith('TIDEMARK_ARGUMENT', () => map.getOrInsertComputed(key, 5 as never), {
      collection: 'map',
      key,
      says: ['getOrInsertComputed takes a function, not a number'],
    })
  const never = (): never => assert.fail('it was called')
  for (const wrong of [async () => 1, () => Promise.reject(new Error('nobody waits')), function* () {}])
    await failsWith('TIDEMARK_ARGUMENT', () => map.getOrInsertComputed('absent', wrong), {
      collection: 'map',
      key: 'absent',
      says: ['promise'],
    })
  await failsWith('TIDEMARK_KEY', () => map.getOrInsertComputed({} as never, never), { collection: 'map' })
  assert.deepEqual([...map], [['a', 1]])
  const reader = await open(folder, { readOnly: true })
  const read = reader.map<unknown>('map')
  assert.deepEqual([read.getOrInsert('a', 2), read.getOrInsertComputed('a', never)], [1, 1])
  await failsWith('TIDEMARK_READ_ONLY', () => read.getOrInsert('absent', 1), { collection: 'map' })
  await failsWith('TIDEMARK_READ_ONLY', () => read.getOrInsertComputed('absent', never), { collection: 'map' })
  await reader.close()
  await store.close()
  await failsWith('TIDEMARK_CLOSED', () => map.getOrInsertComputed('a', never))
})

test('a key that is an object, or a function, is named by what it is where the function is refused: it may have no text', async () => {
  await using store = await open(':memory:', { checkpoint: { intervalMs: 0 } })
  const map = store.map('map') as unknown as TidemarkMap<never, number>
  const late = (async () => {}) as never
  const gone = Proxy.revocable(class {}, {})
  gone.revoke()
  for (const [key, says] of [
    [Object.create(null), 'key an object (Object)'],
    [{ toString: () => assert.fail('its text was asked for') }, 'key an object (Object)'],
    [class {}, 'key a function'],
    [gone.proxy, 'key a function'],
  ] as [never, string][]) {
    const wanted = { collection: 'map', says: [`${says}: `] }
    for (const call of [() => map.update(key, 5 as never), () => map.update(key, late), () => map.getOrInsertComputed(key, 5 as never)])
      assert.equal((await failsWith('TIDEMARK_ARGUMENT', call, wanted)).key, key)
    await failsWith('TIDEMARK_KEY', () => map.update(key, () => 5), { collection: 'map' })
  }
})
