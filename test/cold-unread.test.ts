/** A disk that does not give back what is stored: who reads is told, who writes goes on. */
import assert from 'node:assert/strict'
import { syncBuiltinESMExports } from 'node:module'
import { test } from 'node:test'
import zlib from 'node:zlib'
import { TidemarkError } from '../src/base/errors.ts'
import { Segment } from '../src/segment/index.ts'
import { fill, value, World } from './support/cold-world.ts'

test('a look-up that the disk fails throws and harms nothing; a commit that has to look waits until it can', async () => {
  const world = new World()
  const store = await world.open()
  await fill(world, store, 500)
  await world.run(store.close())
  const again = await world.open({ restore: { hydrate: 'on-demand' } })
  await world.run(again.hydrated())
  const map = again.map<unknown, number>('map')
  const heal = world.storage.inject({ operation: 'read', errno: 'EIO', path: 'segment' })
  assert.throws(() => map.get(77), { code: 'TIDEMARK_STORAGE' })
  heal()
  assert.deepEqual(map.get(78), value(78, 1))
  const healLater = world.storage.inject({ operation: 'read', errno: 'EIO', path: 'segment' })
  // Nobody has looked whether it is there; the commit has to know.
  map.set(490, 'blind')
  let degraded = 0
  again.on('degraded', () => degraded++)
  const point = again.checkpoint()
  await world.rest(500)
  assert.ok(degraded > 0)
  assert.equal(again.status, 'degraded')
  healLater()
  assert.equal((await world.run(point)).entries, 500)
  assert.equal(again.status, 'ok')
  assert.equal(map.size, 500)
  assert.deepEqual(map.get(77), value(77, 1))
  await world.run(again.close())
})

/** Bytes that are lost, corruption that the file system found, a network mount that was made anew. */
for (const errno of ['EIO', 'EUCLEAN', 'EBADMSG', 'ESTALE'] as const) {
  test(`a block that the disk never gives back (${errno}) keeps no commit from being made`, async () => {
    const world = new World()
    const store = await world.open()
    await fill(world, store, 500)
    await world.run(store.close())
    const again = await world.open({ restore: { hydrate: 'on-demand' } })
    const map = again.map<unknown, number>('map')
    // What describes the segments is read.
    await world.run(again.hydrated())
    map.set(-1, 'new')
    const heal = world.storage.inject({ operation: 'read', errno, path: 'segment' })
    map.set(490, 'blind')
    let degraded = 0
    again.on('degraded', () => degraded++)
    // Whether 490 replaced one cannot be said: never fewer than there are, or entries would not show.
    assert.equal((await world.run(again.checkpoint())).entries, 502)
    assert.equal(again.status, 'ok')
    assert.equal(degraded, 3)
    // It is known by now that the disk is like that.
    map.set(491, 'blind')
    assert.equal((await world.run(again.checkpoint())).entries, 503)
    assert.equal(degraded, 3)
    map.set(492, 'blind')
    await world.run(again.close())
    heal()
    const third = await world.open({ restore: { hydrate: 'on-demand' } })
    for (const at of [490, 491, 492]) assert.equal(third.map<unknown, number>('map').get(at), 'blind')
    assert.deepEqual(third.map<unknown, number>('map').get(77), value(77, 1))
    await world.run(third.close())
  })
}

test('a commit that has to look waits for as long as the process has no descriptor or memory left', async () => {
  for (const errno of ['EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN', 'EINTR'] as const) {
    const world = new World()
    const store = await world.open()
    await fill(world, store, 500)
    await world.run(store.close())
    const again = await world.open({ restore: { hydrate: 'on-demand' } })
    await world.run(again.hydrated())
    const heal = world.storage.inject({ operation: 'read', errno, path: 'segment' })
    again.map<unknown, number>('map').set(490, 'blind')
    let degraded = 0
    again.on('degraded', () => degraded++)
    const point = again.checkpoint()
    for (let count = 0; degraded < 6 && count < 100; count++) await world.rest(1000)
    assert.ok(degraded >= 6, `${errno}: ${degraded} attempts`)
    heal()
    assert.equal((await world.run(point)).entries, 500)
    await world.run(again.close())
  }
})

test('what this runtime cannot decompress keeps no commit from being made, and no look-up harms', async t => {
  const world = new World()
  const store = await world.open()
  await fill(world, store, 500)
  await world.run(store.close())
  const unavailable = { code: 'TIDEMARK_COMPRESSION_UNAVAILABLE' } as const
  const blocks = t.mock.method(Segment.prototype, 'readBlock', () => {
    throw new TidemarkError(unavailable.code, 'as the test wants it')
  })
  const again = await world.open({ restore: { hydrate: 'on-demand' } })
  const map = again.map<unknown, number>('map')
  assert.throws(() => map.get(77), unavailable)
  map.set(490, 'blind')
  assert.equal((await world.run(again.checkpoint())).entries, 501)
  map.delete(490)
  await world.run(again.checkpoint())
  await world.rest()
  assert.equal(again.status, 'ok')
  blocks.mock.restore()
  assert.deepEqual(map.get(77), value(77, 1))
  await world.run(again.close())
})

test('a commit that has to look waits for memory to unpack a block, and who reads is told that there is none', async t => {
  const world = new World()
  const store = await world.open({ compression: 'deflate' })
  await fill(world, store, 500)
  await world.run(store.close())
  const again = await world.open({ compression: 'deflate', restore: { hydrate: 'on-demand' } })
  await world.run(again.hydrated())
  const map = again.map<unknown, number>('map')
  let want = true
  const inflate = zlib.inflateRawSync
  const { mock } = t.mock.method(zlib, 'inflateRawSync', (...given: Parameters<typeof inflate>) => {
    if (want) throw new RangeError('Array buffer allocation failed')
    return inflate(...given)
  })
  syncBuiltinESMExports()
  try {
    const told = { code: 'TIDEMARK_STORAGE', file: /^segment\//, message: /Array buffer allocation failed/, hint: /memory/ }
    assert.throws(() => map.get(77), told)
    map.set(490, 'blind')
    // Of what a filter alone says that it is stored, somebody looks later.
    map.set(491, 'blind')
    map.delete(491)
    let degraded = 0
    again.on('degraded', () => degraded++)
    const point = again.checkpoint()
    for (let count = 0; degraded < 4 && count < 100; count++) await world.rest(1000)
    assert.ok(degraded >= 4, `${degraded} attempts`)
    want = false
    assert.equal((await world.run(point)).entries, 499)
    assert.equal(again.status, 'ok')
    assert.deepEqual(map.get(78), value(78, 1))
    await world.run(again.close())
  } finally {
    mock.restore()
    syncBuiltinESMExports()
  }
})

test('who reads a block is told that there is no memory to keep it, and the next time that it is there', async t => {
  const world = new World()
  const store = await world.open()
  await fill(world, store, 500)
  await world.run(store.close())
  const again = await world.open({ restore: { hydrate: 'on-demand' } })
  await world.run(again.hydrated())
  const map = again.map<unknown, number>('map')
  const allocate = Buffer.allocUnsafeSlow
  let sizes = 0
  const { mock } = t.mock.method(Buffer, 'allocUnsafeSlow', (size: number) => {
    sizes += size
    throw new RangeError('Array buffer allocation failed')
  })
  assert.throws(() => map.get(77), {
    code: 'TIDEMARK_STORAGE',
    file: /^segment\//,
    message: /Array buffer allocation failed/,
    hint: /memory/,
  })
  mock.restore()
  assert.ok(sizes > 0)
  assert.equal(Buffer.allocUnsafeSlow, allocate)
  assert.deepEqual(map.get(77), value(77, 1))
  await world.run(again.close())
})
