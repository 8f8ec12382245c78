/** A disk that fails a single read while the blocks come home: it is read again, and nothing stays behind. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fill, World } from './support/cold-world.ts'

const ENTRIES = 200

/** All of it at home again, after the read of this number failed once; how many reads there were in all. */
async function comesHome(touched: boolean, failing: number): Promise<{ readonly reads: number; readonly openFiles: number }> {
  const world = new World()
  const store = await world.open()
  await fill(world, store, ENTRIES)
  await world.run(store.close())
  if (touched) {
    const before = await world.open()
    for (let at = 0; at < ENTRIES; at += 7) before.map('map').get(at)
    await world.run(before.close())
  }
  const again = await world.open()
  const heal = world.storage.inject({ operation: 'read', errno: 'EIO', path: 'segment', nth: failing })
  const since = world.storage.calls.length
  await world.run(again.hydrated())
  heal()
  const reads = world.storage.calls.slice(since).filter(({ operation, path }) => operation === 'read' && path.startsWith('segment')).length
  // What is at home is read no more.
  const gone = world.storage.inject({ operation: 'read', errno: 'EIO', path: 'segment' })
  assert.equal([...again.map('map').values()].length, ENTRIES)
  gone()
  const { openFiles } = world.storage
  await world.run(again.close())
  return { reads, openFiles }
}

for (const touched of [false, true]) {
  test(`one read that fails keeps nothing from coming home${touched ? ', what was touched first' : ''}`, async () => {
    const { reads, openFiles } = await comesHome(touched, 1_000_000)
    assert.ok(reads > 2)
    for (let failing = 1; failing <= reads; failing++)
      assert.equal((await comesHome(touched, failing)).openFiles, openFiles, `read ${failing}`)
  })
}

test('objects come behind a read that fails for a moment, too', async () => {
  const world = new World()
  const store = await world.open()
  await fill(world, store, ENTRIES)
  await world.run(store.close())
  const again = await world.open({ restore: { hydrate: 'eager' } })
  const heal = world.storage.inject({ operation: 'read', errno: 'EIO', path: 'segment' })
  const hydrated = assert.rejects(again.hydrated(), { code: 'TIDEMARK_STORAGE' })
  // The blocks were given up, which is the failure, and the first object was in vain.
  await world.rest(2500)
  heal()
  await world.run(hydrated)
  const gone = world.storage.inject({ operation: 'read', errno: 'EIO', path: 'segment' })
  for (let at = 0; at < ENTRIES; at++) assert.ok(again.map('map').get(at) !== undefined)
  gone()
  await world.run(again.close())
})

test('a close does not wait for objects that are to be tried again', async () => {
  const world = new World()
  const store = await world.open()
  await fill(world, store, ENTRIES)
  await world.run(store.close())
  const again = await world.open({ restore: { hydrate: 'eager' } })
  const heal = world.storage.inject({ operation: 'read', errno: 'EIO', path: 'segment' })
  const hydrated = assert.rejects(again.hydrated())
  await world.rest(2500)
  const begin = world.scheduler.clock.monotonic()
  heal()
  await world.run(again.close())
  assert.ok(world.scheduler.clock.monotonic() - begin < 250)
  await world.run(hydrated)
})
