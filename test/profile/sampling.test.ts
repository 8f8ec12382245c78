/** Profiles of more keys than are followed: memory stays bounded, and the truth lies within the errors stated. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { KeySample } from '../../src/profile/key-sample.ts'
import { Spans } from '../../src/profile/spans.ts'
import type { CollectionProfile } from '../../src/profile/types.ts'
import { BEGIN_MS, bytesOf, dice, type EpochOf, joined, lifeOf, profileOf, truthOf, type Write } from '../support/profile-history.ts'
import { share } from '../support/share.ts'

const SEEDS = share(6)
const KEYS_MAX = 2000

for (const [name, exponent, keys] of [
  ['all keys alike', 0, 20_000],
  ["Zipf's law", 0.99, 40_000],
  ['a few very hot keys', 1.25, 40_000],
] as const) {
  test(`sampled, ${name}: over ${SEEDS} seeds the truth is within the stated errors`, async () => {
    const misses = new Map<string, number>()
    let stated = 0
    for (let seed = 1; seed <= SEEDS; seed++) {
      const epochs = lifeOf({ epochs: 48, perEpoch: 600, keys, exponent, seed, redundantShare: 0.15 })
      const truth = truthOf(epochs)
      const { collections } = await profileOf(epochs, { keysMax: KEYS_MAX })
      const found = collections[0] as CollectionProfile
      assert.equal(found.records, truth.records, 'what is counted is exact')
      if (truth.distinct <= KEYS_MAX) continue
      assert.ok(found.sampledShare < 1)
      const look = (what: string, value: number, wanted: number, error: number): void => {
        const off = Math.abs(value - wanted)
        // The error stated is two standard errors; twice that is as good as never.
        if (off > error * wanted) misses.set(what, (misses.get(what) ?? 0) + 1)
        assert.ok(off <= 2.2 * error * wanted + 0.02 * wanted, `${what}, seed ${seed}: ${value} instead of ${wanted} ± ${100 * error} %`)
      }
      look('distinct', found.distinctKeys, truth.distinct, found.distinctErrorShare)
      for (const { factor, bytesShare, errorShare } of found.merged) {
        look(`bytes of ${factor}`, bytesShare, bytesOf(joined(epochs, factor)) / truth.bytes, errorShare)
        assert.ok(errorShare > 0 && errorShare < 0.15, `an error of ${errorShare} says nothing`)
        stated++
      }
      const redundant = truth.redundant / truth.records
      assert.ok(Math.abs(found.redundantShare - redundant) < 0.02, `redundant: ${found.redundantShare} instead of ${redundant}`)
      const { keys90 } = found.hotSet
      assert.ok(Math.abs(keys90 - truth.keys90) <= 0.15 * truth.keys90 + 5, `hot set: ${keys90} instead of ${truth.keys90}`)
    }
    assert.ok(stated > 0, 'nothing was sampled')
    for (const [what, count] of misses) assert.ok(count <= 2, `${what} missed ${count} of ${SEEDS} times`)
  })
}

test('a key that makes a tenth of all records is followed whether chance takes it or not', () => {
  for (let seed = 1; seed <= share(20); seed++) {
    const random = dice(seed)
    const sample = new KeySample(256)
    const spans = new Spans()
    const hot = Math.floor(random() * 2 ** 32)
    let hotRecords = 0
    for (let record = 0; record < 60_000; record++) {
      if (record % 100 === 0) spans.next(record === 0 ? undefined : 100)
      const isHot = random() < 0.1
      if (isHot) hotRecords++
      sample.add(isHot ? hot : Math.floor(random() * 2 ** 32), isHot ? 1 : record, 50, record, spans)
      while (sample.sampledKeys > 1000) sample.halve()
    }
    assert.ok(sample.share < 0.05)
    const found = sample.weights().sort((a, b) => b.records - a.records)[0]
    assert.ok(found !== undefined && found.keys === 1, 'the hot key stands for itself')
    assert.ok(found.records <= hotRecords && found.records >= 0.97 * hotRecords, `${found.records} of ${hotRecords}`)
  }
})

test('rows stay within their bound whatever the number of keys and of collections', async () => {
  const sample = new KeySample(64)
  const spans = new Spans()
  const random = dice(3)
  for (let record = 0; record < 200_000; record++) {
    sample.add(Math.floor(random() * 2 ** 32), record, 10, record, spans)
    if (sample.sampledKeys > 500) sample.halve()
    assert.ok(sample.sampledKeys <= 500 && sample.heldKeys <= 128)
  }
  const epochs = Array.from(
    { length: 30 },
    (_, epoch): EpochOf => ({
      timeMs: BEGIN_MS + epoch * 1000,
      writes: Array.from({ length: 200 }, (_, at): Write => [`c${at % 10}`, `k${epoch}-${at}`, `${at}`]),
    }),
  )
  const { collections, history, all } = await profileOf(epochs, { keysMax: 1000, collectionsMax: 4 })
  assert.equal(collections.length, 5)
  assert.ok(history.notes.some(note => note.includes('first 4')))
  assert.equal(
    collections.reduce((sum, { records }) => sum + records, 0),
    6000,
  )
  assert.equal(all.records, 6000)
  assert.ok(Math.abs(all.distinctKeys - 6000) < 600)
  const small = await profileOf(
    lifeOf({ epochs: 20, perEpoch: 3000, keys: 20_000, exponent: 0, seed: 1 }).map(({ timeMs, writes }, index) => ({
      timeMs,
      writes: [...writes, ['few', `k${index % 5}`, `${index}`] as const],
    })),
    { keysMax: 1000 },
  )
  const few = small.collections.find(({ name }) => name === 'few')
  assert.deepEqual([few?.sampledShare, few?.distinctKeys], [1, 5], 'a small collection is followed whole beside a large one')
})
