/** Code of the service that runs in the middle of the engine's: listeners of events, and codecs. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { open } from 'tidemark'
import type { Codec } from '../src/codec/index.ts'
import { alone } from './support/checkpointer-rig.ts'
import { SimulatedStore } from './support/simulated-store.ts'

test('what a listener of the barrier writes is in the epoch that it ends, an object that it has held since before included', async () => {
  const world = new SimulatedStore()
  const store = await world.open()
  const map = store.map<{ epoch: number }>('map')
  const current = { epoch: 0 }
  map.set('current', current)
  store.on('barrier', ({ epoch }) => {
    current.epoch = epoch
    map.set('current', current)
  })
  for (let n = 1; n <= 3; n++) {
    map.set(`k${n}`, { epoch: n })
    assert.equal((await world.checkpoint()).epoch, n)
  }
  assert.equal(store.stats().voids, 0)
  const back = await world.crash()
  assert.deepEqual([back.map('map').get('current'), back.map('map').size], [{ epoch: 3 }, 4])
  await world.close()
})

test('a codec that sets an object of its own collection again does not keep the epoch from ending, nor is it lost', async () => {
  const world = new SimulatedStore()
  const shared = { n: 0 }
  const map = (await world.open()).map<{ n: number }>('map', {
    codec: {
      name: 'restless',
      encode(value: { n: number }) {
        if (value !== shared) {
          shared.n++
          map.set('shared', shared)
        }
        return Buffer.from(JSON.stringify(value))
      },
      decode: (bytes: Uint8Array) => JSON.parse(Buffer.from(bytes).toString()),
    } satisfies Codec<{ n: number }>,
  })
  map.set('shared', shared)
  for (let n = 0; n < 10; n++) map.set(`k${n}`, { n })
  const point = await world.checkpoint()
  assert.equal(point.epoch, 1)
  await world.checkpoint()
  const plain = {
    name: 'restless',
    encode: (value: unknown) => Buffer.from(JSON.stringify(value)),
    decode: (bytes: Uint8Array) => JSON.parse(Buffer.from(bytes).toString()),
  }
  const back = (await world.crash()).map<{ n: number }>('map', { codec: plain })
  assert.deepEqual([back.size, back.get('k9')], [11, { n: 9 }])
  assert.ok((back.get('shared')?.n ?? 0) > 0)
  await world.close()
})

test('who asks for a checkpoint when a decision is told at a commit gets the next one', async () => {
  let late: Promise<{ epoch: number }> | undefined
  const { scheduler, host, map, checkpointer } = alone(100, false, {}, ({ type }) => {
    if (type === 'rpo-broken') late ??= checkpointer.checkpoint(1e9)
  })
  map.set('a', 1)
  scheduler.pass(200)
  assert.equal(host.commits.length, 1)
  map.set('b', 2)
  // The loop is held up: no look comes in between.
  scheduler.nowMs += 10_000
  host.commit()
  assert.ok(late !== undefined)
  let settled = false
  late.then(() => {
    settled = true
  })
  await Promise.resolve()
  assert.equal(settled, false)
  scheduler.pass(100)
  assert.equal(host.commits.at(-1)?.epoch, 2)
  host.commit()
  assert.equal((await late).epoch, 2)
})

test('a value that its codec cannot put back keeps nothing else of a transaction that throws', async () => {
  const world = new SimulatedStore()
  const store = await world.open()
  const plain = store.map<number>('plain')
  const strict = store.map<{ n: number }>('strict', {
    codec: {
      name: 'strict',
      encode: value => Buffer.from(JSON.stringify(value)),
      decode: bytes => {
        const value = JSON.parse(Buffer.from(bytes).toString())
        if (value.n < 0) throw new Error('below 0')
        return value
      },
    },
  })
  strict.set('k', { n: -1 })
  const thrown = new Error('no')
  const failed = (): void =>
    store.transaction(() => {
      plain.set('before', 1)
      const value = strict.get('k') as { n: number }
      value.n = -2
      strict.set('k', value)
      plain.set('after', 1)
      throw thrown
    })
  assert.throws(failed, { code: 'TIDEMARK_CODEC', collection: 'strict', key: 'k', cause: thrown })
  assert.deepEqual([...plain.keys()], [])
  await world.checkpoint()
  assert.deepEqual([...(await world.crash()).map('plain').keys()], [])
  await world.close()
})

test('a listener of the barrier of a close that closes, too, gets the same promise', async () => {
  const world = new SimulatedStore()
  const store = await world.open()
  store.map('map').set('key', 1)
  let again: Promise<void> | undefined
  store.on('barrier', () => {
    again = store.close()
  })
  const closing = store.close()
  assert.equal(again, closing)
  await world.run(closing)
  assert.equal((await world.open()).map('map').get('key'), 1)
  await world.close()
})

test('what a listener of the barrier of a close writes is in the last epoch, and nothing can be written behind it', async () => {
  const world = new SimulatedStore()
  const store = await world.open()
  const map = store.map<number>('map')
  map.set('key', 1)
  store.on('barrier', ({ epoch }) => {
    map.set('epoch', epoch)
    store.transaction(() => void store.map<number>('made').set('by', epoch))
    store.value('cell', 0).set(epoch)
  })
  const closing = store.close()
  assert.throws(() => map.set('late', 1), { code: 'TIDEMARK_CLOSED' })
  assert.throws(() => store.map('later'), { code: 'TIDEMARK_CLOSED' })
  await world.run(closing)
  const back = await world.open()
  assert.deepEqual(Object.fromEntries(back.map<number>('map')), { key: 1, epoch: 1 })
  assert.equal(back.map('made').get('by'), 1)
  assert.equal(back.value('cell', 0).get(), 1)
  await world.close()
})

test('a listener of a barrier may write what another one closes the store of', async () => {
  const world = new SimulatedStore()
  const store = await world.open()
  const map = store.map<number>('map')
  map.set('key', 1)
  let closing: Promise<void> | undefined
  store.once('barrier', () => {
    closing = store.close()
  })
  store.on('barrier', ({ epoch }) => map.set('epoch', epoch))
  await world.checkpoint()
  await world.run(closing as Promise<void>)
  assert.equal((await world.open()).map('map').has('epoch'), true)
  await world.close()
})

test('a listener of a barrier of which the store is closed ends it', async () => {
  const world = new SimulatedStore()
  const store = await world.open()
  store.map('map').set('key', 1)
  let closing: Promise<void> | undefined
  store.once('barrier', () => {
    closing = store.close()
  })
  assert.equal((await world.checkpoint()).epoch, 1)
  await world.run(closing as Promise<void>)
  assert.equal((await world.open()).map('map').get('key'), 1)
  await world.close()
})

for (const event of ['barrier', 'decision'] as const) {
  test(`a hold that a listener of '${event}' asks for as the barrier falls begins behind the cut`, async () => {
    const world = new SimulatedStore()
    const store = await world.open()
    const map = store.map<number>('map')
    map.set('first', 1)
    let held: Promise<void> | undefined
    store.on(event, told => {
      if (held !== undefined || ('type' in told && told.type !== 'barrier')) return
      held = store.hold(async () => {
        map.set('half', 1)
        await Promise.resolve()
        map.set('other half', 1)
      })
    })
    assert.equal((await world.checkpoint()).entries, 1)
    await world.run(held as Promise<void>)
    const back = (await world.crash()).map<number>('map')
    assert.deepEqual([...back.keys()], ['first'])
    await world.close()
  })
}

test('a listener of the barrier of a close may write, and may not wait', async () => {
  const world = new SimulatedStore()
  const store = await world.open()
  const map = store.map<number>('map')
  map.set('first', 1)
  const codes: (string | undefined)[] = []
  store.once('barrier', () => {
    store.transaction(() => map.set('last', 1))
    store.map<number>('other').set('last', 1)
    for (const call of [() => store.durable(), () => store.checkpoint()]) {
      try {
        void call()
      } catch (error) {
        codes.push((error as { code?: string }).code)
      }
    }
  })
  await world.run(store.close())
  assert.deepEqual(codes, ['TIDEMARK_CLOSED', 'TIDEMARK_CLOSED'])
  const back = await world.open()
  assert.deepEqual([...back.map('map').keys()], ['first', 'last'])
  assert.deepEqual([...back.map('other').keys()], ['last'])
  await world.close()
})

test('a hold that a codec asks for while changes in place are looked for begins behind the cut', async () => {
  const world = new SimulatedStore({ debug: { untracked: true } })
  const store = await world.open()
  const plain = store.map<number>('plain')
  let held: Promise<void> | undefined
  let asks = false
  const map = store.map<number>('map', {
    codec: {
      name: 'holding',
      encode: value => {
        if (asks) {
          held ??= store.hold(async () => {
            plain.set('half', 1)
            await Promise.resolve()
            plain.set('other half', 1)
          })
        }
        return Buffer.from(String(value))
      },
      decode: bytes => Number(Buffer.from(bytes).toString()),
    },
  })
  map.set('seen', 1)
  await world.checkpoint()
  plain.set('first', 1)
  asks = true
  await world.checkpoint()
  asks = false
  assert.ok(held !== undefined)
  await world.run(held)
  const back = (await world.crash()).map<number>('plain')
  assert.deepEqual([...back.keys()], ['first'])
  await world.close()
})

test('a listener that the engine calls later is not inside of the hold in which it was given the reason', async () => {
  const store = await open(':memory:', { checkpoint: { intervalMs: 0 } })
  const map = store.map<number>('map', {
    significant: () => {
      throw new Error('no')
    },
  })
  let told: Promise<unknown> | undefined
  let refused: unknown
  const heard = new Promise<void>(resolve => {
    store.on('significantFailed', () => {
      try {
        told = store.checkpoint()
      } catch (error) {
        refused = error
      }
      resolve()
    })
  })
  map.set('a', 1)
  await store.durable()
  await store.hold(async () => {
    map.set('a', 2)
    await heard
    assert.throws(() => store.checkpoint(), { code: 'TIDEMARK_INSIDE' })
  })
  assert.equal(refused, undefined)
  await told
  await store.close()
})

test('a listener that a writer without a thread calls is not inside of the hold in which it was given work', async () => {
  const world = new SimulatedStore()
  const store = await world.open()
  const map = store.map<{ text: string }>('map')
  const fill = (letter: string): void => {
    for (let n = 0; n < 300; n++) map.set(`k${n}`, { text: letter.repeat(1000) })
  }
  fill('a')
  const seen: unknown[] = []
  store.on('checkpoint', () => {
    try {
      void store.durable()
      seen.push('called')
    } catch (error) {
      seen.push(error)
    }
  })
  const point = store.checkpoint()
  // What was frozen and is set anew is captured in that call, and full blocks go to the writer.
  const hold = store.hold(async () => {
    fill('b')
    await world.scheduler.sleep(500)
  })
  await world.run(point)
  assert.deepEqual(seen, ['called'])
  await world.run(hold)
  await world.close()
})
