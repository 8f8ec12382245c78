import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { RetainedNames } from './retained-names.ts'

test('a file that one of the kept manifests names is had, and one that lies between none of them is not', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(30), fc.nat(12)), { maxLength: 20 }), fc.infiniteStream(fc.nat(5)), (spans, chance) => {
      const names = new RetainedNames()
      const namesOf = (number: number): string[] =>
        spans.flatMap(([first, length], at) => (number >= first && number <= first + length ? [`${at}`] : []))
      let kept: number[] = []
      for (let number = 0; number < 40; number++) {
        kept = [...kept, number].filter(() => chance.next().value !== 0)
        for (const one of kept) if (!names.knows(one)) names.add(one, namesOf(one))
        names.keep(kept)
        const expected = new Set(kept.flatMap(namesOf))
        for (const at of spans.keys()) assert.equal(names.has(`${at}`), expected.has(`${at}`))
      }
    }),
  )
})

test('what a fork brought back stays for as long as one that names it, also where one between them does without; one that cannot be read is asked for again', () => {
  const names = new RetainedNames()
  names.add(1, ['a'])
  names.add(2, [])
  names.add(3, undefined)
  names.add(5, ['a'])
  assert.deepEqual([names.knows(2), names.knows(3)], [true, false])
  names.keep([1, 2])
  assert.equal(names.has('a'), true)
  names.keep([])
  assert.equal(names.has('a'), false)
})
