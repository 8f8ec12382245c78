/** A codec of the user that writes to its own collection while it decodes a stored entry: an upgrade when it is read. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TidemarkMap } from '../src/capture/index.ts'
import type { Codec } from '../src/codec/index.ts'
import { SimulatedStore } from './support/simulated-store.ts'
import { failsWith } from './temporary.ts'

interface Entry {
  readonly version: number
  readonly n?: number
}

const OLD: Entry = { version: 1 }
const NEW: Entry = { version: 2 }

/** A store of two old entries, opened with a codec that does `meddle` when it decodes an old one. */
async function stored(meddle: (map: TidemarkMap<string, Entry>) => void) {
  const world = new SimulatedStore({ restore: { hydrate: 'on-demand' } })
  let map: TidemarkMap<string, Entry> | undefined
  const codec = {
    name: 'versions',
    encode: (entry: Entry) => Buffer.from(JSON.stringify(entry)),
    decode(bytes: Uint8Array): Entry {
      const entry = JSON.parse(Buffer.from(bytes).toString()) as Entry
      if (entry.version === 1 && map !== undefined) meddle(map)
      return entry
    },
  } satisfies Codec<Entry>
  const first = (await world.open()).map<Entry, string>('map', { codec })
  first.set('a', OLD).set('b', NEW)
  await world.close()
  const store = await world.open()
  map = store.map<Entry, string>('map', { codec })
  return { world, store, map }
}

test('a codec that sets the entry it decodes: what it set is there at once, and stays', async () => {
  for (const guarded of [false, true]) {
    for (const read of ['get', 'update', 'entries', 'scan'] as const) {
      const { world, store, map } = await stored(own => own.set('a', NEW))
      if (guarded) map.set('b', { ...NEW })
      const epoch = guarded ? store.checkpoint() : undefined
      if (read === 'get') assert.deepEqual(map.get('a'), NEW)
      else if (read === 'update') map.update('a', entry => ({ ...entry, n: 1 }))
      else {
        const found = [...map[read]()]
        assert.deepEqual(found.map(([key]) => key).sort(), ['a', 'b'], 'each once')
        assert.deepEqual(new Map(found).get('a'), NEW)
      }
      const wanted = read === 'update' ? { ...NEW, n: 1 } : NEW
      assert.deepEqual(map.get('a'), wanted)
      assert.equal(map.size, 2)
      if (epoch !== undefined) await world.run(epoch)
      await world.checkpoint()
      const back = (await world.crash()).map<Entry, string>('map', { codec: plain })
      assert.deepEqual(back.get('a'), wanted)
      await world.close()
    }
  }
})

test('a codec that deletes the entry it decodes, or empties the collection: it is gone', async () => {
  for (const remove of [(own: TidemarkMap<string, Entry>) => own.delete('a'), (own: TidemarkMap<string, Entry>) => own.clear()]) {
    const { world, map } = await stored(own => void remove(own))
    assert.equal(map.get('a'), undefined)
    assert.equal(map.has('a'), false)
    await world.close()
  }
  const { world, map } = await stored(own => {
    own.clear()
    own.set('a', NEW)
  })
  assert.deepEqual(map.get('a'), NEW)
  assert.equal(map.size, 1)
  await world.close()
})

test('a codec that sets the entry it decodes inside a transaction is refused, and all else goes on', async () => {
  const { world, store, map } = await stored(own => own.set('a', NEW))
  const change = (): void =>
    store.transaction(() => {
      map.set('c', NEW)
      map.get('a')
    })
  await failsWith('TIDEMARK_CODEC', change, { collection: 'map', key: 'a' })
  await failsWith('TIDEMARK_CODEC', () => store.transaction(() => map.set('a', NEW)), { collection: 'map', key: 'a' })
  assert.equal(map.has('c'), false)
  store.transaction(() => map.set('c', NEW))
  assert.deepEqual(map.get('a'), NEW)
  store.transaction(() => assert.deepEqual(map.get('a'), NEW))
  await world.close()
})

test('a codec that asks for the entry it decodes is refused', async () => {
  const { world, map } = await stored(own => void own.get('a'))
  await failsWith('TIDEMARK_CODEC', () => map.get('a'), { collection: 'map', key: 'a' })
  assert.deepEqual(map.get('b'), NEW)
  await world.close()
})

test('a value with an accessor that reads the entry itself: no count of memory calls it, and each entry is counted once', async () => {
  const world = new SimulatedStore({ restore: { hydrate: 'on-demand' }, budget: { memoryBytesMax: 64 * 1024 * 1024 } })
  let calls = 0
  const open = async (): Promise<TidemarkMap<string, { readonly id: string }>> => {
    const store = await world.open()
    const map: TidemarkMap<string, { readonly id: string }> = store.map('map', {
      codec: {
        name: 'self',
        encode: ({ id }: { readonly id: string }) => Buffer.from(id),
        decode: (bytes: Uint8Array) => {
          const id = Buffer.from(bytes).toString()
          return {
            id,
            get self() {
              calls++
              return map.get(id)
            },
          }
        },
      },
    })
    return map
  }
  const first = await open()
  for (let at = 0; at < 66; at++) first.set(`k${at}`, { id: `k${at}` })
  await world.close()
  const map = await open()
  assert.equal(map.get('k0')?.id, 'k0')
  await world.pass(1000)
  assert.deepEqual([calls, map.size, map.get('k65')?.id], [0, 66, 'k65'])
  await world.close()
})

const plain = {
  name: 'versions',
  encode: (entry: Entry) => Buffer.from(JSON.stringify(entry)),
  decode: (bytes: Uint8Array): Entry => JSON.parse(Buffer.from(bytes).toString()),
} satisfies Codec<Entry>
