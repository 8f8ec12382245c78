/** A store is opened by a runtime that cannot decompress it, which says so, or by one that can and goes on. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { openStore } from '../src/open.ts'
import { fill, value, World } from './support/cold-world.ts'
import { filesOf } from './support/files.ts'
import { temporaryFolder } from './temporary.ts'

const CHILD = join(import.meta.dirname, 'support', 'no-zstd-child.js')

/** With all that was written in segments; `first`: what the first block holds. */
async function written(folder: string, compression: 'zstd' | 'deflate', first?: Uint8Array): Promise<void> {
  const world = new World()
  // One segment, or the first block would have one of its own.
  const components = first === undefined ? {} : { thresholds: { bytes: 2000, graceMs: 100 } }
  const store = await world.open({ compression }, components)
  if (first !== undefined) store.map('map').set(-1, first)
  await fill(world, store, 500)
  await world.run(store.close())
  // Another run has a log of its own, and the one before it goes.
  const again = await world.open({ compression: 'none' }, components)
  await world.rest(60_000)
  await world.run(again.close())
  for (const [path, bytes] of await world.run(filesOf(world.storage))) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), bytes)
  }
}

/** Without zstd, and without WebAssembly, by which small frames can be decoded, but for 'wasm'. */
async function openedWithout(folder: string, ability: 'wasm' | 'no-wasm' = 'no-wasm', key = 77): Promise<Record<string, unknown>[]> {
  const { stdout } = await promisify(execFile)(process.execPath, [CHILD, folder, ability, `${key}`])
  return stdout
    .trim()
    .split('\n')
    .map(line => JSON.parse(line) as Record<string, unknown>)
}

test('a store whose segments this runtime cannot decompress is refused, with a word on what to do', async t => {
  const folder = temporaryFolder(t)
  await written(folder, 'zstd')
  for (const { code, message, hint, file } of await openedWithout(folder)) {
    assert.equal(code, 'TIDEMARK_COMPRESSION_UNAVAILABLE')
    assert.match(String(file), /^segment\//)
    assert.match(String(message), /segment.*cannot read compression/)
    assert.match(String(hint), /install/)
  }
  const store = await openStore(folder)
  assert.deepEqual(store.map('map').get(77), value(77, 1))
  await store.close()
})

test('where it is a later block of a segment the store is opened, and who reads it is told the file', async t => {
  const folder = temporaryFolder(t)
  await written(folder, 'zstd', randomBytes(20_000))
  for (const { opened, code, message, file } of await openedWithout(folder)) {
    assert.deepEqual({ opened, code }, { opened: true, code: 'TIDEMARK_COMPRESSION_UNAVAILABLE' })
    assert.match(String(file), /^segment\//)
    assert.ok(String(message).includes(String(file)), String(message))
  }
})

test('where there is WebAssembly small frames are decoded without zstd, and who needs a larger one is told so', async t => {
  const folder = temporaryFolder(t)
  await written(folder, 'zstd', Buffer.alloc(200_000, 'tidemark'))
  assert.deepEqual(await openedWithout(folder, 'wasm'), [{ opened: true }, { opened: true }])
  for (const { opened, code } of await openedWithout(folder, 'wasm', -1)) {
    assert.deepEqual({ opened, code }, { opened: true, code: 'TIDEMARK_COMPRESSION_UNAVAILABLE' })
  }
})

test('a store that needs nothing which is lacking is opened', async t => {
  const folder = temporaryFolder(t)
  await written(folder, 'deflate')
  assert.deepEqual(await openedWithout(folder), [{ opened: true }, { opened: true }])
})

test('a profile measures and recommends no compression that this runtime does not have', async () => {
  const ways = ['deflate 1', 'none 0']
  assert.deepEqual(await openedWithout('profile'), [
    { compression: 'deflate', ways },
    { compression: 'none', ways, to: 'deflate' },
  ])
})
