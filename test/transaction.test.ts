/** Transactions that are taken back: what they leave behind, and what they refuse because it could not be. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ByteWriter } from '../src/base/bytes.ts'
import type { TidemarkError } from '../src/base/errors.ts'
import { Transaction } from '../src/capture/transaction.ts'
import type { Store } from '../src/store.ts'
import { Rig } from './support/capture-rig.ts'
import { SimulatedStore } from './support/simulated-store.ts'
import { failsWith } from './temporary.ts'

const reason = new Error('no')

function takenBack(store: Store, run: () => void): void {
  const attempt = (): void =>
    store.transaction(() => {
      run()
      throw reason
    })
  assert.throws(attempt, reason)
}

test('an insert that is taken back leaves nothing to write', async () => {
  for (const settings of [{}, { budget: { memoryBytesMax: 64 * 1024 * 1024 }, restore: { hydrate: 'on-demand' } }] as const) {
    const world = new SimulatedStore(settings)
    const store = await world.open()
    const map = store.map<number, string>('map')
    map.set('stored', 1)
    await world.checkpoint()
    const { dirtyMax } = store.stats()
    for (let n = 0; n < 1000; n++) {
      takenBack(store, () => {
        map.set(`k${n}`, n)
        map.set(`gone${n}`, n)
        map.delete(`gone${n}`)
      })
    }
    assert.equal(store.stats().dirtyMax, dirtyMax)
    assert.equal((await world.checkpoint()).records, 0)
    // What follows is written as ever.
    map.set('k0', 5)
    takenBack(store, () => map.set('k0', 6).delete('k0'))
    map.set('k1', 7)
    await world.checkpoint()
    takenBack(store, () => {
      map.clear()
      map.set('k2', 1)
    })
    map.delete('k1')
    await world.checkpoint()
    const back = (await world.crash()).map<number, string>('map')
    assert.deepEqual(
      new Map(back),
      new Map([
        ['k0', 5],
        ['stored', 1],
      ]),
    )
    await world.close()
  }
})

test('an insert that is taken back while an epoch is under way has its tombstone', async () => {
  const world = new SimulatedStore()
  const store = await world.open()
  const map = store.map<number, string>('map')
  map.set('gone', 1)
  await world.checkpoint()
  map.delete('gone')
  map.set('new', 1)
  const point = store.checkpoint()
  takenBack(store, () => map.set('gone', 2).set('new', 2).set('newer', 2))
  await world.run(point)
  await world.checkpoint()
  assert.deepEqual(new Map((await world.crash()).map('map')), new Map([['new', 1]]))
  await world.close()
})

test('the object that a cell begins with is refused when this transaction did not get it', async () => {
  const world = new SimulatedStore()
  const store = await world.open()
  const cell = store.value('cell', { n: 0 })
  const held = cell.get()
  const wanted = { collection: 'cell', key: 'value' }
  await failsWith('TIDEMARK_TRANSACTION_STALE', () => store.transaction(() => cell.set(held)), wanted)
  // Nor behind another value, which would be taken back too.
  const behind = (): void =>
    store.transaction(() => {
      cell.set({ n: 1 })
      cell.set(held)
    })
  await failsWith('TIDEMARK_TRANSACTION_STALE', behind, wanted)
  takenBack(store, () => {
    const own = cell.get()
    own.n = 5
    cell.set(own)
  })
  takenBack(store, () => cell.update(value => void value.n++))
  assert.deepEqual(cell.get(), { n: 0 })
  store.transaction(() => {
    const own = cell.get()
    own.n = 6
    cell.set(own)
  })
  assert.deepEqual(cell.get(), { n: 6 })
  // The cell has a value of its own now.
  store.transaction(() => cell.set(held))
  store.value('other', held).set(held)
  await world.close()
})

test('a transaction inside of another one is synchronous too', async () => {
  const world = new SimulatedStore()
  const store = await world.open()
  const map = store.map<number>('map')
  const inner = (): unknown => {
    map.set('a', 1)
    return Promise.reject(reason)
  }
  await failsWith('TIDEMARK_TRANSACTION_ASYNC', () => store.transaction(() => void store.transaction(inner as never)))
  assert.equal(map.size, 0)
  assert.equal(
    store.transaction(() => store.transaction(() => 'result')),
    'result',
  )
  await world.close()
})

test('undefined is a value that has to be one for the codec', async () => {
  const world = new SimulatedStore()
  const store = await world.open()
  const json = {
    name: 'json',
    encode: (value: unknown) => Buffer.from(JSON.stringify(value)),
    decode: (bytes: Uint8Array) => JSON.parse(Buffer.from(bytes).toString()),
  }
  const map = store.map<number | undefined>('map', { codec: json })
  map.set('gone', 1)
  const set = (): void =>
    store.transaction(() => {
      map.delete('gone')
      map.set('half', 1)
      map.set('other', undefined)
    })
  await failsWith('TIDEMARK_VALUE_REFUSED', set, { collection: 'map', key: 'other' })
  assert.deepEqual([...map], [['gone', 1]])
  store.transaction(() => {
    map.delete('gone')
    map.set('other', undefined)
    map.delete('other')
  })
  assert.equal(map.size, 0)
  await world.close()
})

test('NaN that a codec refuses is refused as any other value', async () => {
  const world = new SimulatedStore()
  const store = await world.open()
  const map = store.map<number>('map', {
    codec: {
      name: 'numbers',
      encode(value: number) {
        if (Number.isNaN(value)) throw new Error('not a number')
        return Buffer.from(`${value}`)
      },
      decode: bytes => Number(Buffer.from(bytes).toString()),
    },
  })
  const set = (): void =>
    store.transaction(() => {
      map.set('other', 1)
      map.set('key', Number.NaN)
    })
  await failsWith('TIDEMARK_VALUE_REFUSED', set, { collection: 'map', key: 'key' })
  assert.equal(map.size, 0)
  await world.close()
})

/** Cannot be stored, as long as it has one of these. */
const tool = (): void => {}

test('an object that could not be stored when a transaction got it, and was mended there, is named when all else is taken back', async () => {
  const world = new SimulatedStore()
  const store = await world.open()
  const map = store.map<{ n: number; tool?: () => void }>('map')
  const other = store.map<number>('other')
  map.set('a', { n: 1, tool })
  await failsWith('TIDEMARK_VALUE_REFUSED', () => world.checkpoint())
  const mended = (): void =>
    store.transaction(() => {
      other.set('before', 1)
      const a = map.get('a') as { n: number; tool?: () => void }
      delete a.tool
      a.n = 2
      map.set('a', a)
      other.set('after', 1)
      throw reason
    })
  assert.equal((await failsWith('TIDEMARK_CODEC', mended, { collection: 'map', key: 'a' })).cause, reason)
  assert.deepEqual([...other], [])
  // What is in memory is what is stored.
  await world.run(store.durable())
  assert.deepEqual([map.get('a'), (await world.crash()).map('map').get('a')], [{ n: 2 }, { n: 2 }])
  await world.close()
})

test('an object that cannot be stored neither before nor after is taken back without a word', async () => {
  const world = new SimulatedStore()
  const store = await world.open()
  const map = store.map<{ n: number; tool?: () => void }>('map')
  const held = { n: 1, tool }
  map.set('a', held)
  takenBack(store, () => map.set('a', { n: (map.get('a')?.n ?? 0) + 1 }))
  assert.equal(map.get('a'), held)
  await failsWith('TIDEMARK_VALUE_REFUSED', () => world.checkpoint())
  await failsWith('TIDEMARK_VALUE_REFUSED', () => world.run(store.close()))
})

test('an initial object of a cell that could not be stored when a transaction got it, and was mended there, is named', async () => {
  const world = new SimulatedStore()
  const store = await world.open()
  const cell = store.value<{ n: number; tool?: () => void }>('cell', { n: 1, tool })
  const mended = (): void =>
    store.transaction(() => {
      delete cell.get().tool
      throw reason
    })
  assert.equal((await failsWith('TIDEMARK_CODEC', mended, { collection: 'cell' })).cause, reason)
  await world.checkpoint()
  assert.equal((await world.crash()).value('cell').get(), undefined)
  await world.close()
})

test('a transaction that catches the error of an asynchronous one inside of it is rolled back all the same, and says why', async () => {
  const world = new SimulatedStore()
  const store = await world.open()
  const map = store.map<number>('map')
  let caught: unknown
  const outer = (): void =>
    store.transaction(() => {
      map.set('before', 1)
      try {
        store.transaction((() => {
          map.set('inside', 1)
          return Promise.resolve()
        }) as never)
      } catch (error) {
        caught = error
      }
      map.set('after', 1)
    })
  assert.equal(await failsWith('TIDEMARK_TRANSACTION_ASYNC', outer), caught)
  assert.equal(map.size, 0)
  // One that is written as async is not even called, and ends it no less.
  const written = (): void =>
    store.transaction(() => {
      map.set('before', 1)
      assert.throws(() => store.transaction((async () => assert.fail('it ran')) as never), { code: 'TIDEMARK_TRANSACTION_ASYNC' })
      map.set('after', 1)
    })
  await failsWith('TIDEMARK_TRANSACTION_ASYNC', written)
  assert.equal(map.size, 0)
  await world.close()
})

test('a transaction that catches what one inside of it threw is rolled back all the same, and throws that', async () => {
  const world = new SimulatedStore()
  const store = await world.open()
  const a = store.map<number>('a').set('x', 10)
  const log = store.map<string, number>('log')
  // Anything may be thrown.
  for (const thrown of [new Error('credit refused'), undefined]) {
    const transfer = (): void =>
      store.transaction(() => {
        a.set('x', 0)
        throw thrown
      })
    let ended: { readonly by: unknown } | undefined
    try {
      store.transaction(() => {
        for (const run of [transfer, () => store.transaction(() => assert.fail('a later one'))]) {
          try {
            run()
          } catch {}
        }
        log.set(1, 'failed')
      })
    } catch (by) {
      ended = { by }
    }
    assert.deepEqual([a.get('x'), log.size], [10, 0])
    assert.deepEqual(ended, { by: thrown })
  }
  // Caught in between, it is no less; and what the outer one throws itself comes first.
  const own = (): void =>
    store.transaction(() => {
      takenBack(store, () => a.set('x', 0))
      throw new Error('of its own')
    })
  assert.throws(own, /of its own/)
  assert.equal(a.get('x'), 10)
  store.transaction(() => store.transaction(() => a.set('x', 5)))
  assert.equal(a.get('x'), 5)
  await world.close()
})

test('a refused value that a transaction deletes and puts back is still refused, and an entry of no recovery point', async () => {
  for (const settings of [{}, { budget: { memoryBytesMax: 64 * 1024 * 1024 }, restore: { hydrate: 'on-demand' } }] as const) {
    const world = new SimulatedStore(settings)
    const store = await world.open()
    const map = store.map<unknown, string>('map')
    let told = 0
    store.on('refused', () => told++)
    map.set('good', 1).set('bad', () => {})
    // The cut falls now, and the transaction is the first to touch what it froze.
    const durable = store.durable().catch((error: TidemarkError) => error)
    takenBack(store, () => map.delete('bad'))
    takenBack(store, () => {
      map.delete('bad')
      map.set('bad', 1).delete('bad')
    })
    assert.equal((await world.run(durable))?.code, 'TIDEMARK_VALUE_REFUSED')
    assert.deepEqual([map.has('bad'), told, store.stats().refused.length], [true, 1, 1])
    await failsWith('TIDEMARK_VALUE_REFUSED', () => world.checkpoint())
    takenBack(store, () => map.delete('bad'))
    store.transaction(() => map.delete('bad'))
    assert.deepEqual(store.stats().refused, [])
    await world.run(store.durable())
    assert.equal((await world.checkpoint()).records, 0)
    assert.equal(
      world.points.reduce((sum, { records }) => sum + records, 0),
      1,
    )
    // Of what was put back there is no record, and the next epoch knows that, too.
    map.set('bad', () => {})
    const point = store.checkpoint().catch(() => {})
    takenBack(store, () => map.delete('bad'))
    await world.run(point)
    map.set('more', 1)
    await failsWith('TIDEMARK_VALUE_REFUSED', () => world.checkpoint())
    assert.equal((await world.run(store.recoveryPoints()))[0]?.entries, 2)
    assert.deepEqual([...(await world.crash()).map('map').keys()], ['good', 'more'])
    await world.close()
  }
})

test('a transaction that could not save what it was to hand out, for want of stack, saves it at the next get', () => {
  const rig = new Rig()
  const map = rig.collection([['k', new Set([1])]])
  rig.space.transaction = new Transaction()
  rig.space.refresh()
  const { now } = rig.space
  Object.assign(rig.space, {
    now: () => {
      throw new RangeError('Maximum call stack size exceeded')
    },
  })
  assert.throws(() => map.get('k'), RangeError)
  Object.assign(rig.space, { now })
  // It was not handed out.
  assert.throws(() => map.set('k', map.live.get('k')), { code: 'TIDEMARK_TRANSACTION_STALE' })
  ;(map.get('k') as Set<number>).add(2)
  rig.space.transaction.rollback()
  rig.space.endTransaction()
  assert.deepEqual(map.live.get('k'), new Set([1]))
})

test('what a transaction may have to put back lies in buffers of a bounded size, however much that is', () => {
  const rig = new Rig()
  const entries = Array.from({ length: 100 }, (_, at): [string, Set<string>] => [`k${at}`, new Set([`${at}`.repeat(100)])])
  const map = rig.collection(entries)
  const before = structuredClone(map.live)
  const images = new ByteWriter(256)
  const transaction = new Transaction(images, 1024)
  rig.space.transaction = transaction
  rig.space.refresh()
  for (const [key] of entries) {
    const value = map.get(key) as Set<string>
    value.add(key)
    map.set(key, value)
  }
  map.set('k0', 'x'.repeat(100_000))
  transaction.validate()
  assert.ok(images.bytes.length <= 4096, `${images.bytes.length} bytes in the first buffer`)
  transaction.rollback()
  rig.space.endTransaction()
  assert.deepEqual(map.live, before)
})
