/** A store whose state lies in segments: what a restart reads, what it does not, and what becomes of files and points. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readNewest } from '../src/manifest/index.ts'
import { fill, value, World } from './support/cold-world.ts'

test('a restart reads the tail alone; what is asked for comes home, the rest behind it', async () => {
  const world = new World()
  const store = await world.open()
  await fill(world, store, 500)
  store.map<unknown, number>('map').set(3, 'in the tail')
  store.map<unknown, number>('map').delete(4)
  await world.run(store.close())
  const again = await world.open({ restore: { hydrate: 'on-demand' } })
  assert.equal(again.restored.entries, 499)
  assert.ok(again.restored.records < 100, `${again.restored.records} records read`)
  assert.ok(again.stats().upkeep.segments > 0)
  const map = again.map<unknown, number>('map')
  assert.equal(map.size, 499)
  assert.deepEqual(map.get(77), value(77, 1))
  assert.equal(map.get(77), map.get(77), 'the same object every time')
  assert.equal(map.get(3), 'in the tail')
  assert.equal(map.has(4), false)
  assert.equal(map.get(500), undefined)
  const { coldReads, access, memory } = again.stats()
  assert.ok(coldReads.count > 0, 'reads are counted whether memory is bounded or not')
  assert.deepEqual([access.count, memory], [0, undefined])
  await world.run(again.hydrated())
  assert.equal(again.stats().hydration, undefined, 'no block is to come')
  await world.run(again.close())
  for (const hydrate of ['background', 'eager'] as const) {
    const third = await world.open({ restore: { hydrate } })
    assert.equal(third.stats().hydration, undefined, 'nothing has begun')
    await world.run(third.hydrated())
    const { hydration } = third.stats()
    const total = hydration?.bytesTotal ?? 0
    assert.deepEqual(hydration, { state: 'done', bytesHome: total, bytesTotal: total }, hydrate)
    assert.ok(total > 0)
    assert.deepEqual([...third.map<unknown, number>('map').keys()].length, 499)
    assert.deepEqual(third.map<unknown, number>('map').get(499), value(499, 1))
    await world.run(third.close())
    assert.deepEqual(third.stats().hydration, hydration, 'also behind a close')
  }
})

test('hydrated rejects when close cuts it short, whatever was to come home', async () => {
  for (const hydrate of ['on-demand', 'background', 'eager'] as const) {
    const world = new World()
    const store = await world.open()
    await fill(world, store, 500)
    await world.run(store.close())
    const again = await world.open({ restore: { hydrate } })
    const hydrated = assert.rejects(again.hydrated(), { code: 'TIDEMARK_CLOSED' }, hydrate)
    await world.run(again.close())
    await hydrated
    const third = await world.open({ restore: { hydrate } })
    const all = third.hydrated()
    await world.run(all)
    await world.run(third.close())
    await all
  }
})

test('files that nothing names go, and only those; deletes make a store small', async () => {
  const world = new World()
  const store = await world.open({ retention: { keepLast: 1, keepMs: 0 } })
  await fill(world, store, 500, 6)
  const { folds, merges, filesRemoved } = store.stats().upkeep
  assert.ok(folds > 3 && merges > 0 && filesRemoved > 0, JSON.stringify(store.stats().upkeep))
  const full = store.stats().upkeep.segmentBytes
  const map = store.map<unknown, number>('map')
  for (let at = 20; at < 500; at++) map.delete(at)
  await world.run(store.checkpoint())
  await world.rest(30_000)
  assert.ok(store.stats().upkeep.segmentBytes < full / 4, `${full} -> ${store.stats().upkeep.segmentBytes}`)
  await world.run(store.close())
  const found = await world.run(readNewest(world.storage))
  assert.ok(found !== undefined)
  const { young, base, log } = found.manifest
  const named = [...young, ...base.flatMap(range => range.segment ?? []), ...log].map(entry => entry.file)
  const there = [
    ...(await world.run(world.storage.list('segment'))).map(name => `segment/${name}`),
    ...(await world.run(world.storage.list('log'))).map(name => `log/${name}`),
  ]
  assert.deepEqual(
    named.filter(file => !there.includes(file)),
    [],
  )
  // The manifest before the newest is the way back.
  assert.ok(there.length <= named.length + 6, `${there.length} files, ${named.length} named`)
  const again = await world.open()
  assert.equal(again.map('map').size, 20)
  await world.run(again.close())
})

test('every recovery point that is listed can be restored, read-only and as a fork of its own', async () => {
  const world = new World()
  const store = await world.open({ retention: { keepLast: 3, keepMs: 0 } })
  await fill(world, store, 100, 8)
  const points = await world.run(store.recoveryPoints())
  assert.ok(points.length >= 3 && points[0]?.epoch === 8, JSON.stringify(points))
  assert.ok((points.at(-1)?.epoch as number) > 1, 'the first ones are kept no more')
  await world.run(store.close())
  for (const { epoch, entries } of points) {
    const then = await world.open({ readOnly: true, restore: { at: epoch } })
    assert.equal(then.restored.epoch, epoch)
    assert.equal(then.map('map').size, entries)
    assert.deepEqual(then.map<unknown, number>('map').get(42), value(42, epoch))
    await world.run(then.close())
  }
  const oldest = points.at(-1)?.epoch as number
  await assert.rejects(world.open({ readOnly: true, restore: { at: oldest - 1 } }), { code: 'TIDEMARK_NO_SUCH_POINT' })
  const forked = await world.open({ restore: { at: oldest } })
  assert.deepEqual(forked.map<unknown, number>('map').get(42), value(42, oldest))
  await fill(world, forked, 100, 3)
  await world.run(forked.close())
  const again = await world.open()
  assert.deepEqual(again.map<unknown, number>('map').get(42), value(42, 3))
  await world.run(again.close())
})

test('an open that fails after it has loaded leaves no file open', async () => {
  const world = new World()
  const store = await world.open({ retention: { keepLast: 3, keepMs: 0 } })
  await fill(world, store, 100, 8)
  const at = (await world.run(store.recoveryPoints())).at(-1)?.epoch as number
  await world.run(store.close())
  assert.equal(world.storage.openFiles, 0)
  // The first is the takeover, the second the fork.
  world.storage.inject({ operation: 'createIfAbsent', errno: 'ENOSPC', path: 'manifest', nth: 2 })
  await assert.rejects(world.open({ restore: { at } }), { code: 'TIDEMARK_STORAGE' })
  assert.equal(world.storage.faults, 1)
  assert.equal(world.storage.openFiles, 0)
})

test('a reader keeps what it has opened while the writer folds, merges and removes', async () => {
  const world = new World()
  const store = await world.open({ retention: { keepLast: 1, keepMs: 0 } })
  await fill(world, store, 300, 2)
  const reader = await world.open({ readOnly: true, restore: { hydrate: 'on-demand' } })
  assert.deepEqual(reader.map<unknown, number>('map').get(5), value(5, 2))
  await fill(world, store, 300, 6)
  assert.ok(store.stats().upkeep.filesRemoved > 0)
  const map = reader.map<unknown, number>('map')
  for (let at = 0; at < 300; at++) assert.deepEqual(map.get(at), value(at, 2))
  await world.run(reader.close())
  await world.run(store.close())
})

test('a collection that is dropped takes its segments with it; one that is emptied begins anew', async () => {
  const world = new World()
  const store = await world.open({ retention: { keepLast: 1, keepMs: 0 } })
  await fill(world, store, 400, 3)
  store.delete('map')
  store.map<unknown, number>('other').set(1, 1)
  for (let at = 0; at < 200; at++) store.map<unknown, number>('other').set(at, value(at))
  await world.run(store.checkpoint())
  await world.rest(30_000)
  store.map('other').clear()
  store.map<unknown, number>('other').set(7, 7)
  await world.run(store.checkpoint())
  await world.run(store.close())
  const again = await world.open({ restore: { hydrate: 'on-demand' } })
  assert.deepEqual(Object.keys(again.stats().collections), ['other'])
  assert.deepEqual([...again.map<unknown, number>('other')], [[7, 7]])
  again.map('other').clear()
  assert.equal(again.map('other').size, 0)
  await world.run(again.close())
})

test('entries are exact after a restart from a fold point whose commit counted refused keys', async () => {
  const world = new World()
  const store = await world.open()
  await fill(world, store, 300)
  await world.run(store.close())
  const again = await world.open({ restore: { hydrate: 'on-demand' } })
  const map = again.map<unknown, number>('map')
  const torn = value(0, 2)
  map.set(0, torn)
  const flight = again.checkpoint()
  for (let at = 1000; at < 1100; at++) map.set(at, () => {})
  // Once the cut is void nobody says whether a key that came before has a record.
  map.set(0, torn)
  await assert.rejects(world.run(flight), { code: 'TIDEMARK_VALUE_REFUSED' })
  for (let at = 0; at < 200; at++) map.set(at, value(at, 2))
  for (let at = 250; at < 260; at++) map.set(at, () => {})
  await assert.rejects(world.run(again.checkpoint()), { code: 'TIDEMARK_VALUE_REFUSED' })
  await world.rest(30_000)
  const fold = (await world.run(readNewest(world.storage)))?.manifest.fold
  assert.equal(fold?.epoch, again.stats().epoch, 'the fold point is that commit')
  assert.equal(fold?.refused, 110)
  assert.equal(fold?.catalogue[0]?.entries, 400, 'and it counts what has no record')
  // A close would commit once more.
  const later = new World(world.storage.crash({ mode: 'kept' }).disk)
  for (let life = 0; life < 3; life++) {
    const third = await later.open({ restore: { hydrate: 'on-demand' } })
    const kept = third.map<unknown, number>('map')
    assert.equal(third.restored.entries, 300 + life)
    assert.equal(kept.size, 300 + life)
    assert.equal([...kept.keys()].length, 300 + life)
    assert.deepEqual(kept.get(255), value(255, 1))
    kept.set(5000 + life, 'one more')
    assert.equal((await later.run(third.checkpoint())).entries, 301 + life)
    await later.run(third.close())
  }
})

test('a scan gives every entry and keeps none of those that were away', async () => {
  const world = new World()
  const store = await world.open()
  await fill(world, store, 500)
  await world.run(store.close())
  const again = await world.open({ restore: { hydrate: 'on-demand' } })
  const map = again.map<{ at: number }, number>('map')
  const met = map.get(7)
  map.set(8, { at: -8 })
  map.delete(9)
  map.set(1000, { at: 1000 })
  const seen = new Map<number, unknown>()
  for (const [key, one] of map.scan()) {
    assert.equal(seen.has(key), false, `${key} twice`)
    seen.set(key, one)
    // What changes behind and before the walk is met as in any walk.
    if (seen.size === 100) map.delete(400)
    if (seen.size === 101) assert.ok(map.get(300) !== undefined)
  }
  assert.equal(seen.get(7), met)
  assert.deepEqual(seen.get(8), { at: -8 })
  assert.deepEqual(seen.get(1000), { at: 1000 })
  assert.equal(seen.get(300), map.get(300))
  assert.equal(seen.size, 499)
  assert.ok(!seen.has(9) && !seen.has(400))
  assert.deepEqual(seen.get(450), value(450, 1))
  assert.notEqual(map.get(450), seen.get(450), 'a copy')
  assert.equal(map.size, 499)
  // Only what was asked for is live.
  const reads = world.storage.calls.length
  map.get(451)
  assert.ok(world.storage.calls.length > reads || map.get(451) !== seen.get(451))
  await world.run(again.close())
})

test('a store that has come to rest keeps no file but those that count, and has two manifests that say so', async () => {
  const world = new World()
  const store = await world.open({ retention: { keepLast: 1, keepMs: 0 } })
  await fill(world, store, 1000, 3)
  const map = store.map<unknown, number>('map')
  for (let at = 0; at < 1000; at++) if (at % 20 !== 0) map.delete(at)
  await world.run(store.checkpoint())
  const files = async (): Promise<string[]> => await world.run(world.storage.list('segment'))
  await world.rest(20_000)
  assert.ok((await files()).length > store.stats().upkeep.segments, 'the manifest before the newest names more')
  await world.rest(20_000)
  assert.equal((await files()).length, store.stats().upkeep.segments)
  const numbers = (await world.run(world.storage.list('manifest'))).sort()
  await world.rest(200_000)
  assert.deepEqual((await world.run(world.storage.list('manifest'))).sort(), numbers, 'once is enough')
  // The newest is damaged: the one before it says the same.
  await world.run(store.close())
  const newest = numbers.at(-1) as string
  const handle = await world.run(world.storage.open(`manifest/${newest}`, 'append'))
  await world.run(handle.append([Buffer.from('x')]))
  await world.run(handle.close())
  const again = await world.open()
  assert.equal(again.map('map').size, 50)
  assert.equal(again.restored.entries, 50)
  await world.run(again.close())
})

test('while the store closes, entries that are not in the heap are read as before; then every call says that it is closed', async () => {
  const world = new World()
  const store = await world.open()
  await fill(world, store, 400)
  await world.run(store.close())
  const again = await world.open({ restore: { hydrate: 'on-demand' } })
  const map = again.map<unknown, number>('map')
  for (let at = 0; at < 200; at++) map.set(at, value(at, 2))
  const found: unknown[] = []
  let closed = false
  let asked = 200
  const closing = again.close().then(() => {
    closed = true
  })
  const ask = (): void => {
    if (closed) return
    try {
      found.push(map.get(asked))
      asked++
    } catch (error) {
      found.push(error)
    }
    if (asked < 400) world.scheduler.after(0, ask)
  }
  ask()
  await world.run(closing)
  assert.ok(found.length > 10, `asked ${found.length} times`)
  for (const [index, one] of found.entries()) assert.deepEqual(one, value(200 + index, 1))
  assert.throws(() => map.get(399), { code: 'TIDEMARK_CLOSED' })
})

test('log files stay for as long as retention says and no longer, and a manifest that is kept stands on those that stay', async () => {
  const world = new World()
  const keepMs = 10 * 60_000
  const store = await world.open({ retention: { keepLast: 1, keepMs } }, { fileBytesMax: 4000 })
  for (let minute = 0; minute < 30; minute++) {
    for (let at = 0; at < 60; at++) store.map<unknown, number>('map').set(at, value(at, minute))
    await world.run(store.checkpoint())
    await world.rest(60_000)
  }
  await world.run(store.close())
  const newest = (await world.run(readNewest(world.storage)))?.manifest
  assert.ok(newest !== undefined && newest.retained.length >= 9, `${newest?.retained.length} kept`)
  const named = new Set(newest.log.map(entry => entry.file))
  const there = (await world.run(world.storage.list('log'))).map(name => `log/${name}`)
  const others = there.filter(file => !named.has(file))
  // The manifest before the newest is the way back.
  assert.ok(others.length <= 2, `${others.length} files of ${there.length} are named by retained manifests alone`)
  const points = await world.run((await world.open({ readOnly: true })).recoveryPoints())
  for (const { epoch } of [points.at(-1), points.at(points.length / 2)].flatMap(point => point ?? [])) {
    const then = await world.open({ readOnly: true, restore: { at: epoch } })
    assert.equal(then.map('map').size, 60)
    await world.run(then.close())
  }
  // Of all manifests only those that are retained can be read: the log behind each of them leads to the end.
  for (const lost of [1, 5, newest.retained.length]) {
    const left = new Set(newest.retained.slice(0, newest.retained.length - lost + 1).map(({ number }) => number))
    const damaged = new World(world.storage.crash({ mode: 'kept' }).disk)
    for (const name of await damaged.run(damaged.storage.list('manifest'))) {
      if (left.has(Number.parseInt(name, 16))) continue
      const file = await damaged.run(damaged.storage.open(`manifest/${name}`, 'append'))
      await damaged.run(file.append([Buffer.from('x')]))
      await damaged.run(file.close())
    }
    const again = await damaged.open()
    assert.deepEqual(again.map<unknown, number>('map').get(0), value(0, 29))
    assert.equal(again.restored.epoch, points[0]?.epoch)
    await fill(damaged, again, 60, 3)
    await damaged.run(again.close())
    const later = await damaged.open()
    assert.deepEqual(later.map<unknown, number>('map').get(0), value(0, 3))
    await damaged.run(later.close())
  }
})
