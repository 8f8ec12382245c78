import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Histogram } from '../base/histogram.ts'
import { tideCodec } from '../codec/index.ts'
import { Collection } from './collection.ts'
import { Links } from './links.ts'
import { Space } from './space.ts'

const space = new Space(new Histogram(), () => 0)
const made = (count: number): Collection[] =>
  Array.from({ length: count }, (_, n) => new Collection(space, `c${n}`, 'map', tideCodec, n + 1))
const names = (group: Iterable<Collection>): string =>
  [...group]
    .map(({ name }) => name)
    .sort()
    .join(' ')

test('collections that meet in a transaction are one group, until a cut takes them', () => {
  const [a, b, c, d] = made(4) as [Collection, Collection, Collection, Collection]
  const links = new Links()
  links.join(new Set([a]))
  assert.equal(names(links.of(a)), 'c0')
  links.join(new Set([a, b]))
  links.join(new Set([c, d]))
  assert.equal(names(links.of(a)), 'c0 c1')
  links.join(new Set([b, c]))
  for (const one of [a, b, c, d]) assert.equal(names(links.of(one)), 'c0 c1 c2 c3')
  assert.deepEqual(links.cut(new Set([a, b, c, d])), [], 'all were left out')
  assert.equal(names(links.of(a)), 'c0 c1 c2 c3')
  const taken = links.cut(new Set())
  assert.deepEqual(taken.map(names), ['c0 c1 c2 c3'])
  assert.equal(names(links.of(a)), 'c0')
  for (const group of taken) links.join(group)
  assert.equal(names(links.of(d)), 'c0 c1 c2 c3', 'the cut was lost')
})

test('a dropped collection binds nobody', () => {
  const [a, b, c] = made(3) as [Collection, Collection, Collection]
  const links = new Links()
  links.join(new Set([a, b]))
  b.dropped = true
  links.join(new Set([a, c]))
  assert.equal(names([...links.of(a)].filter(({ dropped }) => !dropped)), 'c0 c2')
  links.cut(new Set([a, c]))
  assert.equal(names(links.of(a)), 'c0 c2')
})

test('transactions that bring one more collection each take a few steps each, however many are in the group', () => {
  const all = made(3000)
  const links = new Links()
  let steps = 0
  const { add } = Set.prototype
  Set.prototype.add = function (value) {
    steps++
    return add.call(this, value)
  }
  try {
    for (const [n, collection] of all.entries()) if (n > 0) links.join(new Set([all[n - 1] as Collection, collection]))
  } finally {
    Set.prototype.add = add
  }
  assert.equal(links.of(all[0] as Collection).size, 3000)
  assert.equal(links.of(all[0] as Collection), links.of(all[2999] as Collection))
  // Two of them are in the set that `join` is given.
  assert.ok(steps < 6 * 3000, `${steps} steps`)
})

test('groups are what paths of transactions connect', () => {
  fc.assert(
    fc.property(fc.array(fc.uniqueArray(fc.nat({ max: 9 }), { minLength: 1, maxLength: 4 }), { maxLength: 15 }), transactions => {
      const all = made(10)
      const links = new Links()
      for (const changed of transactions) links.join(new Set(changed.map(n => all[n] as Collection)))
      for (const [n, collection] of all.entries()) {
        const reached = new Set([n])
        for (let size = 0; size !== reached.size; ) {
          size = reached.size
          for (const changed of transactions) if (changed.some(one => reached.has(one))) for (const one of changed) reached.add(one)
        }
        assert.equal(names(links.of(collection)), names([...reached].map(one => all[one] as Collection)))
      }
    }),
  )
})
