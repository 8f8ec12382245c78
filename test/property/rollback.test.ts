/** A transaction that is rolled back, beside a plain Map: what it deleted comes last, in the order in which it went; all else stays in its place. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { TidemarkMap } from '../../src/capture/index.ts'
import { type Entries, numbered, Rig } from '../support/capture-rig.ts'
import { transaction } from '../support/cold-rig.ts'

const KEYS = 8

const step = fc.record({ op: fc.constantFrom('get', 'set', 'delete', 'update', 'clear'), k: fc.nat(KEYS + 1) })
type Step = { readonly op: string; readonly k: number }

/** `mapEntriesMax`: the Map is a chain beyond that. */
function run(steps: readonly Step[], mapEntriesMax: number, cut: boolean): void {
  const rig = new Rig()
  rig.space.mapEntriesMax = mapEntriesMax
  const map = new TidemarkMap<string, unknown>(rig.collection(numbered(KEYS, n => ({ n }))))
  if (cut) rig.cut()
  const before: Entries = new Map(numbered(KEYS, n => ({ n })))
  const deleted = new Set<string>()
  let cleared = false
  const all = (): void => {
    for (const { op, k } of steps) {
      const key = `k${k}`
      if (op === 'delete') {
        if (!cleared && before.has(key)) deleted.add(key)
        map.delete(key)
      } else if (op === 'set') map.set(key, { n: -1 })
      else if (op === 'get') map.get(key)
      else if (op === 'update') map.update(key, value => (value === undefined ? value : void ((value as { n: number }).n = -2)))
      else if (k === 0) {
        cleared = true
        map.clear()
      }
    }
  }
  transaction(rig, all, 'rollback')
  const stayed = [...before.keys()].filter(key => !deleted.has(key as string))
  const want = [...stayed, ...deleted].map(key => [key, before.get(key)])
  assert.deepEqual([...map], want)
  // And what becomes durable is the same.
  if (cut) rig.commit()
  rig.checkpoint()
  const { collections, disk } = rig
  assert.deepEqual(disk.get(collections[0]?.id as number), before)
}

test('what a rolled-back transaction deleted comes last, in the order in which it went; all else stays where it was', () => {
  fc.assert(fc.property(fc.array(step, { maxLength: 20 }), fc.constantFrom(2, 5, 100), fc.boolean(), run), {
    seed: 1,
    numRuns: 300,
  })
})

test('a transaction that takes all entries one by one and fails leaves them in their order', () => {
  const rig = new Rig()
  const map = new TidemarkMap<string, unknown>(rig.collection(numbered(5, n => ({ n }))))
  const before = [...map]
  transaction(rig, () => [...map.keys()].forEach(key => void map.delete(key)), 'rollback')
  assert.deepEqual([...map], before)
})
