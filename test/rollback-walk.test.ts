/** Iterations that are open while a transaction is rolled back: they come to their end, and leave nothing out. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ITERATOR_KEYS_KEPT } from '../src/base/limits.ts'
import { TidemarkMap } from '../src/capture/index.ts'
import type { Key } from '../src/codec/index.ts'
import { numbered, Rig } from './support/capture-rig.ts'
import { begin, transaction } from './support/cold-rig.ts'

type Tested = { readonly rig: Rig; readonly map: TidemarkMap<Key, unknown> }

function plain(count: number): Tested {
  const rig = new Rig()
  return { rig, map: new TidemarkMap(rig.collection(numbered(count, n => ({ n })))) }
}

const worlds: Record<string, (count: number) => Tested> = {
  'in the heap': plain,
  stored: count => begin(count),
  'stored, some in the heap': count => begin(count, { home: ['k1', 'k3'] }),
  'larger than memory': count => begin(count, { evicts: true, home: ['k1', 'k3'] }),
}

/** The keys that a loop was given whose body is `body`; one without end fails. */
function looped({ map }: Tested, body: (key: Key) => void): Key[] {
  const given: Key[] = []
  for (const key of map.keys()) {
    given.push(key)
    assert.ok(given.length < 10_000, 'no end')
    body(key)
  }
  return given
}

for (const [name, make] of Object.entries(worlds)) {
  test(`a loop whose body takes each entry in a transaction that fails is given each once (${name})`, () => {
    const bodies: ((map: Tested['map'], key: Key) => void)[] = [
      (map, key) => void map.delete(key),
      (map, key) => void (map.delete(key) && map.set(key, 'tried')),
      (map, key) => void (map.set(`${key}-result`, 1) && map.delete(key)),
      map => [...map.keys()].forEach(key => void map.delete(key)),
      (map, key) => {
        map.delete(key)
        map.clear()
        map.set(key, 1)
      },
    ]
    for (const body of bodies) {
      const tested = make(5)
      const before = new Map(tested.map)
      const fresh = make(5)
      const given = looped(fresh, key => transaction(fresh.rig, () => body(fresh.map, key), 'rollback'))
      assert.deepEqual(given.toSorted(), ['k0', 'k1', 'k2', 'k3', 'k4'], String(body))
      assert.deepEqual(new Map(fresh.map), before)
    }
  })

  test(`a loop that takes entries in batches which fail is given each once (${name})`, () => {
    const tested = make(100)
    let batch: Key[] = []
    const given = looped(tested, key => {
      batch.push(key)
      if (batch.length < 10) return
      transaction(tested.rig, () => batch.forEach(one => void tested.map.delete(one)), 'rollback')
      batch = []
    })
    assert.equal(given.length, 100)
    assert.equal(new Set(given).size, 100)
  })

  test(`a loop that takes the next entry inside the transaction comes to its end (${name})`, () => {
    const { rig, map } = make(5)
    const walk = map.keys()
    const given: unknown[] = []
    for (let done = false; !done; ) {
      assert.ok(given.length < 100, 'no end')
      transaction(
        rig,
        () => {
          const step = walk.next()
          done = step.done === true
          if (step.done === true) return
          given.push(step.value)
          map.delete(step.value)
        },
        'rollback',
      )
    }
    assert.deepEqual(given.toSorted(), ['k0', 'k1', 'k2', 'k3', 'k4'])
  })
}

test('what was given long before a rollback that puts it back is given once more, and no more', () => {
  const tested = plain(ITERATOR_KEYS_KEPT + 10)
  const given = looped(tested, key => {
    if (key === `k${ITERATOR_KEYS_KEPT + 5}` || key === 'k0') transaction(tested.rig, () => void tested.map.delete('k0'), 'rollback')
    else if (key === 'k7') transaction(tested.rig, () => void tested.map.delete('k7'), 'rollback')
  })
  assert.equal(given.length, ITERATOR_KEYS_KEPT + 10)
  // From the first rollback on what came back is known for good; k1 was given before, and never came back.
  const later = plain(ITERATOR_KEYS_KEPT + 10)
  let rollbacks = 0
  const again = looped(later, key => {
    if (key !== `k${ITERATOR_KEYS_KEPT + 5}` && (key !== 'k1' || rollbacks === 0)) return
    rollbacks++
    transaction(later.rig, () => void later.map.delete('k1'), 'rollback')
  })
  assert.deepEqual(again.slice(-2), [`k${ITERATOR_KEYS_KEPT + 9}`, 'k1'])
  assert.equal(again.length, ITERATOR_KEYS_KEPT + 11)
  assert.equal(rollbacks, 2)
})

test('an entry that came after one of its key was given is another one, whatever a rollback does with it', () => {
  const { rig, map } = plain(4)
  const walk = map.keys()
  assert.equal(walk.next().value, 'k0')
  // The walk meets a rollback, then the key begins anew behind all others, and is taken by another one that fails.
  transaction(rig, () => void map.delete('k0'), 'rollback')
  assert.equal(walk.next().value, 'k1')
  map.delete('k0')
  map.set('k0', 'new')
  transaction(rig, () => void map.delete('k1'), 'commit')
  map.set('k1', 'new')
  transaction(rig, () => void (map.delete('k0') && map.delete('k1')), 'rollback')
  assert.deepEqual([...walk], ['k2', 'k3', 'k0', 'k1'])
  const other = plain(2)
  const first = other.map.keys()
  assert.equal(first.next().value, 'k0')
  other.map.delete('k0')
  other.map.set('k0', 'new')
  transaction(other.rig, () => void other.map.delete('k0'), 'rollback')
  assert.deepEqual([...first], ['k1', 'k0'])
})

for (const [name, make] of Object.entries(worlds)) {
  test(`an entry of a key that a loop was given inside a transaction which deleted it again is another one (${name})`, () => {
    for (const end of ['commit', 'rollback'] as const) {
      const { rig, map } = make(5)
      const walk = map.keys()
      for (let n = 0; n < 5; n++) walk.next()
      const within = (): void => {
        map.set('n', 1)
        assert.equal(walk.next().value, 'n')
        map.delete('n')
      }
      transaction(rig, within, end)
      map.set('n', 2)
      transaction(rig, () => void map.delete('n'), 'rollback')
      assert.deepEqual([...walk], ['n'], end)
    }
  })
}

for (const [name, make] of Object.entries(worlds)) {
  test(`an entry that a transaction puts in the place of one that had come back is given inside of it (${name})`, () => {
    for (const end of ['commit', 'rollback'] as const) {
      const { rig, map } = make(6)
      const walk = map.keys()
      const given = [1, 2, 3].map(() => walk.next().value)
      const key = given[2] as Key
      transaction(rig, () => void map.delete(key), 'rollback')
      const within = (): void => {
        map.delete(key)
        map.set(key, 'new')
        for (let n = 0; n < 4; n++) given.push(walk.next().value)
      }
      transaction(rig, within, end)
      given.push(...walk)
      assert.deepEqual([given.length, given.at(-1)], [7, key], end)
    }
  })
}

test('an entry of a key that a loop was given inside a transaction which failed is another one', () => {
  const { rig, map } = plain(1)
  const walk = map.keys()
  const given: unknown[] = [walk.next().value]
  const insert = (): void => {
    map.set('n', 1)
    map.set('m', 1)
    given.push(walk.next().value)
  }
  transaction(rig, insert, 'rollback')
  map.set('n', 2)
  transaction(rig, () => void map.delete('n'), 'rollback')
  assert.deepEqual([...given, ...walk], ['k0', 'n', 'n'])
})

test('what transactions insert and take away is listed for nobody who was given nothing inside of them', () => {
  const rig = new Rig()
  const collection = rig.collection(numbered(4, n => ({ n })))
  const map = new TidemarkMap<Key, unknown>(collection)
  const idle = map.keys()
  assert.equal(idle.next().value, 'k0')
  const failing = (inside: () => void): void => transaction(rig, inside, 'rollback')
  const listed = (inside: () => void): boolean => {
    const before = collection.returns?.newest
    assert.ok(before !== undefined)
    inside()
    return collection.returns?.newest !== before
  }
  const tries = (): void => {
    for (let n = 0; n < 3; n++) {
      failing(() => void map.set(`n${n}`, 1))
      transaction(rig, () => void map.set(`m${n}`, 1).delete(`m${n}`), 'commit')
    }
  }
  assert.equal(listed(tries), false)
  const given = (): unknown => map.set('n', 1) && idle.next().value
  assert.equal(
    listed(() => failing(() => assert.equal(given(), 'k1'))),
    true,
  )
  assert.equal(listed(tries), false, 'in one before')
  failing(() => void map.delete('k0'))
  assert.equal(idle.next().value, 'k2')
  assert.equal(listed(tries), false, 'met a rollback')
  assert.deepEqual([...idle], ['k3'])
})

interface Walk {
  readonly iterator: Iterator<Key>
  /** Entries, and how many deletes had counted by then. */
  readonly given: Map<number, number>
  readonly twice: Set<number>
  /** Keys, inside the transaction. */
  readonly inside: Set<Key>
  ended: boolean
}

const change = fc.record({ op: fc.constantFrom('set' as const, 'delete' as const, 'delete' as const), k: fc.nat(7) })
const step = fc.record({ op: fc.constant('step' as const), k: fc.nat(2), count: fc.integer({ min: 1, max: 4 }) })
const program = fc.array(
  fc.oneof(fc.record({ op: fc.constant('walk' as const) }), { weight: 5, arbitrary: step }, change, {
    weight: 3,
    arbitrary: fc.record({
      op: fc.constant('transaction' as const),
      changes: fc.array(fc.oneof({ weight: 4, arbitrary: change }, step), { maxLength: 4 }),
      end: fc.constantFrom('commit' as const, 'rollback' as const, 'rollback' as const),
    }),
  }),
  { maxLength: 60 },
)
type Step = { readonly op: 'step'; readonly k: number; readonly count: number }
type Change = { readonly op: 'set' | 'delete'; readonly k: number } | Step

/** Each entry is known by a number, which one that comes back keeps, and one that is inserted anew does not. */
class Checked {
  readonly #map: TidemarkMap<Key, unknown>
  readonly #rig: Rig
  #entries: Map<Key, number>
  #serial = 0
  /** That count, and those of a transaction, which may not. */
  #deletes = 0
  #going = 0
  #inside = false
  readonly #back = new Set<number>()
  readonly #walks: Walk[] = []

  constructor({ rig, map }: Tested) {
    this.#rig = rig
    this.#map = map
    this.#entries = new Map([...map.keys()].map(key => [key, this.#serial++]))
  }

  run(steps: typeof program extends fc.Arbitrary<infer T> ? T : never): void {
    for (const step of steps) {
      if (step.op === 'walk')
        this.#walks.push({ iterator: this.#map.keys(), given: new Map(), twice: new Set(), inside: new Set(), ended: false })
      else if (step.op !== 'transaction') this.#change(step)
      else this.#transaction(step.changes, step.end)
    }
    for (const walk of this.#walks) while (this.#step(walk));
  }

  #change(step: Change): void {
    const key = `k${step.k}`
    if (step.op === 'step') {
      const walk = this.#walks[step.k % Math.max(1, this.#walks.length)]
      for (let n = 0; n < step.count && walk !== undefined; n++) if (!this.#step(walk)) break
      return
    }
    if (step.op === 'delete') {
      assert.equal(this.#map.delete(key), this.#entries.delete(key))
      this.#going++
      if (!this.#inside) this.#went('commit')
      return
    }
    this.#map.set(key, this.#serial)
    if (!this.#entries.has(key)) this.#entries.set(key, this.#serial++)
  }

  #transaction(changes: readonly Change[], end: 'commit' | 'rollback'): void {
    const before = new Map(this.#entries)
    this.#inside = true
    for (const { inside } of this.#walks) inside.clear()
    const all = (): void => changes.forEach(one => void this.#change(one))
    transaction(this.#rig, all, end)
    this.#inside = false
    this.#went(end)
    if (end === 'commit') return
    for (const [key, entry] of before) if (this.#entries.get(key) !== entry) this.#back.add(entry)
    this.#entries = before
    // What was given inside counts as given, though it was put in the place of what comes back.
    for (const { inside, given } of this.#walks) {
      for (const key of inside) {
        const entry = before.get(key)
        if (entry !== undefined && !given.has(entry)) given.set(entry, this.#deletes)
      }
    }
  }

  #went(end: 'commit' | 'rollback'): void {
    if (end === 'commit') this.#deletes += this.#going
    this.#going = 0
  }

  #step(walk: Walk): boolean {
    const { iterator, given, twice } = walk
    const step = iterator.next()
    if (step.done === true) {
      // One that is at its end stays there, whatever comes.
      if (!walk.ended) for (const [key, entry] of this.#entries) assert.ok(given.has(entry), `${key} was left out`)
      walk.ended = true
      return false
    }
    const entry = this.#entries.get(step.value)
    assert.ok(entry !== undefined, `${step.value} is not there`)
    const then = given.get(entry)
    if (then !== undefined) {
      assert.ok(this.#back.has(entry) && then < this.#deletes && !twice.has(entry), `${step.value} was given twice`)
      twice.add(entry)
    }
    given.set(entry, this.#deletes)
    walk.inside.add(step.value)
    return true
  }
}

for (const [name, make] of Object.entries(worlds)) {
  test(`walks beside random rollbacks give each entry, and a second time only what was deleted (${name})`, () => {
    fc.assert(
      fc.property(program, steps => new Checked(make(6)).run(steps)),
      { seed: 1, numRuns: 300 },
    )
  })
}
