/** What becomes of segments whose manifest is not published, and of a job that found no room in it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Publisher, type PublisherParts } from '../src/fold/publisher.ts'
import { type Manifest, SEGMENT_FOLDER } from '../src/format/index.ts'
import type { Budget } from '../src/pace/index.ts'
import { openForWriting } from '../src/restore/index.ts'
import { MemoryStorage } from '../src/storage/index.ts'
import { pseudoRandom } from './support/log-store.ts'
import { segment } from './support/manifest.ts'

const WRITTEN = segment()

async function begin(publish: PublisherParts['publish'], bytesMax = 2 ** 20) {
  const storage = new MemoryStorage()
  const { manifest } = await openForWriting(storage, { createdBy: 'tidemark test', random: pseudoRandom('publisher') })
  await storage.makeFolder(SEGMENT_FOLDER)
  await storage.createIfAbsent(WRITTEN.file, new Uint8Array(1))
  const state = { now: 0, manifest }
  const publisher = new Publisher({
    ...{ storage, manifests: storage, bytesMax, publish },
    budget: { upkeepSyncTurn: async () => {} } as unknown as Budget,
    monotonic: () => state.now,
    manifest: () => state.manifest,
  })
  state.now = 7
  return { storage, publisher, state }
}

type Plan = (manifest: Manifest) => Manifest | undefined

test('segments go where no manifest was begun that could name them, and stay where one was', async () => {
  const first: Plan = old => ({ ...old, number: old.number + 1, young: [WRITTEN] })
  const once = (): Plan => {
    let asked = 0
    return old => (asked++ === 0 ? first(old) : undefined)
  }
  const failing = new Error('not published')
  const cases: [what: string, plan: Plan, calls: number, fails: boolean, stays: boolean][] = [
    ['refused before it was asked for', first, 0, true, false],
    ['nothing to publish', () => undefined, 1, false, false],
    ['published', first, 1, false, true],
    ['failed behind its beginning', first, 1, true, true],
    ['begun, and at another look not to be published', once(), 2, false, true],
  ]
  for (const [what, plan, calls, fails, stays] of cases) {
    const { storage, publisher, state } = await begin(async (_, asked) => {
      for (let at = 0; at < calls; at++) asked(state.manifest)
      if (fails) throw failing
    })
    const published = publisher.withSegments('fold', plan, [WRITTEN])
    if (fails) await assert.rejects(published, failing, what)
    else assert.equal(await published, stays && calls === 1, what)
    assert.equal(await storage.exists(WRITTEN.file), stays, what)
    assert.equal(publisher.publishedAt, fails ? 0 : 7, what)
  }
})

test('a job that found no room is not begun again until there may be some, or for ten minutes; the other one is', async () => {
  const { storage, publisher, state } = await begin(async (_, asked) => void asked(state.manifest), 1)
  const full = { code: 'TIDEMARK_MANIFEST_FULL' }
  const refuse = () =>
    assert.rejects(
      publisher.withSegments('fold', old => ({ ...old, number: old.number + 1, young: [WRITTEN] }), [WRITTEN]),
      full,
    )
  const { manifest } = state
  await refuse()
  assert.equal(await storage.exists(WRITTEN.file), false)
  assert.throws(() => publisher.assertNotFull('fold'), full)
  publisher.assertNotFull('merge')
  for (const change of [{ young: [] }, { base: [...manifest.base] }, { retained: [] }]) {
    state.manifest = { ...manifest, number: 2 }
    assert.throws(() => publisher.assertNotFull('fold'), full)
    state.manifest = { ...manifest, ...change }
    publisher.assertNotFull('fold')
    state.manifest = manifest
    // What was found once is not said again.
    publisher.assertNotFull('fold')
    await refuse()
  }
  state.now += 599_999
  assert.throws(() => publisher.assertNotFull('fold'), full)
  state.now++
  publisher.assertNotFull('fold')
})
