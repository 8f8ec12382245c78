/** Stores written by released formats stay readable for ever: `test/golden/<version>` with the account of what each holds. */
import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { FileStorage, MemoryStorage } from '../src/storage/index.ts'
import { root } from './root.ts'
import { filesOf } from './support/files.ts'
import { accountOf, writeGolden } from './support/golden.ts'
import { Life } from './support/log-store.ts'

const golden = join(root, 'test', 'golden')
const versions = readdirSync(golden).filter(name => /^v\d+$/.test(name))

test('there is a golden store of every format version', () => {
  assert.deepEqual(versions, ['v1'])
})

for (const version of versions) {
  const store = join(golden, version, 'store')
  const expected: unknown = JSON.parse(readFileSync(join(golden, version, 'expected.json'), 'utf8'))

  test(`the golden store ${version} reads as it was written`, async () => {
    assert.deepEqual(await accountOf(new FileStorage(store)), expected)
  })

  test(`a store of format ${version} is taken over and goes on`, async () => {
    const copy = mkdtempSync(join(tmpdir(), 'tidemark-golden-'))
    try {
      cpSync(store, copy, { recursive: true })
      const storage = new FileStorage(copy)
      const before = (await accountOf(storage)) as { epochs: unknown[] }
      const writer = await Life.open({ storage, name: 'after' })
      await writer.mustCommit([])
      await writer.close()
      const after = (await accountOf(storage)) as { epochs: unknown[] }
      assert.deepEqual(after.epochs.slice(0, -1), before.epochs)
    } finally {
      rmSync(copy, { recursive: true, force: true })
    }
  })
}

test('today the same life is written in the same bytes, but for what compression makes of it', async () => {
  const storage = new MemoryStorage()
  await writeGolden(storage)
  const today = await filesOf(storage)
  const then = await filesOf(new FileStorage(join(golden, 'v1', 'store')))
  assert.deepEqual([...today.keys()], [...then.keys()])
  const uncompressed = 'log/00000001-00000001.log'
  assert.ok(today.get(uncompressed)?.equals(then.get(uncompressed) as Buffer))
})
