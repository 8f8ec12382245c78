/** A store with a damaged block: what is written over it is durable, and repairs what it replaces. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TidemarkError } from '../src/base/errors.ts'
import { readNewest } from '../src/manifest/index.ts'
import { Segment } from '../src/segment/index.ts'
import { SimulatedStore } from './support/simulated-store.ts'

const ENTRIES = 500
const text = (at: number, round = 0) => `some text of entry ${at}, round ${round}.`

/** Closed, with all entries in segments. */
async function folded(): Promise<SimulatedStore> {
  const world = new SimulatedStore()
  world.thresholds = { bytes: 2000, graceMs: 100 }
  const map = (await world.open()).map<string, number>('map')
  for (let at = 0; at < ENTRIES; at++) map.set(at, text(at))
  await world.checkpoint()
  await world.pass(2000)
  await world.close()
  return world
}

/** The block of entry 77 is damaged. */
async function damaged(): Promise<SimulatedStore> {
  const world = await folded()
  damage(world)
  return world
}

function damage({ storage: { disk } }: SimulatedStore): void {
  let found = 0
  for (const path of disk.paths().filter(name => name.startsWith('segment/'))) {
    const content = disk.lookup(path)
    const at = content?.cache.view().indexOf(text(77)) ?? -1
    if (at >= 0) content?.flip(at, 3)
    found += at >= 0 ? 1 : 0
  }
  assert.equal(found, 1)
}

for (const hydrate of ['on-demand', 'background'] as const) {
  test(`what is set over a damaged block becomes durable, and so does all else (${hydrate})`, async () => {
    const world = await damaged()
    const store = await world.open({ restore: { hydrate } })
    if (hydrate === 'background') {
      await assert.rejects(world.run(store.hydrated()), { code: 'TIDEMARK_SEGMENT_DAMAGED' })
      assert.equal(store.stats().hydration?.state, 'failed')
    }
    const map = store.map<string, number>('map')
    assert.throws(() => map.get(77), { code: 'TIDEMARK_SEGMENT_DAMAGED' })
    map.set(77, text(77, 1))
    store.map<string, number>('other').set(1, 'elsewhere')
    // Whether an entry was replaced cannot be said while nothing is stored in its place.
    assert.throws(() => map.size, { code: 'TIDEMARK_SEGMENT_DAMAGED' })
    const { entries } = await world.checkpoint()
    assert.equal(store.status, 'ok')
    // Never fewer than there are, or entries would not show.
    assert.equal(entries, ENTRIES + 2)
    assert.equal(map.size, ENTRIES + 1)
    await world.close()
    const again = await world.open({ restore: { hydrate: 'on-demand' } })
    assert.equal(again.map<string, number>('map').get(77), text(77, 1))
    assert.equal(again.map<string, number>('map').get(ENTRIES - 1), text(ENTRIES - 1))
    assert.equal(again.map<string, number>('other').get(1), 'elsewhere')
    await world.close()
  })
}

const UNREAD = {
  damage: 'TIDEMARK_SEGMENT_DAMAGED',
  EIO: 'TIDEMARK_STORAGE',
  ESTALE: 'TIDEMARK_STORAGE',
  compression: 'TIDEMARK_COMPRESSION_UNAVAILABLE',
} as const

for (const how of ['damage', 'EIO', 'ESTALE', 'compression'] as const) {
  test(`a store whose last commit counted refused values opens beside a block that cannot be read (${how})`, async t => {
    const world = new SimulatedStore()
    world.thresholds = { bytes: 2000, graceMs: 100 }
    const map = (await world.open()).map<unknown, string | number>('map')
    for (let at = 0; at < ENTRIES; at++) map.set(at, text(at))
    await world.checkpoint()
    await world.pass(2000)
    map.set('bad', () => {})
    map.set('good', 'good')
    await assert.rejects(world.checkpoint(), { code: 'TIDEMARK_VALUE_REFUSED' })
    await assert.rejects(world.close(), { code: 'TIDEMARK_VALUE_REFUSED' })
    if (how === 'damage') damage(world)
    for (const readOnly of [true, false]) {
      const isErrno = how === 'EIO' || how === 'ESTALE'
      const heal = isErrno ? world.storage.inject({ operation: 'read', errno: how, path: 'segment' }) : () => t.mock.restoreAll()
      if (how === 'compression') {
        t.mock.method(Segment.prototype, 'unpack', () => {
          throw new TidemarkError(UNREAD[how], 'as the test wants it')
        })
      }
      const again = (await world.open({ readOnly, restore: { hydrate: 'on-demand' } })).map<unknown, string | number>('map')
      assert.equal(again.get('good'), 'good')
      // As many as the commit counted: never fewer than there are.
      assert.equal(again.size, ENTRIES + 1)
      assert.throws(() => again.get(77), { code: UNREAD[how] })
      heal()
      assert.equal(again.get(ENTRIES - 1), text(ENTRIES - 1))
      await world.close()
    }
  })
}

for (const how of ['damage', 'EIO'] as const) {
  test(`where what describes the segments cannot be read (${how}), writes go on and become durable`, async () => {
    const world = await folded()
    const { young, base } = (await world.run(readNewest(world.storage)))?.manifest ?? assert.fail('no manifest')
    const segments = [...young, ...base.flatMap(range => range.segment ?? [])]
    const { disk } = world.storage
    if (how === 'damage') for (const { file, describedAt } of segments) disk.lookup(file)?.flip(describedAt + 30, 3)
    const heal = how === 'EIO' ? world.storage.inject({ operation: 'read', errno: 'EIO', path: 'segment' }) : () => {}
    const code = how === 'EIO' ? 'TIDEMARK_STORAGE' : 'TIDEMARK_SEGMENT_DAMAGED'
    const store = await world.open({ restore: { hydrate: 'on-demand' } })
    const map = store.map<string, number>('map')
    assert.throws(() => map.get(77), { code })
    // Whether it is there is not known.
    assert.throws(() => map.delete(77), { code })
    map.set(77, text(77, 1))
    map.set(78, text(78, 1))
    assert.equal(map.delete(78), true)
    store.map<string, number>('other').set(1, 'elsewhere')
    assert.equal((await world.checkpoint()).entries, ENTRIES + 2)
    // During a capture and after it.
    map.set(79, text(79, 1))
    const point = store.checkpoint()
    map.set(77, text(77, 2))
    map.set(80, text(80, 2))
    await world.run(point)
    if (how === 'damage') {
      // What is damaged stays so, and is not read at each call.
      const healReads = world.storage.inject({ operation: 'read', errno: 'EIO', path: 'segment' })
      assert.throws(() => map.get(81), { code })
      healReads()
    }
    await world.close()
    heal()
    if (how === 'damage') for (const { file, describedAt } of segments) disk.lookup(file)?.flip(describedAt + 30, 3)
    const again = await world.open({ restore: { hydrate: 'on-demand' } })
    const other = again.map<string, number>('map')
    assert.deepEqual(
      [77, 78, 79, 80, 81].map(at => other.get(at)),
      [text(77, 2), undefined, text(79, 1), text(80, 2), text(81)],
    )
    assert.equal(again.map<string, number>('other').get(1), 'elsewhere')
    await world.close()
  })
}
