/** Asking for durability: what must hold when it is told, and why it may be refused. */
import assert from 'node:assert/strict'
import { hasCode } from '../../src/base/errors.ts'
import type { CheckpointPoint } from '../../src/checkpoint/index.ts'
import type { Life } from './life.ts'
import type { Copy } from './model.ts'

/** Where time passes at each look an epoch may take nearly a second; a storage that fails is waited for until patience ends. */
export const patienceOf = (life: Life): number => (life.faulted ? 500 : 10_000)

/** A call that may be refused because the engine has stopped. */
export function attempt(life: Life, call: () => void): void {
  try {
    call()
  } catch (error) {
    if (!life.stopped || !hasCode(error, 'TIDEMARK_FAILED')) throw error
  }
}

export function checkpoint(life: Life, callers: number): void {
  const copy = life.model.copy(0)
  const epochs = new Set<number>()
  for (let caller = 0; caller < callers; caller++) {
    attempt(life, () => {
      life.await(life.store.checkpoint({ timeoutMs: patienceOf(life) }), (value, error) => {
        if (error !== undefined) return assertRejection(life, error, copy)
        const { epoch, refused } = value as CheckpointPoint
        assert.deepEqual(refused, [], 'a checkpoint that refused a value does not resolve')
        // Where nothing remains of what was done since its barrier, `durable` and `close` let an epoch under way do.
        const has = life.changesOf(epoch) >= copy.changes || life.model.durable(copy)
        assert.ok(has, `checkpoint resolved with epoch ${epoch}, which lacks what was done before the call`)
        epochs.add(epoch)
        // The first call sets the barrier at once, those behind it share the next.
        assert.ok(epochs.size <= 2, 'callers share an epoch')
      })
    })
  }
}

export function assertRejection(life: Life, error: unknown, copy: Copy): void {
  // Without a fault whoever waits is told in time.
  if (hasCode(error, 'TIDEMARK_TIMEOUT') && life.faulted) return
  if (hasCode(error, 'TIDEMARK_CLOSED') || life.storage.off) return
  if (life.stopped && hasCode(error, 'TIDEMARK_FAILED')) return
  if (life.rival !== undefined && hasCode(error, 'TIDEMARK_FENCED')) return
  if (!hasCode(error, 'TIDEMARK_VALUE_REFUSED')) throw error
  const point = (error as { info?: { point?: CheckpointPoint } }).info?.point
  if (point === undefined) return
  assert.ok(point.refused.length > 0)
  assert.ok(life.changesOf(point.epoch) >= copy.changes || life.model.durable(copy), 'all but the refused is durable')
}
