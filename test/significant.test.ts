/** `significant`: changes that cause no I/O by themselves, and what is promised about them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { TidemarkMap } from '../src/capture/index.ts'
import type { CollectionOptions } from '../src/face/index.ts'
import type { CrashMode } from '../src/testing/index.ts'
import { share } from './support/share.ts'
import { SimulatedStore } from './support/simulated-store.ts'

interface Ship {
  readonly x: number
  readonly seen?: number
}

/** Moved by one at least. */
const moved = (old: Ship, next: Ship): boolean => Math.abs(next.x - old.x) >= 1

async function ships(options: CollectionOptions<Ship> = { significant: moved }) {
  const world = new SimulatedStore()
  const store = await world.open()
  const map = store.map<Ship, string>('ships', options)
  map.set('a', { x: 0 })
  map.set('b', { x: 0 })
  await world.checkpoint()
  const again = async (): Promise<TidemarkMap<string, Ship>> => (await world.crash()).map<Ship, string>('ships', options)
  return { world, store, map, again }
}

test('an insignificant change shows at once and is not written by a checkpoint; the next significant one brings the newest value', async () => {
  const { world, map, store, again } = await ships()
  map.set('a', { x: 0.5, seen: 1 })
  map.set('b', { x: 0.5, seen: 1 })
  assert.deepEqual(map.get('a'), { x: 0.5, seen: 1 })
  assert.equal(store.stats().collections['ships']?.insignificant, 2)
  assert.equal(store.stats().dirtyMax, 0)
  assert.equal((await world.checkpoint()).records, 0)
  map.set('a', { x: 7, seen: 2 })
  assert.equal((await world.checkpoint()).records, 1)
  assert.equal(store.stats().collections['ships']?.insignificant, 1)
  const back = await again()
  assert.deepEqual(Object.fromEntries(back), { a: { x: 7, seen: 2 }, b: { x: 0 } })
  await world.close()
})

test('a change from NaN may be insignificant as one from any other value', async () => {
  const world = new SimulatedStore()
  const store = await world.open()
  const map = store.map<number>('map', { significant: () => false })
  map.set('key', Number.NaN)
  await world.checkpoint()
  map.set('key', 1)
  assert.equal(store.stats().dirtyMax, 0)
  await world.close()
})

test('no timer makes a checkpoint of an insignificant change', async () => {
  const world = new SimulatedStore({ checkpoint: { intervalMs: 50 } })
  const store = await world.open()
  const map = store.map<Ship>('ships', { significant: moved })
  map.set('a', { x: 0 })
  await world.pass(500)
  const { length } = world.points
  map.set('a', { x: 0.1 })
  await world.pass(500)
  assert.equal(world.points.length, length)
  await world.close()
})

test('durable() and close() take insignificant changes in', async () => {
  const { world, map, store, again } = await ships()
  map.set('a', { x: 0.5 })
  await world.run(store.durable())
  assert.equal(store.stats().collections['ships']?.insignificant, 0)
  const back = await again()
  assert.deepEqual(back.get('a'), { x: 0.5 })
  back.set('b', { x: 0.25 })
  await world.close()
  const last = await again()
  assert.deepEqual(last.get('b'), { x: 0.25 })
  await world.close()
})

test('small steps add up: the change is judged from the last value that was significant', async () => {
  const { world, map, again } = await ships()
  for (let x = 0.25; x <= 1; x += 0.25) map.set('a', { x })
  assert.equal((await world.checkpoint()).records, 1)
  for (let x = 1.25; x < 2; x += 0.25) map.set('a', { x })
  assert.equal((await world.checkpoint()).records, 0)
  assert.deepEqual((await again()).get('a'), { x: 1 })
  await world.close()
})

test('the function is asked only where it can tell', async () => {
  const asked: [unknown, unknown][] = []
  const { world, map, store } = await ships({
    significant: (old, next) => {
      asked.push([old, next])
      return false
    },
  })
  const a = map.get('a') as { x: number }
  a.x = 3
  map.set('a', a)
  assert.equal((await world.checkpoint()).records, 1, 'changed in place')
  map.update('a', ship => {
    ;(ship as { x: number }).x = 4
  })
  assert.equal((await world.checkpoint()).records, 1, 'changed in place by update')
  map.set('new', { x: 1 })
  map.delete('b')
  assert.equal((await world.checkpoint()).records, 2, 'inserted and deleted')
  store.transaction(() => map.set('a', { x: 5 }))
  assert.equal((await world.checkpoint()).records, 1, 'in a transaction')
  assert.deepEqual(asked, [])
  map.update('a', ship => ({ ...ship, seen: 1 }))
  assert.deepEqual(asked, [[{ x: 5 }, { x: 5, seen: 1 }]])
  assert.equal((await world.checkpoint()).records, 0)
  await world.close()
})

test('a deleted or emptied key waits for nothing, and what waits survives a rollback', async () => {
  const { world, map, store, again } = await ships()
  map.set('a', { x: 0.5 })
  assert.throws(() =>
    store.transaction(() => {
      map.clear()
      map.set('a', { x: 9 })
      throw new Error('no')
    }),
  )
  assert.deepEqual(map.get('a'), { x: 0.5 })
  assert.equal(store.stats().collections['ships']?.insignificant, 1)
  await world.run(store.durable())
  map.set('b', { x: 0.5 })
  map.delete('b')
  map.set('a', { x: 0.75 })
  map.clear()
  assert.equal(store.stats().collections['ships']?.insignificant, 0)
  map.set('c', { x: 1 })
  await world.run(store.durable())
  assert.deepEqual(Object.fromEntries(await again()), { c: { x: 1 } })
  await world.close()
})

test('a key that waits and is written in a transaction that is taken back keeps its newest value', async () => {
  const { world, map, store, again } = await ships()
  map.set('a', { x: 0.5 })
  assert.throws(() =>
    store.transaction(() => {
      map.set('a', { x: 9 })
      throw new Error('no')
    }),
  )
  await world.checkpoint()
  assert.deepEqual((await again()).get('a'), { x: 0.5 })
  await world.close()
})

test('a function that throws: the change is significant, and an event says so once', async () => {
  let fails = true
  const { world, map, store } = await ships({
    significant: () => {
      if (fails) throw new Error('broken')
      return false
    },
  })
  const failures: unknown[] = []
  store.on('significantFailed', ({ collection, key, error }) => failures.push([collection, key, String(error)]))
  map.set('a', { x: 0.1 })
  map.set('a', { x: 0.2 })
  assert.equal((await world.checkpoint()).records, 1)
  assert.deepEqual(failures, [['ships', 'a', 'Error: broken']])
  fails = false
  map.set('a', { x: 0.3 })
  assert.equal((await world.checkpoint()).records, 0)
  fails = true
  map.set('a', { x: 0.4 })
  assert.equal((await world.checkpoint()).records, 1)
  assert.equal(failures.length, 2)
  await world.close()
})

test('a function that changes the collection itself loses nothing', async () => {
  let act: (() => void) | undefined
  const world = new SimulatedStore()
  const store = await world.open()
  const map = store.map<number, string>('map', {
    significant: () => {
      const run = act
      act = undefined
      run?.()
      return false
    },
  })
  map.set('a', 1)
  map.set('b', 1)
  await world.checkpoint()
  act = () => map.delete('a')
  map.set('a', 2)
  act = () => void map.set('b', 5)
  map.set('b', 6)
  await world.checkpoint()
  let closing: Promise<unknown> | undefined
  act = () => {
    closing = store.checkpoint()
  }
  map.set('b', 7)
  await world.run(closing as Promise<unknown>)
  await world.run(store.durable())
  act = () => map.clear()
  map.set('b', 8)
  await world.run(store.durable())
  const back = (await world.crash()).map<number, string>('map')
  assert.deepEqual(Object.fromEntries(back), { b: 8 })
  await world.close()
})

test('an insignificant change during a capture leaves the cut as it was', async () => {
  const { world, map, store, again } = await ships()
  for (let n = 0; n < 2000; n++) map.set(`k${n}`, { x: n })
  const point = store.checkpoint()
  for (let n = 0; n < 2000; n++) map.set(`k${n}`, { x: n + 0.5 })
  assert.equal((await world.run(point)).records, 2000)
  const back = await again()
  for (let n = 0; n < 2000; n++) assert.deepEqual(back.get(`k${n}`), { x: n })
  await world.close()
})

test('what waits is written in the epoch that follows one that failed', async () => {
  const { world, map, store, again } = await ships()
  map.set('a', { x: 0.5 })
  const heal = world.storage.inject({ operation: 'append', errno: 'ENOSPC' })
  const durable = store.durable()
  await world.pass(300)
  heal()
  await world.run(durable)
  assert.deepEqual((await again()).get('a'), { x: 0.5 })
  await world.close()
})

test('options are checked, and a later map() without them keeps what was given', async () => {
  const { world, map, store } = await ships()
  assert.throws(() => store.map('ships', { significant: true as never }), { code: 'TIDEMARK_ARGUMENT', collection: 'ships' })
  assert.throws(() => store.map('ships', { insignificant: moved } as never), { code: 'TIDEMARK_ARGUMENT' })
  assert.equal(store.map('ships') as unknown, map)
  map.set('a', { x: 0.5 })
  assert.equal((await world.checkpoint()).records, 0)
  store.map<Ship, string>('ships', { significant: () => true }).set('a', { x: 0.6 })
  assert.equal((await world.checkpoint()).records, 1)
  await world.close()
})

test('random programs: a crash brings back a value not older than the last significant one, a close the newest', async () => {
  const stepOf = (...ops: readonly string[]) =>
    fc.record({ op: fc.constantFrom(...ops), key: fc.constantFrom('a', 'b', 'c', 'd'), throws: fc.boolean() })
  const changes = ['near', 'near', 'near', 'far', 'delete', 'clear', 'transaction']
  const step = stepOf(...changes, 'checkpoint', 'start', 'durable', 'fault')
  // The power goes while a last checkpoint, of the changes before it, is under way, and may leave what no sync was asked for, too.
  const powerCut = fc.record({
    mode: fc.constantFrom<CrashMode>('lost', 'kept', 'random'),
    seed: fc.nat(),
    afterMs: fc.nat({ max: 12 }),
    last: fc.array(stepOf(...changes), { maxLength: 6 }),
  })
  let beyond = 0
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 5, maxLength: 40, size: 'max' }),
      fc.option(powerCut, { nil: undefined, freq: 2 }),
      async (steps, crashes) => {
        const world = new SimulatedStore({ debug: { untracked: true } })
        let store = await world.open()
        let map = store.map<{ x: number; n: number }, string>('map', { significant: (old, next) => old.x !== next.x })
        store.on('untracked', info => assert.fail(JSON.stringify(info)))
        /** Of each key: the values since the last one that has to be written. */
        let allowed = new Map<string, unknown[]>()
        let n = 0
        const change = (key: string, far: boolean, counts: boolean): void => {
          const old = map.get(key)
          const next = { x: far ? ++n : (old?.x ?? 0), n: ++n }
          map.set(key, next)
          allowed.set(key, [...(old !== undefined && !far && !counts ? (allowed.get(key) ?? []) : []), next])
        }
        const perform = async ({ op, key, throws }: (typeof steps)[number]): Promise<void> => {
          if (op === 'near' || op === 'far') change(key, op === 'far', false)
          else if (op === 'delete') {
            map.delete(key)
            allowed.delete(key)
          } else if (op === 'clear') {
            map.clear()
            allowed.clear()
          } else if (op === 'transaction') {
            const before = new Map(allowed)
            try {
              store.transaction(() => {
                change(key, throws, true)
                change('a', false, true)
                if (throws) throw new Error('back')
              })
            } catch {
              allowed = before
            }
          } else if (op === 'start') store.checkpoint().catch(() => {})
          else if (op === 'fault') world.storage.inject({ operation: 'append', errno: 'EIO', times: 1 })
          else {
            await world.run(op === 'durable' ? store.durable() : store.checkpoint().then(() => {}))
            if (op === 'durable') for (const [name, values] of allowed) allowed.set(name, values.slice(-1))
          }
        }
        for (const one of steps) await perform(one)
        const newest = Object.fromEntries(map)
        if (crashes !== undefined) {
          const { epoch } = await world.checkpoint()
          const durable = new Map(allowed)
          for (const one of crashes.last) await perform(one)
          store.checkpoint().catch(() => {})
          await world.pass(crashes.afterMs)
          const acknowledged = world.points.at(-1)?.epoch as number
          store = await world.crash({}, crashes)
          assert.ok(store.restored.epoch >= acknowledged)
          if (store.restored.epoch > acknowledged) beyond++
          if (store.restored.epoch === epoch) allowed = durable
        } else {
          await world.close()
          store = await world.open()
        }
        map = store.map('map')
        if (crashes !== undefined) {
          assert.deepEqual([...map.keys()].sort(), [...allowed.keys()].sort())
          for (const [key, value] of map) {
            assert.ok(
              allowed.get(key)?.some(one => JSON.stringify(one) === JSON.stringify(value)),
              `${key}: ${JSON.stringify(value)} is none of ${JSON.stringify(allowed.get(key))}`,
            )
          }
        } else assert.deepEqual(Object.fromEntries(map), newest)
        await world.close()
      },
    ),
    { seed: 20_261_126, numRuns: Number(process.env.TIDEMARK_RUNS ?? share(150)) },
  )
  assert.ok(beyond > 0, 'no power cut left an epoch that nobody was told of')
})

test('a function given after a clear that is rolled back counts from then on', async () => {
  for (const given of [undefined, () => true]) {
    const world = new SimulatedStore()
    const store = await world.open()
    const map = store.map<Ship, string>('ships', given === undefined ? {} : { significant: given })
    map.set('a', { x: 0 })
    await world.checkpoint()
    assert.throws(() =>
      store.transaction(() => {
        map.clear()
        store.map('ships', { significant: moved })
        throw new Error('back')
      }),
    )
    map.set('a', { x: 0.5 })
    assert.equal(store.stats().collections['ships']?.insignificant, 1)
    map.set('a', { x: 1 })
    await world.checkpoint()
    assert.equal(store.stats().collections['ships']?.insignificant, 0)
    await world.close()
  }
})

test('a function that fails is told of once, and again after it answered, yes or no, or another one was given', async () => {
  const world = new SimulatedStore()
  const store = await world.open()
  const told: unknown[] = []
  store.on('significantFailed', ({ key }) => told.push(key))
  const judging = (old: number, next: number): boolean => {
    if (next < 0) throw new Error('negative')
    return Math.abs(next - old) >= 1
  }
  const map = store.map<number, string>('map', { significant: judging })
  const set = async (key: string, value: number): Promise<number> => {
    map.set(key, value)
    await world.pass(1)
    return told.length
  }
  for (const key of ['a', 'b']) map.set(key, 1)
  assert.deepEqual([await set('a', -1), await set('b', -2)], [1, 1])
  assert.deepEqual([await set('b', 5), await set('b', -3)], [1, 2])
  await set('a', 1)
  assert.deepEqual([await set('a', 1.5), await set('a', -4)], [2, 3])
  store.map('map', { significant: judging })
  assert.equal(await set('a', -5), 3)
  store.map<number>('map', {
    significant: () => {
      throw new Error('never')
    },
  })
  assert.deepEqual([await set('a', 8), await set('a', 9)], [4, 4])
  await world.close()
})
