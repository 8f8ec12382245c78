/** What the verbs that write leave of a store's past: a service keeps it by a retention of its own, which stands nowhere in the store. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { open, type RecoveryPoint } from 'tidemark'
import { retentionOf } from '../src/tools/import.ts'
import { PAST } from '../src/tools/past.ts'
import { reading } from '../src/tools/stores.ts'
import { restore } from '../src/tools/transfer.ts'
import { fails, json, LINE, MANUAL, run } from './support/cli.ts'
import { flipped } from './support/files.ts'
import { damage, epochsOf, makeHistory } from './support/history.ts'
import { temporaryFolder } from './temporary.ts'

/** So much that whoever closes the store folds it. */
const TAIL_BYTES = 3 * 1024 * 1024

/** By restores to the epoch, which is the newest. */
function foldAt(folder: string, epoch: number): void {
  const folded = (): number => (json('status', folder) as { foldedEpoch: number }).foldedEpoch
  // A close folds for two seconds at most; a busy machine may need several.
  for (let attempt = 0; attempt < 40 && folded() < epoch; attempt++) json('restore', folder, '--to', String(epoch))
  assert.equal(folded(), epoch)
}

test('restore and import drop no recovery point, however old', { timeout: 300_000 }, async t => {
  const folder = temporaryFolder(t)
  await makeHistory(folder, { days: 6, epochsADay: 1, tailBytes: TAIL_BYTES })
  const before = await epochsOf(folder)
  assert.deepEqual(before, [7, 6, 5, 4, 3, 2, 1])
  foldAt(folder, 7)
  assert.deepEqual(await epochsOf(folder), before)
  const lines = Array.from({ length: TAIL_BYTES / 1000 }, (_, key) =>
    JSON.stringify({ collection: 'more', kind: 'map', key, value: 'z'.repeat(1000) }),
  )
  const imported = run(['import', folder], lines.join('\n'))
  assert.equal(imported.status, 0, imported.err)
  const after = await epochsOf(folder)
  assert.deepEqual(after.slice(-before.length), before)
})

test('a restore to an earlier point leaves all points before it, whatever it folds', { timeout: 300_000 }, async t => {
  const folder = temporaryFolder(t)
  await makeHistory(folder, { days: 6, epochsADay: 1, tailBytes: TAIL_BYTES })
  const store = await open(folder, { ...MANUAL, retention: { keepLast: 10, keepMs: 30 * 86_400_000 } })
  store.map('map').set(8, 'given up')
  await store.close()
  const pointsOf = async (): Promise<readonly RecoveryPoint[]> => await reading(folder, undefined, opened => opened.recoveryPoints())
  const before = await pointsOf()
  assert.equal(before.length, 8)
  for (let attempt = 0; attempt < 40; attempt++) {
    await restore.run({ positionals: [folder], flags: { to: '7' } })
    assert.deepEqual((await pointsOf()).map(comparable), before.slice(1).map(comparable))
    if (await reading(folder, undefined, opened => opened.stats().upkeep.foldedEpoch === 7)) return
  }
  assert.fail('nothing was folded')
})

/** Without its lineage, which a restore begins anew, and what was verified. */
function comparable({ epoch, time, entries, lost, unlisted }: RecoveryPoint): Partial<RecoveryPoint> {
  return { epoch, time, entries, lost, unlisted }
}

test('restore and import drop no recovery point of the same minute, behind damage in the log either', { timeout: 300_000 }, async t => {
  const folder = temporaryFolder(t)
  // Fold points at 3, 6, 9, of which only those behind the damage lead to what came after it.
  await makeHistory(folder, { days: 3, epochsADay: 3, tailBytes: TAIL_BYTES, dayMs: 1, keepLast: 10 })
  await damage(folder, 4)
  const before = await epochsOf(folder)
  assert.deepEqual(before, [10, 9, 8, 7, 6, 3, 2, 1])
  foldAt(folder, 10)
  assert.deepEqual(await epochsOf(folder), before)
})

test('restore gives up nothing for a point that does not read whole', { timeout: 120_000 }, async t => {
  const folder = temporaryFolder(t)
  /** An epoch of one collection instead of another, folded when the store is closed. */
  const write = async (name: string, instead?: string): Promise<void> => {
    const store = await open(folder, MANUAL)
    if (instead !== undefined) store.delete(instead)
    const map = store.map<Uint8Array, number>(name)
    for (let key = 0; key < TAIL_BYTES / 1024; key++) map.set(key, randomBytes(1024))
    await store.close()
  }
  await write('a')
  // A close folds for two seconds at most; a store that stays open takes the time it needs.
  const folding = await open(folder, MANUAL)
  while (folding.stats().upkeep.foldedEpoch < 1) await setTimeout(20)
  await folding.close()
  const segments = readdirSync(join(folder, 'segment')).map(name => join(folder, 'segment', name))
  assert.equal(segments.length, 1)
  await write('b', 'a')
  const path = segments[0] as string
  writeFileSync(path, flipped(readFileSync(path), 8 * 100_000))
  const present = run(['export', folder]).out
  fails(1, /TIDEMARK_SEGMENT_DAMAGED/, 'restore', folder, '--to', '1')
  assert.deepEqual(await epochsOf(folder), [2, 1])
  assert.equal(run(['export', folder]).out, present)
  assert.deepEqual(json('restore', folder, '--to', '2'), { epoch: 2 })
})

test('an import keeps the whole past of a store that is there, whole or not, and the usual one of a store that it makes', async t => {
  const folder = temporaryFolder(t)
  assert.deepEqual(await retentionOf(folder), {})
  assert.deepEqual(await retentionOf(join(folder, 'missing')), {})
  const store = await open(folder)
  store.map('map').set('k', 1)
  await store.close()
  assert.equal(await retentionOf(folder), PAST)
  for (const name of readdirSync(join(folder, 'manifest'))) writeFileSync(join(folder, 'manifest', name), 'damaged')
  assert.equal(await retentionOf(folder), PAST)
})

test('an import behind one that failed before it had stored anything keeps the usual past: there is none to lose', async t => {
  const deep = `${'['.repeat(1001)}${']'.repeat(1001)}`
  for (const bad of ['{', `{"collection":"b","kind":"map","key":7,"value":${deep}}`]) {
    const folder = temporaryFolder(t)
    for (let tries = 1; tries <= 2; tries++) {
      assert.equal(run(['import', folder], `${LINE}${bad}\n`).status, 1)
      assert.equal((json('status', folder) as { entries: number }).entries, 0)
      assert.deepEqual(await retentionOf(folder), {})
    }
  }
})

test('an import into a directory where a first opening died keeps the usual past', async t => {
  const folder = temporaryFolder(t)
  for (const name of ['log', 'manifest']) mkdirSync(join(folder, name))
  writeFileSync(join(folder, 'manifest', '00000001.manifest'), 'a part')
  assert.deepEqual(await retentionOf(folder), {})
  // Where there was something, it is no first opening.
  writeFileSync(join(folder, 'log', '00000001-00000001.log'), '')
  assert.equal(await retentionOf(folder), PAST)
})

test('an import keeps the whole past of a store that is empty now and was not always', async t => {
  const folder = temporaryFolder(t)
  const store = await open(folder, MANUAL)
  store.map('map').set('k', 1)
  await store.checkpoint()
  store.delete('map')
  await store.close()
  assert.equal((json('status', folder) as { entries: number }).entries, 0)
  assert.equal(await retentionOf(folder), PAST)
})
