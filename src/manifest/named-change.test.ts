import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { BaseRange, Manifest, SegmentEntry } from '../format/index.ts'
import { Named, namedChange } from './named-change.ts'

const young = (n: number) => ({ file: `y${n}` }) as unknown as SegmentEntry
const range = (n: number) => ({ through: n }) as unknown as BaseRange
const manifest = (youngs: readonly SegmentEntry[], base: readonly BaseRange[], epoch = 0) =>
  ({ young: youngs, base, fold: epoch === 0 ? null : { epoch, catalogue: [] } }) as unknown as Manifest

test('whatever comes and goes, who takes each change has the lists of the newest manifest', () => {
  const pool = Array.from({ length: 12 }, (_, n) => n)
  const [youngs, ranges] = [pool.map(young), pool.map(range)]
  const list = fc.subarray(pool)
  fc.assert(
    fc.property(fc.array(fc.tuple(list, list, fc.nat(3)), { maxLength: 10 }), lists => {
      const named = new Named()
      let before: Manifest | undefined
      lists.forEach(([some, others, epoch], at) => {
        const next = manifest(
          some.map(n => youngs[n] as SegmentEntry),
          others.map(n => ranges[n] as BaseRange),
          epoch,
        )
        // As it crosses a thread: nothing keeps its identity.
        const got = named.take(structuredClone(namedChange(at + 1, before, next)))
        assert.deepEqual(got, { young: next.young, base: next.base, fold: next.fold === null ? null : { epoch } })
        before = next
      })
    }),
  )
})

test('of very many ranges a fold, and the merge of one, send what is new and no more; the first change is whole', () => {
  const base = Array.from({ length: 9000 }, (_, n) => range(n))
  const first = manifest([young(1)], base, 1)
  assert.equal(namedChange(1, undefined, first).base.come.length, 9000)
  const folded = manifest([young(2), ...first.young], base, 2)
  const fold = namedChange(2, first, folded)
  assert.deepEqual([fold.young, fold.base.come.length, fold.base.gone], [{ at: 0, gone: 0, come: [young(2)] }, 0, 0])
  const merged = manifest(folded.young, base.toSpliced(4000, 1, range(-1), range(-2)), 2)
  const merge = namedChange(3, folded, merged)
  assert.deepEqual([merge.young.come, merge.base], [[], { at: 4000, gone: 1, come: [range(-1), range(-2)] }])
})

test('a change that was missed is a broken invariant, and nothing is taken for named that may not be', () => {
  const named = new Named()
  const [one, two, three] = [manifest([young(1)], [range(1)]), manifest([young(2)], [range(1)]), manifest([young(3)], [range(1)])]
  named.take(namedChange(1, undefined, one))
  assert.throws(() => named.take(namedChange(3, two, three)), { code: 'TIDEMARK_BUG' })
  assert.throws(() => named.take(namedChange(1, undefined, one)), { code: 'TIDEMARK_BUG' })
  assert.deepEqual(named.take(namedChange(2, one, two)).young, [young(2)])
})
