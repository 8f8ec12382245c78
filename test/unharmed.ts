/** What bad input must not touch. */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { open, type Store } from 'tidemark'
import { temporaryFolder } from './temporary.ts'

/** A store with something in it; after the test's own part it must work as before, and everything must survive a restart. */
export async function unharmed(t: TestContext, misuse: (store: Store) => Promise<void>): Promise<void> {
  const folder = temporaryFolder(t)
  const store = await open(folder, { checkpoint: { intervalMs: 0 } })
  const others = store.map<unknown, string | number | bigint>('others')
  others.set('before', { list: [1, 2, 3] })
  others.set(7, 'seven')
  store.value('total', 0).set(41)
  await store.checkpoint()
  others.set('uncommitted', new Date(5))
  await misuse(store)
  assert.equal(store.status, 'ok')
  others.set('after', new Map([[1n, new Set(['x'])]]))
  others.delete(7)
  store.value('total', 0).update(total => total + 1)
  const point = await store.checkpoint()
  assert.deepEqual(point.refused, [])
  await store.close()
  const again = await open(folder, { checkpoint: { intervalMs: 0 } })
  const entries = [...again.map<unknown, string | number | bigint>('others')]
  assert.deepEqual(
    new Map(entries),
    new Map<unknown, unknown>([
      ['before', { list: [1, 2, 3] }],
      ['uncommitted', new Date(5)],
      ['after', new Map([[1n, new Set(['x'])]])],
    ]),
  )
  assert.equal(again.value('total', 0).get(), 42)
  await again.close()
}
