import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { sharedMemory, sharedMemoryLeft } from './shared-memory.ts'

const BYTES = 128 * 1024 * 1024
const held = (): number => process.memoryUsage().arrayBuffers

test('shared memory that nobody holds is given back when that is said', async () => {
  const before = held()
  let memory: Uint8Array | undefined = sharedMemory(BYTES)
  assert.equal(memory.length, BYTES)
  memory[BYTES - 1] = 1
  assert.ok(held() - before >= BYTES)
  memory = undefined
  await setTimeout(1)
  for (let look = 0; held() - before >= BYTES / 2; look++) {
    assert.ok(look < 100, `${held() - before} bytes are held`)
    sharedMemoryLeft(BYTES)
    await setTimeout(50)
  }
})

test('so much as there is not is no error', () => {
  sharedMemoryLeft(2 ** 53 - 1)
})
