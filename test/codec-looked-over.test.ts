/** A codec of the user that writes to the store while it encodes what a transaction wrote: that is looked over, too, and ends. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TidemarkMap } from '../src/capture/index.ts'
import { calling } from './support/calling-codec.ts'

test('what a codec writes while a transaction is looked over is looked over too, also under a key that was before', async () => {
  const { world, calls, maps } = await calling(['a'])
  const [map] = maps as [TidemarkMap<string, unknown>]
  const other = world.store.map<unknown, string>('other')
  const refused = { code: 'TIDEMARK_VALUE_REFUSED', collection: 'other', key: 'last' }
  const change = (): void => {
    other.set('last', 1)
    map.set('k', { n: 1 })
  }
  calls.armed = () => void other.set('last', () => {})
  assert.throws(() => world.store.transaction(change), refused)
  assert.deepEqual([calls.made, map.size, other.size], [1, 0, 0])
  calls.armed = () => void other.set('last', 2)
  world.store.transaction(change)
  await world.checkpoint()
  assert.deepEqual([calls.made, map.get('k'), other.get('last')], [2, { n: 1 }, 2])
  await world.close()
})

test('a codec that writes an entry of its own at each call ends a transaction where that never ends', async () => {
  const { world, calls, maps } = await calling(['a'])
  const [map] = maps as [TidemarkMap<string, unknown>]
  const other = world.store.map<unknown, string>('other')
  const write = (into: TidemarkMap<string, unknown>, last: (n: number) => unknown): void => {
    let n = 0
    const again = (): void => {
      into.set('last', last(n++))
      calls.armed = again
    }
    calls.armed = again
    world.store.transaction(() => {
      for (let key = 0; key < 2000; key++) map.set(`k${key}`, key)
      into.set('last', 'before')
    })
    assert.equal(calls.made, n)
    calls.made = 0
  }
  write(other, n => n)
  write(map, () => null)
  write(map, () => 'same')
  assert.throws(() => write(map, n => n), { code: 'TIDEMARK_VALUE_REFUSED', collection: 'a' })
  calls.armed = undefined
  assert.equal(map.get('last'), 'same')
  await world.close()
})

test('a codec that writes two entries of its own at each call ends a transaction before they have doubled too often', async () => {
  const { world, calls, maps } = await calling(['a'])
  const [map] = maps as [TidemarkMap<string, unknown>]
  const write = (callsMax: number): void => {
    calls.made = 0
    const again = (): void => {
      for (const half of ['left', 'right']) map.set(`${half} ${calls.made}`, half)
      calls.armed = calls.made < callsMax ? again : undefined
    }
    calls.armed = again
    world.store.transaction(() => map.set('k', 1))
  }
  write(100)
  assert.deepEqual([calls.made, map.size], [100, 201])
  assert.throws(() => write(1_000_000), { code: 'TIDEMARK_VALUE_REFUSED', collection: 'a' })
  assert.ok(calls.made < 101_000, `${calls.made}`)
  calls.armed = undefined
  assert.equal(map.size, 201)
  await world.close()
})

test('what codecs write and clear again while a transaction is looked over waits for nothing', async () => {
  const { world, calls, maps } = await calling(['a', 'scratch'])
  const [map, scratch] = maps as [TidemarkMap<string, unknown>, TidemarkMap<string, unknown>]
  // Each of 500 entries is followed by another one, and that again, in two rounds.
  const again = (): void => {
    calls.armed = calls.made < 1000 ? again : undefined
    for (let many = 0; many < 250; many++) scratch.set(`passing ${many}`, many)
    scratch.clear()
    map.set(`next ${calls.made}`, 1)
  }
  calls.armed = again
  world.store.transaction(() => {
    for (let n = 0; n < 500; n++) map.set(`k${n}`, n)
  })
  assert.deepEqual([map.size, scratch.size], [1500, 0])
  await world.close()
})

test('a codec that writes many entries of its own at each call is refused for what waits, before it has written so much at each of so many calls', async () => {
  const { world, calls, maps } = await calling(['a'])
  const [map] = maps as [TidemarkMap<string, unknown>]
  let writes = 0
  const write = (callsMax: number, deletes: boolean): void => {
    calls.made = 0
    const again = (): void => {
      calls.armed = calls.made < callsMax ? again : undefined
      for (let many = 0; many < 20; many++) map.set(`own ${writes++}`, many)
      for (let many = 0; deletes && many < 200; many++) {
        map.set(`passing ${calls.made} ${many}`, many)
        map.delete(`passing ${calls.made} ${many}`)
      }
    }
    calls.armed = again
    world.store.transaction(() => map.set('k', 1))
  }
  write(1000, true)
  assert.deepEqual([calls.made, writes, map.size], [1000, 20_000, 20_001])
  assert.throws(() => write(1_000_000, false), { code: 'TIDEMARK_VALUE_REFUSED', collection: 'a' })
  assert.ok(writes < 200_000, `${writes}`)
  calls.armed = undefined
  assert.equal(map.size, 20_001)
  await world.close()
})

test('what a codec writes for each value, however much, and what its own codec writes for that, is looked over', async () => {
  const { world, calls, maps } = await calling(['a', 'b'])
  const [map, rows] = maps as [TidemarkMap<string, unknown>, TidemarkMap<string, unknown>]
  const index = world.store.map<unknown, string>('index')
  calls.armed = () => {
    for (let row = 0; row < 5000; row++) rows.set(`${row}`, row)
    const again = (): void => {
      index.set(`${calls.made}`, calls.made === 2000 ? () => {} : 1)
      calls.armed = again
    }
    calls.armed = again
  }
  assert.throws(() => world.store.transaction(() => map.set('k', 1)), { code: 'TIDEMARK_VALUE_REFUSED', collection: 'index', key: '2000' })
  calls.armed = undefined
  assert.deepEqual([calls.made, map.size, rows.size, index.size], [5001, 0, 0, 0])
  await world.close()
})
