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
