/** Opens what a measured process left behind, and compares every entry with a plain Map that went through the same operations. */
import { isDeepStrictEqual } from 'node:util'
import { open } from 'tidemark'
import { plain } from '../engines/plain.ts'
import { assignment, deliver } from '../harness/child.ts'
import type { CheckAssignment, CheckResult } from './contract.ts'
import { makeLoad } from './loads.ts'

const job = assignment<CheckAssignment>()
/** Entries of the comparison that has to find a difference. */
const PLANTED_ENTRIES = 1000

await deliver(async (): Promise<CheckResult> => {
  const expected = new Map<string, unknown>()
  const engine = { ...(await plain.open<unknown>('')), get: (key: string) => expected.get(key) }
  const target = {
    ...engine,
    set: (key: string, value: unknown) => void expected.set(key, value),
    delete: (key: string) => void expected.delete(key),
  }
  const load = makeLoad(job.load, job.operations)
  for (let at = 0; at < load.entries; at++) load.put(target, at)
  for (let at = 0; at < job.operations; at++) load.make(target, at)
  load.turnEnd?.(target, job.operations)
  const begin = performance.now()
  const store = await open(job.folder)
  const openMs = performance.now() - begin
  // From memory: a million cold reads would take a minute.
  await store.hydrated()
  const found: ReadonlyMap<string, unknown> = store.map<unknown, string>('players')
  const { differences, first } = compare(found, expected, expected.keys())
  const planted = plant(found, expected)
  return { entries: expected.size, differences, first, planted, openMs }
})

function compare(
  found: ReadonlyMap<string, unknown>,
  expected: ReadonlyMap<string, unknown>,
  keys: Iterable<string>,
): { differences: number; first: string | undefined } {
  let differences = Math.abs(found.size - expected.size)
  let first = differences > 0 ? `${found.size} entries instead of ${expected.size}` : undefined
  for (const key of keys) {
    if (isDeepStrictEqual(found.get(key), expected.get(key))) continue
    differences++
    first ??= `${key}: ${show(found.get(key))} instead of ${show(expected.get(key))}`
  }
  return { differences, first }
}

/** Changes one expected entry in a field, and looks whether it is found. */
function plant(found: ReadonlyMap<string, unknown>, expected: Map<string, unknown>): number {
  const keys = [...expected.keys()].slice(-PLANTED_ENTRIES)
  const key = keys[keys.length >> 1] as string
  const value = expected.get(key)
  expected.set(key, { ...(value as object), v: -1 })
  const { differences } = compare(found, expected, keys)
  expected.set(key, value)
  return differences
}

function show(value: unknown): string {
  return (JSON.stringify(value) ?? 'nothing').slice(0, 120)
}
