/** What writes to a directory takes its lock, unless it is told not to: where a file system has none, nothing else would help. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { type CopyOptions, copy, open } from 'tidemark'
import { acquireLock, lockHolder } from '../src/storage/index.ts'
import { restore } from '../src/tools/transfer.ts'
import { json, LINE, make, run } from './support/cli.ts'
import { temporaryFolder } from './temporary.ts'

const LOCKED = { code: 'TIDEMARK_LOCKED' }

test('copy locks its target, but for lock none', async t => {
  const [folder, target] = [await make(temporaryFolder(t)), temporaryFolder(t)]
  const lock = await acquireLock(target, lockHolder(0))
  await assert.rejects(copy(folder, target), LOCKED)
  await assert.rejects(copy(folder, target, { lock: 'os' }), LOCKED)
  assert.equal((await copy(folder, target, { lock: 'none' })).epoch, 3)
  lock.release()
  await (await open(target)).close()
  for (const options of [5, null, { lock: 'no' }, { locks: 'none' }] as unknown as CopyOptions[])
    await assert.rejects(copy(folder, join(target, 'other'), options), { code: 'TIDEMARK_ARGUMENT', message: /^copy: / })
})

test('restore, copy and import take no lock with --no-lock', async t => {
  const [folder, target] = [await make(temporaryFolder(t)), temporaryFolder(t)]
  const locks = [await acquireLock(folder, lockHolder(0)), await acquireLock(target, lockHolder(0))]
  await assert.rejects(restore.run({ positionals: [folder], flags: { to: '2' } }), LOCKED)
  const restored = await restore.run({ positionals: [folder], flags: { to: '2', 'no-lock': true } })
  assert.deepEqual(restored?.json, { epoch: 2 })
  assert.match(run(['import', folder], LINE).err, /TIDEMARK_LOCKED/)
  const imported = run(['import', folder, '--no-lock', '--json'], LINE)
  assert.equal(imported.status, 0, imported.err)
  const { entries, epoch } = json('copy', folder, target, '--no-lock') as { entries: number; epoch: number }
  assert.deepEqual({ entries, epoch }, { entries: 6, epoch: 3 })
  for (const lock of locks) lock.release()
})
