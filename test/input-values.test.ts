/** Values and codecs that cannot be stored, and uses of a store that is closed: typed errors that name collection and key. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Codec, open } from 'tidemark'
import { failsWith, temporaryFolder } from './temporary.ts'
import { unharmed } from './unharmed.ts'

class Player {
  score = 1
}

function nested(levels: number): unknown {
  let value: unknown = 1
  for (let level = 0; level < levels; level++) value = [value]
  return value
}

function cyclic(): unknown {
  const value: Record<string, unknown> = {}
  value['self'] = value
  return value
}

const BAD_VALUES: readonly (readonly [string, () => unknown])[] = [
  ['a function', () => () => 1],
  ['a function inside', () => ({ deep: [{ fn: () => 1 }] })],
  ['a symbol', () => Symbol('value')],
  ['a symbol as a property', () => ({ [Symbol('name')]: 1 })],
  ['an instance of a class', () => new Player()],
  ['a WeakMap', () => new WeakMap()],
  ['a WeakRef', () => new WeakRef({})],
  ['a promise', () => Promise.resolve(1)],
  ['a SharedArrayBuffer', () => new SharedArrayBuffer(8)],
  ['a boxed number', () => Object(5)],
  ['a boxed string', () => Object('text')],
  [
    'an accessor',
    () => ({
      get now() {
        return 1
      },
    }),
  ],
  ['a cycle', cyclic],
  ['too much nesting', () => nested(1002)],
  ['an array with properties', () => Object.assign([1], { extra: 1 })],
  [
    'a proxy that throws',
    () =>
      new Proxy(
        {},
        {
          getPrototypeOf() {
            throw new Error('no')
          },
        },
      ),
  ],
]

test('a value that cannot be stored is refused by name and keeps nothing else from being durable', t =>
  unharmed(t, async store => {
    const map = store.map<unknown>('values')
    const seen: string[] = []
    store.on('refused', ({ collection, key, reason }) => seen.push(`${collection} ${String(key)}: ${reason}`))
    for (const [at, [what, make]] of BAD_VALUES.entries()) {
      const key = `bad ${at}`
      map.set(key, 'the last good value')
      await store.checkpoint()
      map.set(key, make())
      map.set('good', what)
      const error = await failsWith('TIDEMARK_VALUE_REFUSED', () => store.checkpoint(), { collection: 'values', key })
      const { refused } = error.info as { refused: readonly { collection: string; key: unknown }[] }
      assert.deepEqual(
        refused.map(refusal => [refusal.collection, refusal.key]),
        [['values', key]],
        what,
      )
      await failsWith('TIDEMARK_VALUE_REFUSED', () => store.durable(), { collection: 'values', key })
      assert.equal(seen.length, at + 1, `${what}: one event`)
      assert.ok(seen[at]?.startsWith(`values ${key}: `), seen[at])
      assert.equal(store.stats().refused.length, 1)
      // Everything else of that epoch is durable, and the key has its last good value.
      const reader = await open(store.directory, { readOnly: true })
      assert.deepEqual(
        new Map(reader.map<unknown>('values')),
        new Map<string, unknown>([
          [key, 'the last good value'],
          ['good', what],
        ]),
        what,
      )
      await reader.close()
      map.delete(key)
      await store.checkpoint()
      assert.equal(store.stats().refused.length, 0, what)
    }
  }))

test('a value that cannot be stored is refused inside a transaction at once, and the transaction is rolled back', t =>
  unharmed(t, async store => {
    const map = store.map<unknown>('values')
    const cell = store.value<unknown>('cell', null)
    map.set('good', 1)
    for (const [what, make] of BAD_VALUES) {
      await failsWith(
        'TIDEMARK_VALUE_REFUSED',
        () =>
          store.transaction(() => {
            map.set('good', 2)
            cell.set('new')
            map.set('bad', make())
          }),
        { collection: 'values', key: 'bad' },
      )
      assert.deepEqual([...map], [['good', 1]], what)
      assert.equal(cell.get(), null, what)
    }
    await store.checkpoint()
  }))

const throwing: Codec<unknown> = {
  name: 'throwing',
  encode: value => {
    if (value === 'bad') throw new Error('cannot write this')
    return Buffer.from(JSON.stringify(value))
  },
  decode: bytes => JSON.parse(Buffer.from(bytes).toString()) as unknown,
}

test('a codec that throws while it encodes', t =>
  unharmed(t, async store => {
    const map = store.map<unknown>('coded', { codec: throwing })
    map.set('good', { n: 1 })
    map.set('key', 'bad')
    const error = await failsWith('TIDEMARK_VALUE_REFUSED', () => store.checkpoint(), {
      collection: 'coded',
      key: 'key',
      says: ['throwing', 'cannot write this'],
    })
    assert.equal(store.status, 'ok', error.message)
    await failsWith('TIDEMARK_VALUE_REFUSED', () => store.transaction(() => void map.set('other', 'bad')), {
      collection: 'coded',
      key: 'other',
    })
    map.set('key', 'fine')
    await store.checkpoint()
  }))

test('a codec that looks at the store while a transaction is checked: what it was handed out comes back whole', t =>
  unharmed(t, async store => {
    const other = store.map<{ name: string }>('other')
    for (let n = 0; n < 20; n++) other.set(`k${n}`, { name: `before ${n} ${'x'.repeat(n * 50)}` })
    let looked = 0
    const looking: Codec<unknown> = {
      ...throwing,
      name: 'looking',
      encode: value => {
        if (store.status === 'ok' && inside) {
          const key = `k${looked++ % 20}`
          const handed = other.get(key)
          if (handed !== undefined) handed.name = 'changed'
        }
        return throwing.encode(value)
      },
    }
    let inside = false
    const map = store.map<unknown>('coded', { codec: looking })
    await failsWith('TIDEMARK_VALUE_REFUSED', () =>
      store.transaction(() => {
        for (let n = 0; n < 10; n++) map.set(`good ${n}`, { long: 'y'.repeat(n * 300) })
        map.set('key', 'bad')
        inside = true
      }),
    )
    inside = false
    assert.ok(looked > 5)
    for (let n = 0; n < 20; n++) assert.deepEqual(other.get(`k${n}`), { name: `before ${n} ${'x'.repeat(n * 50)}` })
    assert.equal(map.size, 0)
  }))

test('a function with properties is refused, whatever the codec makes of it: a change of one could not be seen', t =>
  unharmed(t, async store => {
    type Counted = (() => void) & { n: number }
    const codec: Codec<Counted> = {
      name: 'functions',
      encode: value => Buffer.from(String(value.n)),
      decode: bytes => Object.assign(() => {}, { n: Number(String(bytes)) }),
    }
    const map = store.map<Counted>('coded', { codec })
    const counted = Object.assign(() => {}, { n: 1 })
    map.set('key', counted)
    await failsWith('TIDEMARK_VALUE_REFUSED', () => store.checkpoint(), {
      collection: 'coded',
      key: 'key',
      says: ['function', 'any codec'],
    })
    counted.n = 2
    map.set('key', counted)
    await failsWith('TIDEMARK_VALUE_REFUSED', () => store.durable(), { collection: 'coded', key: 'key' })
    await failsWith('TIDEMARK_VALUE_REFUSED', () => store.transaction(() => void map.set('other', counted)), {
      collection: 'coded',
      key: 'other',
    })
    map.delete('key')
    await store.checkpoint()
  }))

test('a codec that returns no bytes', t =>
  unharmed(t, async store => {
    const map = store.map<unknown>('coded', { codec: { name: 'wrong', encode: () => 'text' as never, decode: () => 1 } })
    map.set('key', 1)
    await failsWith('TIDEMARK_VALUE_REFUSED', () => store.checkpoint(), { collection: 'coded', key: 'key' })
    map.delete('key')
  }))

test('what is no codec', t =>
  unharmed(t, async store => {
    for (const codec of [
      null,
      5,
      {},
      { name: 'x' },
      { name: '', encode() {}, decode() {} },
      { name: 'x'.repeat(65), encode() {}, decode() {} },
    ]) {
      await failsWith('TIDEMARK_CODEC', () => store.map('coded', { codec: codec as never }))
    }
  }))

test('a collection opened with another codec than it was written with', async t => {
  const folder = temporaryFolder(t)
  const store = await open(folder)
  store.map<unknown>('coded', { codec: throwing }).set('key', { n: 1 })
  store.map<unknown>('plain').set('key', { n: 2 })
  await store.close()
  const again = await open(folder)
  await failsWith('TIDEMARK_CODEC_MISMATCH', () => again.map('coded'), { collection: 'coded', says: ['throwing'] })
  await failsWith('TIDEMARK_CODEC_MISMATCH', () => again.map('plain', { codec: throwing }), { collection: 'plain' })
  await failsWith('TIDEMARK_CODEC_MISMATCH', () => again.map('coded', { codec: { ...throwing, name: 'other' } }), { collection: 'coded' })
  assert.deepEqual(again.map<unknown>('coded', { codec: throwing }).get('key'), { n: 1 })
  assert.deepEqual(again.map<unknown>('plain').get('key'), { n: 2 })
  await again.close()
})

test('a codec that throws while it decodes harms no other collection', async t => {
  const folder = temporaryFolder(t)
  const store = await open(folder)
  store.map<unknown>('coded', { codec: throwing }).set('key', { n: 1 })
  store.map<unknown>('plain').set('key', { n: 2 })
  await store.close()
  const broken: Codec<unknown> = {
    ...throwing,
    decode: () => {
      throw new Error('cannot read this')
    },
  }
  const again = await open(folder)
  await failsWith('TIDEMARK_VALUE_DAMAGED', () => again.map('coded', { codec: broken }).get('key'), { says: ['cannot read this'] })
  assert.deepEqual(again.map<unknown>('plain').get('key'), { n: 2 })
  assert.deepEqual(again.map<unknown>('coded', { codec: throwing }).get('key'), { n: 1 })
  again.map<unknown>('coded', { codec: throwing }).set('second', [1])
  await again.close()
  const third = await open(folder)
  assert.deepEqual(
    new Map(third.map<unknown>('coded', { codec: throwing })),
    new Map<string, unknown>([
      ['key', { n: 1 }],
      ['second', [1]],
    ]),
  )
  await third.close()
})

test('a codec given anew counts from then on, whether or not its collection was restored', async t => {
  const encode = (): never => {
    throw new Error('cannot write this')
  }
  const broken: Codec<unknown> = { ...throwing, encode }
  for (const bounded of [{}, { budget: { memoryBytesMax: 2 ** 24 }, restore: { hydrate: 'on-demand' } }] as const) {
    const folder = temporaryFolder(t)
    for (const state of ['made now', 'restored', 'cleared']) {
      const store = await open(folder, { checkpoint: { intervalMs: 0 }, ...bounded })
      const map = store.map<unknown>('coded', { codec: broken })
      const cell = store.value<unknown>('cell', 0, { codec: broken })
      if (state === 'cleared') map.clear()
      map.set('key', { state })
      cell.set({ state })
      await failsWith('TIDEMARK_VALUE_REFUSED', () => store.durable(), { says: ['cannot write this'] })
      store.map<unknown>('coded', { codec: throwing })
      store.value<unknown>('cell', 0, { codec: throwing })
      await store.durable()
      assert.deepEqual(map.get('key'), { state })
      await store.close()
      const again = await open(folder, { checkpoint: { intervalMs: 0 } })
      assert.deepEqual(again.map<unknown>('coded', { codec: throwing }).get('key'), { state })
      assert.deepEqual(again.value<unknown>('cell', 0, { codec: throwing }).get(), { state })
      await again.close()
    }
  }
})

test('a codec never given keeps its collection as it is, through checkpoints and restarts', async t => {
  const folder = temporaryFolder(t)
  const store = await open(folder)
  store.map<unknown>('coded', { codec: throwing }).set('key', { n: 1 })
  await store.close()
  for (let restart = 0; restart < 2; restart++) {
    const between = await open(folder)
    between.value('restarts', 0).update(count => count + 1)
    await between.close()
  }
  const last = await open(folder)
  assert.deepEqual(last.map<unknown>('coded', { codec: throwing }).get('key'), { n: 1 })
  await last.close()
})

test('every use after close says that the store is closed', async t => {
  const store = await open(temporaryFolder(t))
  const map = store.map<number>('numbers')
  const cell = store.value('cell', 0)
  map.set('a', 1)
  const iterator = map.entries()
  await store.close()
  const uses: readonly (() => unknown)[] = [
    () => map.get('a'),
    () => map.has('a'),
    () => map.set('a', 1),
    () => map.set('b', 2),
    () => map.delete('a'),
    () => map.clear(),
    () => map.size,
    () => map.update('a', n => n + 1),
    () => [...map],
    () => [...map.keys()],
    () => map.forEach(() => {}),
    () => iterator.next(),
    () => cell.get(),
    () => cell.set(1),
    () => cell.update(n => n + 1),
    () => store.map('numbers'),
    () => store.value('cell', 0),
    () => store.delete('numbers'),
    () => store.transaction(() => 1),
    () => store.hold(() => 1),
    () => store.checkpoint(),
    () => store.durable(),
    () => store.hydrated(),
    () => store.recoveryPoints(),
  ]
  for (const use of uses) await failsWith('TIDEMARK_CLOSED', use)
  assert.equal(store.status, 'closed')
  assert.equal(store.stats().status, 'closed')
  await store.close()
})
