/** What may be asked of a store at any moment, inside a listener, a transaction or an update too; and a close in the midst of something. */
import assert from 'node:assert/strict'
import { hasCode } from '../../src/base/errors.ts'
import type { Life } from './life.ts'

export function ask(life: Life): void {
  const { store, model } = life
  const { status, collections, dirtyMax, refused, schedule } = store.stats()
  assert.ok(['ok', 'degraded', 'failed', 'closed'].includes(status), status)
  assert.ok(dirtyMax >= 0 && refused.length >= 0 && schedule !== undefined)
  assert.ok(store.pressure >= 0 && store.pressure <= 1)
  assert.ok(Array.isArray(store.decisions()))
  if (life.closing || !life.begun) return
  for (const [name, { kind, entries }] of model.collections) {
    const told = collections[name]
    assert.equal(told?.kind, kind, `'${name}' in stats`)
    // Where it is not known which keys are there each may be one more.
    assert.ok(told.entries >= entries.size, `'${name}' has ${entries.size} entries, stats say ${told.entries} at most`)
  }
}

export function closeWithin(life: Life): void {
  if (life.closing || life.rival !== undefined) return
  let ended: Promise<void>
  try {
    ended = life.store.close({ timeoutMs: 2000 })
  } catch (error) {
    // Whoever is told inside a transaction or a hold is inside of it.
    if (!hasCode(error, 'TIDEMARK_INSIDE')) throw error
    return
  }
  life.totals.closedWithin++
  life.closing = true
  life.ended = ended
  ended.catch(() => {})
}
