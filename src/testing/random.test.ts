import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SeededRandom } from './index.ts'

test('one seed is one sequence, another seed another, also for the seeds next to it', () => {
  const draw = (seed: number): number[] => {
    const random = new SeededRandom(seed)
    return Array.from({ length: 20 }, () => random.u32())
  }
  assert.deepEqual(draw(7), draw(7))
  const firsts = new Set<number>()
  for (let seed = 0; seed < 1000; seed++) firsts.add(draw(seed)[0] as number)
  assert.ok(firsts.size > 990)
  // A change of the generator would change every recorded seed.
  assert.deepEqual(draw(1).slice(0, 3), PINNED)
})

const PINNED: readonly number[] = [2420951833, 2513034076, 3847892949]

test('draws stay in their bounds and reach all of them', () => {
  const random = new SeededRandom(3)
  const seen = new Set<number>()
  for (let draw = 0; draw < 1000; draw++) {
    seen.add(random.between(-2, 2))
    assert.ok(random.float() < 1)
  }
  assert.deepEqual([...seen].sort(), [-1, -2, 0, 1, 2])
  assert.equal(random.chance(0), false)
  assert.equal(random.chance(1), true)
  assert.throws(() => random.pick([]), RangeError)
  const mean = random.bytes(100_000).reduce((sum, byte) => sum + byte, 0) / 100_000
  assert.ok(Math.abs(mean - 127.5) < 2, `mean ${mean}`)
})

test('a fork leaves the chance of its parent alone', () => {
  const one = new SeededRandom(9)
  const two = new SeededRandom(9)
  const fork = one.fork()
  two.fork()
  for (let draw = 0; draw < 10; draw++) fork.u32()
  assert.equal(one.u32(), two.u32())
})
