/**
 * A collection of more entries than a Map of V8 takes, on the real machine: set, get, churn, checkpoint, restart, count. Prints what it took.
 *
 *     node --max-old-space-size=12000 .build/test/many/main.js [entries, default 17000000] [folder]
 */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { open } from 'tidemark'

const entries = Number(process.argv[2] ?? 17_000_000)
const folder = process.argv[3] ?? mkdtempSync(join(tmpdir(), 'tidemark-many-'))
const TIMEOUT_MS = 3_600_000
/** Entries looked at of those that are there. */
const LOOKED_AT = 1_000_000

async function timed<T>(what: string, work: () => T | Promise<T>): Promise<T> {
  const begin = performance.now()
  const result = await work()
  const ms = performance.now() - begin
  console.log(`${what.padEnd(44)} ${ms.toFixed(0).padStart(8)} ms   RSS ${(process.memoryUsage().rss / 1e6).toFixed(0)} MB`)
  return result
}

function look(map: ReadonlyMap<number, number>, from: number): void {
  for (let at = 0; at < LOOKED_AT; at++) {
    const key = from + ((at * 7919) % entries)
    assert.equal(map.get(key), key * 2)
  }
}

/** Half as many again come and go: a Map that is full counts deleted entries too. */
const churned = Math.floor(entries / 2)

let store = await open(folder, { checkpoint: { intervalMs: 0 } })
let map = store.map<number, number>('many')
await timed(`set ${entries} new keys`, () => {
  for (let key = 0; key < entries; key++) map.set(key, key * 2)
})
assert.equal(map.size, entries)
await timed(`get ${LOOKED_AT} of them`, () => look(map, 0))
await timed('checkpoint', () => store.checkpoint({ timeoutMs: TIMEOUT_MS }))
await timed(`delete the first, set a new one, ${churned} times`, () => {
  for (let key = 0; key < churned; key++) {
    map.delete(key)
    map.set(entries + key, (entries + key) * 2)
  }
})
assert.equal(map.size, entries)
await timed(`get ${LOOKED_AT} of them`, () => look(map, churned))
await timed('walk all keys', () => {
  let expected = churned
  for (const key of map.keys()) assert.equal(key, expected++)
  assert.equal(expected, churned + entries)
})
await timed('checkpoint', () => store.checkpoint({ timeoutMs: TIMEOUT_MS }))
const { stalls } = store.stats()
console.log(`stalls: p99.9 ${stalls.p999Ms.toFixed(2)} ms, longest ${stalls.maxMs.toFixed(2)} ms`)
await timed('close', () => store.close({ timeoutMs: TIMEOUT_MS }))

store = await timed('open', () => open(folder, { checkpoint: { intervalMs: 0 } }))
map = store.map<number, number>('many')
assert.equal(map.size, entries)
await timed('hydrated', () => store.hydrated())
await timed(`get ${LOOKED_AT} of them`, () => look(map, churned))
await timed('bring all home, counted', () => {
  let count = 0
  let sum = 0
  for (const [key, value] of map) {
    count++
    sum += value - 2 * key
  }
  assert.equal(count, entries)
  assert.equal(sum, 0)
})
map.set(-1, 1)
await timed('checkpoint of one key', () => store.checkpoint({ timeoutMs: TIMEOUT_MS }))
await store.close({ timeoutMs: TIMEOUT_MS })
if (process.argv[3] === undefined) rmSync(folder, { recursive: true })
console.log('all of it is right')
