/** A codec that is given again under its name, and what codecs and values may be while they are looked at. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Codec } from '../src/codec/index.ts'
import { SimulatedStore } from './support/simulated-store.ts'
import { failsWith } from './temporary.ts'

const text: Codec<string> = { name: 'text', encode: value => Buffer.from(value), decode: bytes => Buffer.from(bytes).toString() }
const broken: Codec<string> = {
  ...text,
  encode: () => {
    throw new Error('broken')
  },
}

test('what the codec before it refused is written with a better one though nothing else changes', async () => {
  const world = new SimulatedStore({ checkpoint: { intervalMs: 100 } })
  const store = await world.open()
  store.map<string>('map', { codec: broken }).set('k', 'v')
  await world.pass(1000)
  assert.equal(store.stats().refused.length, 1)
  store.map('map', { codec: text })
  await world.pass(1000)
  assert.equal((await world.crash()).map<string>('map', { codec: text }).get('k'), 'v')
  await world.close()
})

test('the same one given again does not try what it refused once more: no barrier falls for it', async () => {
  const world = new SimulatedStore({ checkpoint: { intervalMs: 100 } })
  const store = await world.open()
  store.map<string>('map', { codec: broken }).set('k', 'v')
  await world.pass(1000)
  const { epoch } = world.points.at(-1) ?? {}
  for (let n = 0; n < 5; n++) {
    store.map<string>('map', { codec: broken })
    await world.pass(200)
  }
  assert.equal(store.stats().refused.length, 1)
  assert.equal(world.points.at(-1)?.epoch, epoch)
  store.map<string>('map', { codec: text })
  await world.close()
})

for (const before of [undefined, 'stored before']) {
  test(`a text that a codec refused, set again once the codec takes it, is written though nothing else changes; ${before ?? 'never stored'}`, async () => {
    const world = new SimulatedStore({ checkpoint: { intervalMs: 100 } })
    const store = await world.open()
    let refuses = false
    const moody: Codec<string> = { ...text, encode: value => (refuses ? broken : text).encode(value) }
    const map = store.map<string>('map', { codec: moody })
    map.set('other', 'w')
    if (before !== undefined) map.set('k', before)
    await world.pass(1000)
    refuses = true
    map.set('k', 'v')
    await world.pass(1000)
    assert.equal(store.stats().refused.length, 1)
    refuses = false
    const { epoch } = world.points.at(-1) ?? {}
    map.set('other', 'w')
    await world.pass(1000)
    assert.equal(world.points.at(-1)?.epoch, epoch, 'no barrier falls for what is stored as it is')
    map.set('k', 'v')
    await world.pass(1000)
    assert.deepEqual(store.stats().refused, [])
    assert.equal((await world.crash()).map<string>('map', { codec: text }).get('k'), 'v')
    await world.close()
  })
}

test('one given behind a clear in a transaction reads what comes back when that is taken back', async () => {
  const settings = { budget: { memoryBytesMax: 64 * 1024 * 1024 }, restore: { hydrate: 'on-demand' } } as const
  for (const world of [new SimulatedStore(), new SimulatedStore(settings)]) {
    ;(await world.open()).map<string>('map', { codec: text }).set('k', 'v').set('other', 'w')
    await world.close()
    const store = await world.open()
    const blind: Codec<string> = {
      ...text,
      decode: () => {
        throw new Error('blind')
      },
    }
    const map = store.map<string>('map', { codec: blind })
    await failsWith('TIDEMARK_VALUE_DAMAGED', () => map.get('k'))
    const stop = new Error('taken back')
    const attempt = (): void =>
      store.transaction(() => {
        map.clear()
        map.set('k', 'new')
        store.map<string>('map', { codec: text }).clear()
        throw stop
      })
    assert.throws(attempt, stop)
    assert.deepEqual([...map.entries(), map.size], [['k', 'v'], ['other', 'w'], 2])
    await world.close()
  }
})

test('an entry that cannot be decoded can be set anew and deleted outside of a transaction, as the error inside of one says', async () => {
  const world = new SimulatedStore()
  ;(await world.open()).map<string>('map', { codec: text }).set('k', 'v').set('other', 'w')
  await world.close()
  const store = await world.open()
  const blind: Codec<string> = {
    ...text,
    decode: () => {
      throw new Error('blind')
    },
  }
  const map = store.map<string>('map', { codec: blind })
  for (const change of [() => map.set('k', 'new'), () => map.delete('k')]) {
    const { hint } = await failsWith('TIDEMARK_VALUE_DAMAGED', () => store.transaction(() => void change()), {
      collection: 'map',
      key: 'k',
    })
    assert.match(hint ?? '', /outside of a transaction it can be set anew or deleted$/)
  }
  map.set('k', 'new')
  map.delete('other')
  await world.checkpoint()
  assert.deepEqual([...(await world.crash()).map<string>('map', { codec: text })], [['k', 'new']])
  await world.close()
})

test('a cut that has fallen is written with the better one', async () => {
  const world = new SimulatedStore()
  const store = await world.open()
  store.map<string>('map', { codec: broken }).set('k', 'v')
  const asked = store.checkpoint()
  store.map('map', { codec: text })
  await world.run(Promise.all([asked, store.durable()]))
  assert.equal((await world.crash()).map<string>('map', { codec: text }).get('k'), 'v')
  await world.close()
})

test('an accessor called next of what a codec gives is not called', async () => {
  const world = new SimulatedStore()
  let nodes = (await world.open()).map<object>('nodes')
  class Node {
    readonly nextId: string
    constructor(nextId: string) {
      this.nextId = nextId
    }
    get next(): object | undefined {
      return nodes.get(this.nextId)
    }
  }
  const codec: Codec<Node> = {
    name: 'node',
    encode: ({ nextId }) => Buffer.from(nextId),
    decode: bytes => new Node(Buffer.from(bytes).toString()),
  }
  const ring = world.store.map<Node>('ring', { codec })
  nodes = ring as unknown as typeof nodes
  ring.set('a', new Node('b'))
  ring.set('b', new Node('a'))
  await world.checkpoint()
  const again = (await world.crash()).map<Node>('ring', { codec })
  nodes = again as unknown as typeof nodes
  assert.equal(again.get('a')?.next, again.get('b'))
  await world.close()
})
