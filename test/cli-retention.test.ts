/** What the verbs that write leave of a store's past: a service keeps it by a retention of its own, which stands nowhere in the store. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { open } from 'tidemark'
import { systemClock } from '../src/base/clock.ts'
import { type Components, openStore } from '../src/open.ts'
import type { Store } from '../src/store.ts'
import { json, run } from './support/cli.ts'
import { temporaryFolder } from './temporary.ts'

const DAY_MS = 86_400_000
const DAYS = 6
/** So much that whoever closes the store folds it. */
const TAIL_BYTES = 3 * 1024 * 1024

/** A service that keeps fold points of a month had one a day; then came a tail that was not folded. */
async function history(folder: string): Promise<void> {
  let days = -2 * DAYS
  const clock = { ...systemClock, now: () => systemClock.now() + days * DAY_MS }
  const settings = { checkpoint: { intervalMs: 0 }, retention: { keepLast: 1, keepMs: 30 * DAY_MS } }
  const opened = (thresholds: Components['thresholds']): Promise<Store> =>
    openStore(folder, settings, { clock, writer: 'inline', thresholds: { paced: false, ...thresholds } })
  let store = await opened({ bytes: 100, fanIn: 100 })
  for (let epoch = 1; epoch <= DAYS; epoch++) {
    store.map('map').set(epoch, 'x'.repeat(200))
    await store.checkpoint()
    while (store.stats().upkeep.foldedEpoch < epoch) await setTimeout(5)
    days++
  }
  await store.close()
  store = await opened({ bytes: 2 ** 40, records: 2 ** 40 })
  const tail = store.map<string, number>('tail')
  for (let at = 0; at < TAIL_BYTES / 1000; at++) tail.set(at, 'y'.repeat(1000))
  await store.checkpoint()
  await store.close()
}

const epochs = async (folder: string): Promise<number[]> => {
  const store = await open(folder, { readOnly: true, restore: { hydrate: 'on-demand' } })
  const points = await store.recoveryPoints()
  await store.close()
  return points.map(({ epoch }) => epoch)
}

test('restore and import drop no recovery point, however old', { timeout: 60_000 }, async t => {
  const folder = temporaryFolder(t)
  await history(folder)
  const before = await epochs(folder)
  assert.deepEqual(before.slice(0, DAYS + 1), [7, 6, 5, 4, 3, 2, 1])
  json('restore', folder, '--to', '7')
  assert.deepEqual(await epochs(folder), before)
  assert.equal((json('status', folder) as { foldedEpoch: number }).foldedEpoch, 7)
  const lines = Array.from({ length: TAIL_BYTES / 1000 }, (_, key) =>
    JSON.stringify({ collection: 'more', kind: 'map', key, value: 'z'.repeat(1000) }),
  )
  const imported = run(['import', folder], lines.join('\n'))
  assert.equal(imported.status, 0, imported.err)
  const after = await epochs(folder)
  assert.deepEqual(after.slice(-before.length), before)
  assert.equal((json('status', folder) as { foldedEpoch: number }).foldedEpoch, after[0])
})
