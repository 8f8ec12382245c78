/** What the verbs that write leave of a store's past: a service keeps it by a retention of its own, which stands nowhere in the store. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { json, run } from './support/cli.ts'
import { epochsOf, makeHistory } from './support/history.ts'
import { temporaryFolder } from './temporary.ts'

/** So much that whoever closes the store folds it. */
const TAIL_BYTES = 3 * 1024 * 1024

test('restore and import drop no recovery point, however old', { timeout: 120_000 }, async t => {
  const folder = temporaryFolder(t)
  await makeHistory(folder, { days: 6, epochsADay: 1, tailBytes: TAIL_BYTES })
  const before = await epochsOf(folder)
  assert.deepEqual(before, [7, 6, 5, 4, 3, 2, 1])
  const folded = (): number => (json('status', folder) as { foldedEpoch: number }).foldedEpoch
  // A close folds for two seconds at most; a busy machine may need several.
  for (let attempt = 0; attempt < 10 && folded() < 7; attempt++) json('restore', folder, '--to', '7')
  assert.equal(folded(), 7)
  assert.deepEqual(await epochsOf(folder), before)
  const lines = Array.from({ length: TAIL_BYTES / 1000 }, (_, key) =>
    JSON.stringify({ collection: 'more', kind: 'map', key, value: 'z'.repeat(1000) }),
  )
  const imported = run(['import', folder], lines.join('\n'))
  assert.equal(imported.status, 0, imported.err)
  const after = await epochsOf(folder)
  assert.deepEqual(after.slice(-before.length), before)
})
