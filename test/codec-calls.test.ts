/** A codec of the user that calls the store while it encodes: it sets a barrier, or drops its own collection. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TidemarkMap } from '../src/capture/index.ts'
import type { Store } from '../src/store.ts'
import { calling } from './support/calling-codec.ts'
import { SimulatedStore } from './support/simulated-store.ts'

test('a codec that sets a barrier while an entry of it is drained: the barrier falls behind the slice, and the engine goes on', async () => {
  const { world, calls, maps, mapsOf } = await calling(['a', 'b', 'c'], { checkpoint: { intervalMs: 1000 } })
  const [first] = maps as [TidemarkMap<string, unknown>]
  let asked: Promise<unknown> | undefined
  for (const map of maps) map.set('k', 'stored')
  await world.checkpoint()
  calls.armed = store => {
    first.set('k', 'set before')
    asked = store.checkpoint()
    first.set('k', 'set behind')
    first.set('new', 1)
  }
  for (const map of maps) map.set('k', 'drained')
  await world.pass(900)
  assert.deepEqual([calls.made, world.store.stats().status], [1, 'ok'])
  assert.ok(asked !== undefined)
  await world.run(asked)
  const back = mapsOf(await world.crash())
  assert.deepEqual(
    back.map(map => map.get('k')),
    ['set behind', 'drained', 'drained'],
  )
  assert.equal(back[0]?.get('new'), 1)
  await world.close()
})

for (const refuses of [false, true]) {
  test(`a codec that drops its collection while an entry of it is drained${refuses ? ', and refuses it' : ''}`, async () => {
    const { world, calls, maps, mapsOf } = await calling(['a', 'b'], { checkpoint: { intervalMs: 1000 } })
    const [first, second] = maps as [TidemarkMap<string, unknown>, TidemarkMap<string, unknown>]
    await world.checkpoint()
    calls.armed = store => {
      store.delete('a')
      if (refuses) throw new Error('not now')
    }
    for (let n = 0; n < 10; n++) first.set(`k${n}`, n)
    second.set('k', 1)
    await world.pass(900)
    assert.deepEqual([calls.made, world.store.stats().status], [1, 'ok'])
    await world.checkpoint()
    const [gone, kept] = mapsOf(await world.crash()) as [TidemarkMap<string, unknown>, TidemarkMap<string, unknown>]
    assert.deepEqual([gone.size, kept.get('k')], [0, 1])
    await world.close()
  })
}

test('a codec that drops its collection while changes in place are looked for', async () => {
  const { world, calls, maps } = await calling(['map'], { debug: { untracked: true } })
  for (let n = 0; n < 5; n++) maps[0]?.set(`k${n}`, n)
  await world.checkpoint()
  calls.armed = store => void store.delete('map')
  maps[0]?.set('k0', 1)
  await world.checkpoint()
  assert.deepEqual([calls.made, world.store.stats().status, world.store.map('map').size], [1, 'ok', 0])
  await world.close()
})

for (const back of [1, 2]) {
  test(`a codec that drops its collection while an entry is looked at again, which is ${back === 1 ? 'as it was' : 'still another'}`, async () => {
    const { world, calls, maps } = await calling(['map'], { debug: { untracked: true } })
    const value = { n: 1 }
    maps[0]?.set('k', value)
    await world.checkpoint()
    world.store.map('other').set('k', 1)
    value.n = 2
    await world.checkpoint()
    value.n = back
    calls.armed = store => void store.delete('map')
    world.store.map('other').set('k', 2)
    await world.checkpoint()
    assert.deepEqual([calls.made, world.store.stats().status, world.store.map('map').size], [1, 'ok', 0])
    await world.close()
  })
}

for (const how of ['durable', 'close'] as const) {
  test(`${how} out of a codec that is draining an entry waits for that entry`, async () => {
    const { world, calls, maps, mapsOf } = await calling(['map'], { checkpoint: { intervalMs: 1000 } })
    const [map] = maps as [TidemarkMap<string, unknown>]
    map.set('k', 'stored')
    await world.checkpoint()
    let asked: Promise<unknown> | undefined
    calls.armed = store => {
      asked = store[how]()
    }
    map.set('new', 1)
    await world.pass(900)
    assert.equal(calls.made, 1)
    assert.ok(asked !== undefined)
    await world.run(asked)
    const [back] = mapsOf(await world.crash()) as [TidemarkMap<string, unknown>]
    assert.deepEqual([back.get('k'), back.get('new')], ['stored', 1])
    await world.close()
  })
}

test('a codec that asks for a checkpoint while changes in place are looked for: the barrier under way loses nothing', async () => {
  const { world, calls, maps, mapsOf } = await calling(['map'], { debug: { untracked: true } })
  const [map] = maps as [TidemarkMap<string, unknown>]
  map.set('a', 1)
  map.set('b', 1)
  await world.checkpoint()
  let asked: Promise<unknown> | undefined
  calls.armed = store => {
    asked = store.checkpoint()
  }
  map.set('b', 2)
  await world.checkpoint()
  assert.equal(calls.made, 1)
  assert.ok(asked !== undefined)
  await world.run(asked)
  const [back] = mapsOf(await world.crash()) as [TidemarkMap<string, unknown>]
  assert.equal(back.get('b'), 2)
  await world.close()
})

test('a codec that reads a stored entry of another map while an entry is encoded for debug mode: nothing is named that nobody changed', async () => {
  const { world, calls, maps, mapsOf } = await calling(['outer', 'inner'], {
    debug: { untracked: true },
    restore: { hydrate: 'on-demand' },
  })
  for (const map of maps) for (const key of ['a', 'b']) map.set(key, { key })
  await world.checkpoint()
  await world.close()
  await world.open()
  const [outer, inner] = mapsOf(world.store) as [TidemarkMap<string, unknown>, TidemarkMap<string, unknown>]
  const named: unknown[] = []
  world.store.on('untracked', change => named.push(change))
  let read: unknown
  calls.armed = () => {
    read = inner.get('a')
  }
  outer.get('a')
  assert.deepEqual([calls.made, read], [1, { key: 'a' }])
  for (let n = 0; n < 4; n++) {
    world.store.map('other').set('k', n)
    await world.checkpoint()
    await world.pass(10)
  }
  assert.deepEqual(named, [])
  await world.close()
})

interface Versioned {
  version: number
}

for (const from of ['its own collection', 'another whose codec reads this one'] as const) {
  test(`a codec that reads an entry of ${from} while it encodes: a transaction gets it, and takes back what was done to it`, async () => {
    const world = new SimulatedStore()
    const maps: TidemarkMap<string, Versioned>[] = []
    const encode = (reads: number) => (value: Versioned) =>
      Buffer.from(JSON.stringify({ value, schema: maps[reads]?.get('schema')?.version }))
    const decode = (bytes: Uint8Array): Versioned => JSON.parse(Buffer.from(bytes).toString()).value
    const open = (store: Store): void => {
      maps.length = 0
      const names = from === 'its own collection' ? ['a'] : ['a', 'b']
      for (const [at, name] of names.entries()) {
        maps.push(store.map(name, { codec: { name: 'versioned', encode: encode((at + 1) % names.length), decode } }))
      }
    }
    const versions = (): unknown[] => maps.flatMap(map => ['schema', 'k'].map(key => map.get(key)?.version))
    open(await world.open())
    for (const map of maps) map.set('schema', { version: 1 }).set('k', { version: 1 })
    await world.checkpoint()
    const before = versions()
    const failure = new Error('taken back')
    const change = (): void => {
      for (const map of maps) for (const key of ['k', 'schema']) map.update(key, value => Object.assign(value, { version: 2 }))
      throw failure
    }
    assert.throws(
      () => world.store.transaction(change),
      error => error === failure,
    )
    assert.deepEqual(versions(), before)
    await world.checkpoint()
    open(await world.crash())
    assert.deepEqual(versions(), before)
    await world.close()
  })
}

test('a codec that sets the entry it encodes, which a transaction got: what was there before is put back', async () => {
  const { world, calls, maps } = await calling(['map'])
  const [map] = maps as [TidemarkMap<string, unknown>]
  map.set('k', { n: 1 })
  await world.checkpoint()
  calls.armed = () => void map.set('k', { n: 2 })
  const change = (): void => {
    Object.assign(map.get('k') as object, { n: 3 })
    throw new Error('taken back')
  }
  assert.throws(() => world.store.transaction(change), { message: 'taken back' })
  assert.deepEqual([calls.made, map.get('k')], [1, { n: 1 }])
  await world.close()
})

test('what a codec threw is the cause of the error that tells it, wherever that is told', async () => {
  const own = new RangeError('own')
  let broken: 'encode' | 'bytes' | 'decode' | undefined
  const codec = {
    name: 'failing',
    encode(value: unknown): Uint8Array {
      if (broken === 'encode') throw own
      return broken === 'bytes' ? ('text' as unknown as Uint8Array) : Buffer.from(JSON.stringify(value))
    },
    decode(bytes: Uint8Array): unknown {
      if (broken === 'decode') throw own
      return JSON.parse(Buffer.from(bytes).toString())
    },
  }
  const world = new SimulatedStore()
  const map = (store: Store): TidemarkMap<string, unknown> => store.map<unknown, string>('map', { codec })
  const first = map(await world.open())
  first.set('stored', 1)
  await world.checkpoint()
  const refused = { code: 'TIDEMARK_VALUE_REFUSED', collection: 'map', key: 'k' }
  first.set('k', 1)
  broken = 'encode'
  await assert.rejects(world.checkpoint(), { ...refused, cause: own })
  await assert.rejects(world.run(world.store.durable()), { ...refused, cause: own })
  assert.throws(() => world.store.transaction(() => void first.set('k', 2)), { ...refused, cause: own })
  broken = 'bytes'
  assert.throws(() => world.store.transaction(() => void first.set('k', 2)), refused)
  await assert.rejects(world.checkpoint(), refused)
  broken = 'decode'
  const back = map(await world.crash())
  assert.throws(() => back.get('stored'), { code: 'TIDEMARK_VALUE_DAMAGED', collection: 'map', key: 'stored', cause: own })
  await world.close()
})

test('a codec that catches what a transaction inside of another one threw, while that one is looked over: nothing of either stands', async () => {
  const { world, calls, maps } = await calling(['a'])
  const [map] = maps as [TidemarkMap<string, unknown>]
  const other = world.store.map<number, string>('other')
  const refused = new Error('refused')
  calls.armed = store => {
    try {
      store.transaction(() => {
        other.set('x', 1)
        throw refused
      })
    } catch {}
  }
  assert.throws(() => world.store.transaction(() => map.set('k', 'new')), refused)
  assert.deepEqual([calls.made, map.size, other.size], [1, 0, 0])
  await world.close()
})
