import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { isChain, lengthen, restOf, setIn } from './map-chain.ts'

type Step =
  | { readonly op: 'set' | 'delete' | 'get'; readonly key: number }
  | { readonly op: 'walk'; readonly pick: 'keys' | 'values' | 'entries' }
  | { readonly op: 'step'; readonly walk: number; readonly count: number }
  | { readonly op: 'clear' | 'forEach' | 'lengthen' }

const key = fc.oneof(fc.nat(12), fc.constantFrom(Number.NaN, -0, 0))
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 12, arbitrary: fc.record({ op: fc.constant('set' as const), key }) },
  { weight: 6, arbitrary: fc.record({ op: fc.constant('delete' as const), key }) },
  { weight: 3, arbitrary: fc.record({ op: fc.constant('get' as const), key }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('walk' as const), pick: fc.constantFrom('keys', 'values', 'entries') }) },
  { weight: 6, arbitrary: fc.record({ op: fc.constant('step' as const), walk: fc.nat(5), count: fc.integer({ min: 1, max: 3 }) }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constantFrom('clear' as const, 'forEach' as const, 'lengthen' as const) }) },
)

/** A Map with so few places, those of deleted entries included, as V8 has it: full ones are compacted where half of the places are free. */
class SmallMap<K, V> extends Map<K, V> {
  readonly places: number
  #deleted = 0

  constructor(places: number) {
    super()
    this.places = places
  }

  override set(key: K, value: V): this {
    if (!this.has(key) && this.size + this.#deleted >= this.places) {
      if (this.#deleted < this.places / 2) throw new RangeError('Map maximum size exceeded')
      this.#deleted = 0
    }
    return super.set(key, value)
  }

  override delete(key: K): boolean {
    const there = super.delete(key)
    if (there) this.#deleted++
    return there
  }
}

/** As an iterator of a collection walks: it begins over the Map, and goes on behind it when that became a chain. */
function* walkOf(map: Map<number, number>): Generator<[number, number]> {
  const began = isChain(map)
  yield* map.entries()
  if (!began) yield* restOf(map) ?? []
}

test('a chain is a Map: order, deletion and insertion, walks while it changes, size', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 6 }), fc.boolean(), fc.array(step, { maxLength: 120 }), (places, small, steps) => {
      const map: Map<number, number> = small ? new SmallMap(places) : new Map()
      const model = new Map<number, number>()
      const walks: [Iterator<unknown>, Iterator<unknown>][] = []
      let serial = 0
      for (const one of steps) {
        switch (one.op) {
          case 'set':
            serial++
            setIn(map, one.key, serial, places)
            if (!small && map.size >= places) lengthen(map, places)
            model.set(one.key, serial)
            break
          case 'delete':
            assert.equal(map.delete(one.key), model.delete(one.key))
            break
          case 'get':
            assert.equal(map.get(one.key), model.get(one.key))
            assert.equal(map.has(one.key), model.has(one.key))
            break
          case 'walk':
            walks.push([one.pick === 'entries' ? walkOf(map) : chained(map)[one.pick](), model[one.pick]()])
            break
          case 'step': {
            const walk = walks[one.walk % Math.max(1, walks.length)]
            for (let left = one.count; walk !== undefined && left > 0; left--) {
              const got = walk[0].next()
              const want = walk[1].next()
              assert.deepEqual({ done: got.done === true, value: got.value }, { done: want.done === true, value: want.value })
            }
            break
          }
          case 'clear':
            map.clear()
            model.clear()
            break
          case 'forEach': {
            const seen: [number, number][] = []
            map.forEach((value, at) => void seen.push([at, value]))
            assert.deepEqual(seen, [...model])
            break
          }
          case 'lengthen':
            lengthen(map, places)
        }
        assert.equal(map.size, model.size)
      }
      assert.deepEqual([...map], [...model])
      assert.deepEqual([...map.keys()], [...model.keys()])
      assert.deepEqual([...map.values()], [...model.values()])
      for (const [mine, others] of walks) {
        for (let want = others.next(); want.done !== true; want = others.next()) assert.deepEqual(mine.next().value, want.value)
        assert.equal(mine.next().done, true)
      }
    }),
    { numRuns: 1000 },
  )
})

/** Walks over keys and values alone are begun over a chain, or over a Map that stays one. */
function chained(map: Map<number, number>): Map<number, number> {
  lengthen(map, 1)
  return map
}

test('a Map that is not full stays one, and what it throws is passed on', () => {
  const map = new Map<number, number>()
  for (let at = 0; at < 100; at++) setIn(map, at, at)
  assert.equal(isChain(map), false)
  assert.equal(restOf(map), undefined)
  class Broken extends Map<number, number> {
    override set(): never {
      throw new RangeError('Maximum call stack size exceeded')
    }
  }
  const broken = new Broken()
  assert.throws(() => setIn(broken, 1, 1, 100), RangeError)
  assert.equal(isChain(broken), false)
})

test('an emptied piece is left out, and whoever walks in it finds the way', () => {
  const map = new Map<number, number>()
  const add = (from: number, to: number): void => {
    for (let at = from; at < to; at++) {
      setIn(map, at, at, 4)
      if (map.size >= 4) lengthen(map, 4)
    }
  }
  add(0, 16)
  const walk = map.keys()
  for (let at = 0; at < 6; at++) assert.equal(walk.next().value, at)
  for (let at = 0; at < 12; at++) map.delete(at)
  add(16, 20)
  assert.deepEqual([...walk], [12, 13, 14, 15, 16, 17, 18, 19])
})
