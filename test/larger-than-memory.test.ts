/** The heap that a process really uses, looked at after a collection, against `memoryBytesMax`: not the engine's own estimate. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { entryHeapBytes } from '../src/cold/heap-size.ts'
import type { LargerPlan, LargerReport } from './support/larger-child.ts'
import { temporaryFolder } from './temporary.ts'

const MIB = 1024 * 1024
const ENTRIES = 60_000
const BOUND = 5 * MIB
/** Beside the entries: code that was compiled meanwhile, the engine's own tables, filters and indexes of segments. */
const BESIDE = 4 * MIB
const CHILD = join(import.meta.dirname, 'support', 'larger-child.js')

async function run(plan: LargerPlan): Promise<LargerReport> {
  const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', CHILD, JSON.stringify(plan)], { maxBuffer: 16 * MIB })
  return JSON.parse(stdout.trim().split('\n').at(-1) as string) as LargerReport
}

test('the heap stays within the bound while a larger collection is filled, read, walked, changed and opened again', async t => {
  const folder = temporaryFolder(t)
  const whole = await run({ folder: temporaryFolder(t), role: 'unbounded', entries: ENTRIES, memoryBytesMax: 0 })
  const all = whole.heap['filled'] as number
  assert.ok(all > 4 * BOUND, `all of it takes ${all / MIB} MiB, which shows nothing`)
  const filled = await run({ folder, role: 'fill', entries: ENTRIES, memoryBytesMax: BOUND })
  const again = await run({ folder, role: 'again', entries: ENTRIES, memoryBytesMax: BOUND })
  const heap = { ...filled.heap, ...again.heap }
  t.diagnostic(`MiB: all ${(all / MIB).toFixed(1)}; ${Object.entries(heap).map(([what, bytes]) => `${what} ${(bytes / MIB).toFixed(1)}`)}`)
  for (const what of ['filled', 'read', 'walked', 'changed', 'read again']) {
    const bytes = heap[what]
    assert.ok(bytes !== undefined && bytes < BOUND * 1.25 + BESIDE, `${what}: ${(bytes ?? 0) / MIB} MiB`)
  }
  assert.ok(filled.evicted > 3 * ENTRIES && again.evicted > ENTRIES / 2)
})

test('the estimate is what values take once they were decoded, within a quarter', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', join(import.meta.dirname, 'support', 'sizes-child.js')])
  const found = JSON.parse(stdout) as Record<string, { readonly estimated: number; readonly used: number }>
  assert.ok(Object.keys(found).length > 10)
  for (const [kind, { estimated, used }] of Object.entries(found)) {
    const ratio = estimated / used
    // Where a value takes a word or two, what is around it counts for more.
    const isNear = Math.abs(estimated - used) <= 16
    assert.ok(isNear || (ratio > 0.75 && ratio < 1.33), `${kind}: estimated ${estimated.toFixed(0)}, used ${used.toFixed(0)}`)
  }
})

test('a look at an entry ends, whatever the value is, and throws nothing', () => {
  const wide = Object.fromEntries(Array.from({ length: 10_000 }, (_, at) => [`f${at}`, 'text of some length']))
  let deep: unknown = 1
  for (let level = 0; level < 5000; level++) deep = [deep]
  const cycle: unknown[] = []
  cycle.push(cycle)
  for (const value of [deep, cycle]) assert.ok(entryHeapBytes('key', value) < 1_000_000)
  const bytes = entryHeapBytes('key', wide)
  assert.ok(bytes > 500_000 && bytes < 2_000_000, `${bytes}`)
  const trap = new Proxy({}, { getPrototypeOf: () => assert.fail('a trap') })
  assert.ok(entryHeapBytes('key', trap) < 100)
})
