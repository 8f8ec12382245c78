/** What a closed store keeps while the service has the store and its maps: nothing of the state. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { queryObjects } from 'node:v8'
import { Eviction } from '../src/capture/index.ts'
import { RecordTable, TailTable } from '../src/image/index.ts'
import type { Settings } from '../src/options.ts'
import { Segment } from '../src/segment/index.ts'
import { fill, value, World } from './support/cold-world.ts'

const WAYS: readonly Settings[] = [
  { restore: { hydrate: 'background' } },
  { restore: { hydrate: 'eager' } },
  { restore: { hydrate: 'on-demand' } },
  { restore: { hydrate: 'on-demand' }, budget: { memoryBytesMax: 1_000_000 } },
  { readOnly: true },
]

for (const way of WAYS) {
  test(`a store that was closed keeps no segment, no table of the tail and no entry: ${JSON.stringify(way)}`, async () => {
    const world = new World()
    const first = await world.open()
    await fill(world, first, 200)
    first.map<unknown, number>('map').set(3, 'in the tail')
    await world.run(first.close())
    const store = await world.open(way)
    const map = store.map<unknown, number>('map')
    assert.equal(map.get(3), 'in the tail')
    const entry = map.get(7)
    assert.deepEqual(entry, value(7, 1))
    await world.run(store.hydrated())
    const walks = [map.keys()]
    assert.equal(walks[0]?.next().done, false)
    const count = (type: { readonly prototype: object }): number => queryObjects(type as () => void, { format: 'count' })
    assert.ok(count(Segment) > 0)
    await world.run(store.close())
    await setImmediate()
    assert.throws(() => map.get(7), { code: 'TIDEMARK_CLOSED' })
    assert.throws(() => walks.pop()?.next(), { code: 'TIDEMARK_CLOSED' })
    assert.throws(() => map.size, { code: 'TIDEMARK_CLOSED' })
    const left = Object.fromEntries([Segment, TailTable, RecordTable, Eviction].map(type => [type.name, count(type)]))
    assert.deepEqual(left, { Segment: 0, TailTable: 0, RecordTable: 0, Eviction: 0 })
    assert.equal(store.status, 'closed')
  })
}
