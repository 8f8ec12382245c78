import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HandOff } from './hand-off.ts'

const MIB = 1024 * 1024

test('what was handed over since the last look has not waited since then: while the writer is at work on it, it is the writer', () => {
  const handOff = new HandOff(0)
  for (let block = 0; block < 2; block++) handOff.credited({ ms: 10, workMs: 9 })
  assert.equal(handOff.look(1000, 0, 0), 'writer')
  assert.equal(handOff.look(1125, 7 * MIB, 5), 'writer')
  assert.equal(handOff.look(1250, 7 * MIB, 130), 'storage', 'nothing came back for most of the epoch')
})

test('a writer that is silent waits for the storage, whatever its last blocks were; one that is heard is what they were', () => {
  const handOff = new HandOff(0)
  handOff.credited({ ms: 10, workMs: 9 })
  assert.equal(handOff.look(100, MIB, 10_000), 'writer')
  assert.equal(handOff.look(300, MIB, 10_000), 'writer')
  assert.equal(handOff.look(350, MIB, 10_000), 'storage')
  handOff.credited({ ms: 10, workMs: 9 })
  assert.equal(handOff.look(400, MIB, 10_000), 'writer')
  for (let block = 0; block < 20; block++) handOff.credited({ ms: 100, workMs: 9 })
  assert.equal(handOff.look(450, MIB, 10_000), 'storage')
})
