/** What is kept of a history in full is bounded, whatever its records. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RunSample } from '../../src/profile/run-sample.ts'
import { BEGIN_MS, profileOf } from '../support/profile-history.ts'

const MIB = 1024 * 1024

test('a record larger than a run is passed over, and the rest of its epoch kept', () => {
  const sample = new RunSample()
  const large = Buffer.alloc(8 * MIB)
  const small = Buffer.from('a record')
  for (let epoch = 0; epoch < 100; epoch++) {
    sample.beginEpoch()
    for (const record of [large, small, large]) if (sample.wants) sample.add(record, 0, record.length)
    sample.endEpoch()
  }
  const epochs = sample.runs.flatMap(run => run.epochs)
  assert.ok(epochs.length >= 32)
  for (const epoch of epochs) assert.deepEqual(epoch, small)
})

test('a history of such records alone has a profile, with nothing about how they would compress', async () => {
  const epochs = Array.from({ length: 3 }, (_, epoch) => ({
    timeMs: BEGIN_MS + epoch * 1000,
    writes: [['large', 'key', `${epoch}`.repeat(3 * MIB)] as const],
  }))
  const { all, blocks, collections } = await profileOf(epochs)
  assert.equal(all.records, 3)
  assert.equal(collections[0]?.records, 3)
  assert.deepEqual(blocks, [])
})
