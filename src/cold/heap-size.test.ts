import assert from 'node:assert/strict'
import { test } from 'node:test'
import { entryHeapBytes } from './heap-size.ts'

test('an array of holes takes what its elements take, not its length', () => {
  const sparse: unknown[] = []
  sparse[5] = 'x'.repeat(5000)
  sparse[4_000_000_000] = 1
  const bytes = entryHeapBytes(1, sparse)
  assert.ok(bytes > 5000 && bytes < 10_000, `${bytes}`)
  const longest: unknown[] = []
  longest.length = 2 ** 32 - 1
  assert.ok(entryHeapBytes(1, longest) < 1000)
  const many: unknown[] = []
  for (let index = 0; index < 3000; index++) many[index * 1_000_000] = 'x'.repeat(1000)
  const manyBytes = entryHeapBytes(1, many)
  assert.ok(manyBytes > 3_000_000 && manyBytes < 4_000_000, `${manyBytes}`)
})

test('an array of few holes takes its length, and a full one is not listed', () => {
  const full = Array.from({ length: 100_000 }, (_, index) => index)
  const holed = full.slice()
  for (let index = 0; index < 100_000; index += 3) delete holed[index]
  for (const array of [full, holed]) {
    const bytes = entryHeapBytes(1, array)
    assert.ok(bytes > 800_000 && bytes < 1_300_000, `${bytes}`)
  }
  const unlisted = new Proxy(full, { ownKeys: () => assert.fail('it was listed') })
  assert.ok(entryHeapBytes(1, unlisted) > 800_000)
})
