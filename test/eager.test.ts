/** Objects for everything in the background: what cannot become one keeps nothing else from becoming one. */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import type { Codec, TidemarkMap } from 'tidemark'
import type { StallInfo } from '../src/checkpoint/index.ts'
import { type Components, openStore } from '../src/open.ts'
import type { Settings } from '../src/options.ts'
import { openForReading } from '../src/restore/index.ts'
import { FileStorage } from '../src/storage/index.ts'
import { SimulatedStore } from './support/simulated-store.ts'
import { failsWith, temporaryFolder } from './temporary.ts'

const ENTRIES = 300
const PARTS: Components = { writer: 'inline', thresholds: { bytes: 100, paced: false } }
const MANUAL = { checkpoint: { intervalMs: 0 }, compression: 'none' } as const
const EAGER: Settings = { ...MANUAL, restore: { hydrate: 'eager' } }

/** Which values it decoded. */
class Seen implements Codec<string> {
  readonly name: string
  readonly seen = new Set<string>()
  readonly #refused: string | undefined

  constructor(name: string, refused?: string) {
    this.name = name
    this.#refused = refused
  }

  encode(value: string): Uint8Array {
    return Buffer.from(value)
  }

  decode(bytes: Uint8Array): string {
    const value = String(bytes)
    if (value === this.#refused) throw new Error('cannot be read')
    this.seen.add(value)
    return value
  }
}

const text = (at: number): string => `value ${at} ${'x'.repeat(200)}`

/** Collections of the codecs, in this order, each with the same entries, in segments. */
async function fill(folder: string, names: readonly string[]): Promise<void> {
  const store = await openStore(folder, MANUAL, PARTS)
  for (const name of names) {
    const map = store.map<string, number>(name, { codec: new Seen(name) })
    for (let at = 0; at < ENTRIES; at++) map.set(at, text(at))
  }
  await store.checkpoint()
  while (store.stats().upkeep.foldedEpoch === 0) await setTimeout(5)
  await store.close()
}

test('a collection whose codec is not given is passed over, and read once it is', { timeout: 30_000 }, async t => {
  const folder = temporaryFolder(t)
  await fill(folder, ['first', 'second'])
  const second = new Seen('second')
  const store = await openStore(folder, { ...EAGER, codecs: [second] }, PARTS)
  await store.hydrated()
  assert.equal(second.seen.size, ENTRIES)
  const first = new Seen('first')
  assert.equal(store.map<string, number>('first', { codec: first }).get(7), text(7))
  await store.close()
})

test('a value that cannot be decoded is named, and all others become objects', { timeout: 30_000 }, async t => {
  const folder = temporaryFolder(t)
  await fill(folder, ['first', 'second'])
  const first = new Seen('first', text(5))
  const second = new Seen('second')
  const store = await openStore(folder, { ...EAGER, codecs: [first, second] }, PARTS)
  await failsWith('TIDEMARK_VALUE_DAMAGED', () => store.hydrated(), { collection: 'first', key: 5 })
  assert.deepEqual([first.seen.size, second.seen.size], [ENTRIES - 1, ENTRIES])
  await store.close()
})

test('a codec that asks for the entry it decodes keeps no other from becoming an object', { timeout: 30_000 }, async t => {
  const folder = temporaryFolder(t)
  await fill(folder, ['first', 'second'])
  const first = new Seen('first')
  const second = new Seen('second')
  let own: TidemarkMap<number, string> | undefined
  const asking: Codec<string> = {
    name: 'first',
    encode: value => first.encode(value),
    decode: bytes => {
      const value = first.decode(bytes)
      if (value === text(5)) own?.get(5)
      return value
    },
  }
  const store = await openStore(folder, { ...EAGER, codecs: [asking, second] }, PARTS)
  own = store.map<string, number>('first', { codec: asking })
  await failsWith('TIDEMARK_CODEC', () => store.hydrated(), { collection: 'first', key: 5 })
  assert.deepEqual([first.seen.size, second.seen.size], [ENTRIES, ENTRIES])
  await store.close()
})

test('where a block is damaged, other collections become objects', { timeout: 30_000 }, async t => {
  const folder = temporaryFolder(t)
  await fill(folder, ['first', 'second'])
  const { base, young } = (await openForReading(new FileStorage(folder))).manifest
  const [segment] = [...young, ...base.flatMap(range => range.segment ?? [])]
  const path = join(folder, segment?.file as string)
  const data = readFileSync(path)
  const at = data.indexOf(text(0))
  data[at] = (data[at] as number) ^ 1
  writeFileSync(path, data)
  const [first, second] = [new Seen('first'), new Seen('second')]
  const store = await openStore(folder, { ...EAGER, codecs: [first, second] }, PARTS)
  await failsWith('TIDEMARK_SEGMENT_DAMAGED', () => store.hydrated())
  assert.equal(second.seen.size, ENTRIES)
  await store.close()
})

/** The time passes that decoding takes. */
function slow(world: SimulatedStore, ms: number): Codec<number> {
  return {
    name: 'slow',
    encode: value => Buffer.from(String(value)),
    decode: bytes => {
      world.clock.advance(ms)
      return Number(String(bytes))
    },
  }
}

for (const readOnly of [false, true]) {
  test(`objects are made one after the other, and a slice beyond the budget is told of, ${readOnly ? 'by a reader' : 'by a writer'}`, async () => {
    const world = new SimulatedStore()
    const codec = slow(world, 3)
    const filling = (await world.open()).map<number>('map', { codec })
    for (let at = 0; at < 100; at++) filling.set(at, at)
    await world.close()
    const store = await world.open({ readOnly, codecs: [codec], restore: { hydrate: 'eager' } })
    const told: StallInfo[] = []
    store.on('stall', info => told.push(info))
    await world.run(store.hydrated())
    const { stalls, stallsOver } = store.stats()
    assert.ok(stalls.maxMs >= 3 && stalls.maxMs < 4, `${stalls.maxMs} ms`)
    assert.equal(stallsOver, 100)
    assert.deepEqual(
      told.map(({ budgetMs, key }) => [budgetMs, key]),
      Array.from({ length: 100 }, () => [1, undefined]),
    )
    await world.close()
  })
}

test('a close that cuts objects short is what is told, whatever could not be decoded before', async () => {
  const world = new SimulatedStore()
  const codec = slow(world, 3)
  const filling = await world.open()
  filling.map<string, number>('first', { codec: new Seen('first') }).set(5, text(5))
  for (let at = 0; at < 100; at++) filling.map<number>('second', { codec }).set(`k${at}`, at)
  await world.close()
  let closing: Promise<void> | undefined
  const closes: Codec<number> = {
    ...codec,
    decode: bytes => {
      closing ??= world.store.close()
      return codec.decode(bytes)
    },
  }
  const store = await world.open({ codecs: [new Seen('first', text(5)), closes], restore: { hydrate: 'eager' } })
  await failsWith('TIDEMARK_CLOSED', () => world.run(store.hydrated()))
  await world.run(closing as Promise<void>)
})

test('making objects waits for a calmer event loop, but not for ever', async () => {
  const world = new SimulatedStore()
  const codec = slow(world, 3)
  const filling = (await world.open()).map<number>('map', { codec })
  for (let at = 0; at < 100; at++) filling.set(at, at)
  await world.close()
  const took = async (load: number): Promise<number> => {
    world.load = load
    const store = await world.open({ readOnly: true, codecs: [codec], restore: { hydrate: 'eager' } })
    const begin = world.clock.monotonic()
    await world.run(store.hydrated())
    const ms = world.clock.monotonic() - begin
    await world.close()
    return ms
  }
  const calm = await took(0.5)
  assert.ok(calm >= 300 && calm < 500, `${calm} ms`)
  const busy = await took(1)
  // Behind the blocks: before the first object, and each 100 ms of decoding.
  assert.ok(busy >= 15_000 && busy < 40_000, `${busy} ms`)
})

test('objects that nobody touched are in the order of their keys, before all that was, however many of them were made', async () => {
  const world = new SimulatedStore()
  const letters = (await world.open()).map<object, string>('letters')
  const many = world.store.map<object, number>('many')
  for (const key of ['b', 'c', 'a']) letters.set(key, { key })
  for (let at = 299; at >= 0; at--) many.set(at, { at })
  await world.close()
  const store = await world.open({ restore: { hydrate: 'eager' } })
  const again = store.map<object, string>('letters')
  again.set('new', {})
  assert.deepEqual([...again.keys()], ['a', 'b', 'c', 'new'])
  const all = store.hydrated()
  const walked = store.map<object, number>('many')
  const walk = walked.keys()
  assert.equal(walk.next().value, 0)
  await world.run(all)
  assert.deepEqual([...walk].length, 299)
  assert.deepEqual([...again.keys()], ['a', 'b', 'c', 'new'])
  assert.equal(again.size, 4)
  const reason = new Error('taken back')
  const change = (): void =>
    store.transaction(() => {
      for (const [, value] of again.scan()) Object.assign(value, { key: 'changed' })
      throw reason
    })
  assert.throws(change, reason)
  assert.deepEqual([...again.scan()].slice(-3), [
    ['a', { key: 'a' }],
    ['b', { key: 'b' }],
    ['c', { key: 'c' }],
  ])
  await world.close()
})

test('of an object that nobody touched get, a loop and a scan give the same', async () => {
  const world = new SimulatedStore()
  const filling = (await world.open()).map<object, string>('letters')
  for (const key of ['b', 'c', 'a']) filling.set(key, { key })
  await world.close()
  const store = await world.open({ restore: { hydrate: 'eager' } })
  await world.run(store.hydrated())
  const again = store.map<object, string>('letters')
  again.set('new', {})
  const b = again.get('b')
  assert.deepEqual([...again.keys()], ['a', 'c', 'new', 'b'])
  const scanned = new Map(again.scan())
  assert.deepEqual([...scanned.keys()], ['a', 'c', 'new', 'b'])
  for (const [key, value] of again) assert.equal(value, scanned.get(key))
  for (const [key, value] of scanned) assert.equal(again.get(key), value)
  assert.equal(again.get('b'), b)
  await world.close()
})

test('what is set where an object or value waits untouched is compared with it, as with any other', async () => {
  const world = new SimulatedStore()
  const filling = (await world.open()).map<number>('n')
  for (const key of ['k', 'in a transaction', 'late']) filling.set(key, 5)
  for (const key of ['a', 'b']) world.store.map<object>('ships').set(key, { x: 0 })
  await world.close()
  const store = await world.open({ restore: { hydrate: 'eager' } })
  const numbers = store.map<number>('n')
  const ships = store.map<object>('ships', { significant: () => false })
  await world.run(store.hydrated())
  assert.equal((await world.checkpoint()).records, 0)
  numbers.set('k', 5)
  ships.set('a', { x: 0.5 })
  const { collections, dirtyMax } = store.stats()
  assert.deepEqual([collections['n']?.unchanged, collections['ships']?.insignificant, dirtyMax], [1, 1, 0])
  assert.equal((await world.checkpoint()).records, 0)
  store.transaction(() => numbers.set('in a transaction', 5))
  assert.equal((await world.checkpoint()).records, 0)
  // While a cut is captured, too.
  ships.set('c', {})
  const asked = store.checkpoint()
  numbers.set('late', 5)
  ships.set('b', { x: 0.75 })
  assert.equal((await world.run(asked)).records, 1)
  assert.deepEqual([[...numbers.keys()], ships.get('b'), store.stats().dirtyMax], [['k', 'in a transaction', 'late'], { x: 0.75 }, 0])
  await world.close()
})

test('objects that nobody touched are those of the codec given last; one that is given again makes none anew', async () => {
  const world = new SimulatedStore()
  const first = new Seen('text')
  ;(await world.open()).map<string>('map', { codec: first }).set('k', 'v')
  await world.close()
  const store = await world.open({ codecs: [first], restore: { hydrate: 'eager' } })
  await world.run(store.hydrated())
  let decoded = 0
  const better: Codec<string> = {
    name: 'text',
    encode: value => first.encode(value),
    decode: bytes => {
      decoded++
      return `better ${bytes}`
    },
  }
  const map = store.map<string>('map', { codec: better })
  assert.equal(map.get('k'), 'better v')
  await world.close()
  const again = await world.open({ codecs: [better], restore: { hydrate: 'eager' } })
  await world.run(again.hydrated())
  decoded = 0
  assert.equal(again.map<string>('map', { codec: better }).get('k'), 'better v')
  assert.equal(decoded, 0)
  await world.close()
})

for (const stored of [300, 40_000]) {
  test(`half way through ${stored} objects the order is that of the keys, whatever is written meanwhile`, async () => {
    const world = new SimulatedStore()
    const codec = stored === 300 ? slow(world, 3) : { ...slow(world, 0), name: 'slow' }
    const filling = (await world.open()).map<number, number>('map', { codec })
    for (let at = 0; at < stored; at++) filling.set(at, at)
    await world.close()
    const store = await world.open({ codecs: [codec], restore: { hydrate: 'eager' } })
    const map = store.map<number, number>('map', { codec })
    const all = store.hydrated()
    const begin = world.clock.monotonic()
    map.set(-1, -1)
    map.get(7)
    map.delete(8)
    const expected = (...written: number[]): number[] => [
      ...Array.from(Array(stored).keys()).filter(key => key !== 7 && key !== 8 && !written.includes(key)),
      ...[-1, 7],
      ...written,
    ]
    while (stored === 300 && world.clock.monotonic() - begin < 450) await world.pass(10)
    assert.deepEqual([...map.keys()], expected())
    // What is at home already, and what is not; deleted and set again it is another entry.
    map.set(20, -20)
    map.set(290, -290)
    map.delete(21)
    map.set(21, -21)
    assert.deepEqual([...map.keys()], expected(20, 290, 21))
    await world.run(all)
    assert.deepEqual([...map.keys()], expected(20, 290, 21))
    assert.deepEqual(
      [map.size, map.get(20), map.get(290), map.get(21), map.get(8), map.has(299)],
      [stored, -20, -290, -21, undefined, true],
    )
    map.delete(299)
    assert.deepEqual([map.has({} as number), map.get(Symbol() as never)], [false, undefined])
    assert.deepEqual([map.has(299), map.get(299), map.size], [false, undefined, stored - 1])
    const sum = [...map.values()].reduce((total, value) => total + value, 0)
    assert.equal(sum, (stored * (stored - 1)) / 2 - 8 - 299 - 1 - 2 * (20 + 290 + 21))
    const keys = [...map.keys()]
    await world.close()
    const back = (await world.open({ codecs: [codec] })).map<number, number>('map', { codec })
    assert.deepEqual(new Set(back.keys()), new Set(keys))
    await world.close()
  })
}
