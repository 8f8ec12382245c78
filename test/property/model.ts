/**
 * The model: plain Maps, and a whole copy of them at every barrier.
 *
 * Owns: what the state is, what it was at each barrier, and which of these copies a restart may bring back. Does not own: the program.
 * A value that cannot be stored keeps what the key had on disk. That may be what it was at any time since the last epoch, when it was
 * captured before the barrier or by a cut that moved; so a key has a list of values it may come back with, nearly always of one.
 */
import assert from 'node:assert/strict'
import { isDeepStrictEqual } from 'node:util'
import type { CheckpointPoint } from '../../src/checkpoint/index.ts'
import { compareKeys, type Key } from '../../src/codec/index.ts'
import { copyOf, Unstorable } from './values.ts'

export type Kind = 'map' | 'value'
const ABSENT = Symbol('absent')

export interface ModelCollection {
  readonly kind: Kind
  /** The same Map for as long as the collection lives, as its iterators expect. */
  readonly entries: Map<Key, unknown>
  incarnation: number
}

interface CopiedCollection {
  readonly kind: Kind
  readonly incarnation: number
  readonly allowed: ReadonlyMap<Key, readonly unknown[]>
}

/** What is found under a name; `allowed` is what may be. */
type EntriesOf = (name: string, allowed: CopiedCollection['allowed']) => ReadonlyMap<Key, unknown>

export interface Copy {
  readonly epoch: number
  readonly time: number
  /** Changes of the model made before it. */
  readonly changes: number
  readonly entries: number
  readonly refused: readonly string[]
  readonly collections: ReadonlyMap<string, CopiedCollection>
  voided: boolean
  /** A restart found it. */
  readonly found?: boolean
}

const EMPTY: Copy = { epoch: 0, time: 0, changes: 0, entries: 0, refused: [], collections: new Map(), voided: false }

export class Model {
  readonly collections = new Map<string, ModelCollection>()
  changes = 0
  /** The object that a call under way sets: whoever is told something inside it finds it changed already. */
  writing: { readonly name: string; readonly key: Key; readonly value: unknown } | undefined
  /** The newest one known to be durable. */
  acked: Copy = EMPTY
  /** What the epoch under way builds on: the acknowledged one, or what the last restart found beyond it. */
  #base: Copy = EMPTY
  /** What may be durable beyond the acknowledged one, oldest first. */
  copies: Copy[] = []
  /** Of each epoch of this history. */
  readonly history = new Map<number, Copy>()
  /** Where an open that was to go back failed, the store may have gone back all the same. */
  #maybe: Copy[] = []
  /** What a writer that was overtaken was about to write: while the new one has committed nothing it counts, if it comes to the disk. */
  #leftOver: Copy[] = []
  #incarnations = 0
  /** What keys were set to since the last epoch. */
  #past: { readonly changes: number; readonly name: string; readonly incarnation: number; readonly key: Key; readonly value: unknown }[] =
    []
  /** Where the copies of the attempt under way begin. */
  #attempt = 0

  collection(name: string, kind: Kind): ModelCollection {
    let collection = this.collections.get(name)
    if (collection === undefined) {
      collection = { kind, entries: new Map(), incarnation: ++this.#incarnations }
      this.collections.set(name, collection)
    }
    return collection
  }

  set(name: string, key: Key, value: unknown): void {
    this.changes++
    const copy = copyOf(value)
    this.collections.get(name)?.entries.set(key, copy)
    this.#remember(name, key, copy)
  }

  delete(name: string, key: Key): boolean {
    this.changes++
    this.#remember(name, key, ABSENT)
    return this.collections.get(name)?.entries.delete(key) ?? false
  }

  #remember(name: string, key: Key, value: unknown): void {
    const incarnation = this.collections.get(name)?.incarnation ?? 0
    // As a Map does: -0 is 0.
    if (!(value instanceof Unstorable)) this.#past.push({ changes: this.changes, name, incarnation, key: key === 0 ? 0 : key, value })
  }

  clear(name: string): void {
    this.changes++
    const collection = this.collections.get(name)
    if (collection === undefined || collection.entries.size === 0) return
    collection.entries.clear()
    collection.incarnation = ++this.#incarnations
  }

  drop(name: string): void {
    this.changes++
    this.collections.delete(name)
  }

  /** Everything as it is now, to go back to. Returns what puts it back, and names the collections whose order may differ then. */
  save(): () => void {
    const saved = [...this.collections].map(([name, { entries, incarnation }]) => ({ name, entries: [...entries], incarnation }))
    return () => {
      this.changes++
      for (const { name, entries, incarnation } of saved) {
        const collection = this.collections.get(name) as ModelCollection
        collection.entries.clear()
        for (const [key, value] of entries) collection.entries.set(key, value)
        collection.incarnation = incarnation
      }
    }
  }

  // ---- what the store says

  barrier(epoch: number, time: number): void {
    this.copies.push(this.copy(epoch, time))
  }

  /** The whole state now, as a barrier of this epoch would fix it. */
  copy(epoch: number, time = 0): Copy {
    const voidedBefore = this.copies.slice(this.#attempt).filter(copy => copy.voided && copy.epoch === epoch)
    const refused: string[] = []
    const collections = new Map<string, CopiedCollection>()
    let count = 0
    for (const [name, { kind, entries, incarnation }] of this.collections) {
      const before = [this.#base, ...voidedBefore].map(copy => copy.collections.get(name))
      const allowed = new Map<Key, readonly unknown[]>()
      for (const [key, value] of entries) {
        count++
        if (!(value instanceof Unstorable)) {
          allowed.set(key, [value])
          continue
        }
        refused.push(`${name}/${show(key)}`)
        const past = this.#past.filter(at => at.name === name && at.incarnation === incarnation && Object.is(at.key, key))
        const kept = [
          ...before.flatMap(at => (at?.incarnation === incarnation ? (at.allowed.get(key) ?? [ABSENT]) : [ABSENT])),
          ...past.map(({ value: was }) => was),
        ]
        // Not through a Set, to which -0 is 0.
        allowed.set(
          key,
          kept.filter((value, at) => kept.findIndex(other => Object.is(value, other)) === at),
        )
      }
      // A key refused before and gone now needs no entry: its tombstone is written.
      collections.set(name, { kind, incarnation, allowed })
    }
    return { epoch, time, changes: this.changes, entries: count, refused: refused.sort(), collections, voided: false }
  }

  /** Whether what was there at the copy is durable: by count, or, where nothing remains of the changes in between, by content. */
  durable(copy: Copy): boolean {
    const base = this.#base
    if (base.changes >= copy.changes) return true
    const names = new Map([...base.collections].map(([name, { kind }]) => [name, kind]))
    const contentOf = (name: string): Map<Key, unknown> =>
      new Map(
        [...(base.collections.get(name)?.allowed ?? [])]
          // Refused, and nothing is stored of it.
          .filter(([, wanted]) => wanted.some(value => value !== ABSENT))
          .map(([key, [value]]) => [key, value]),
      )
    return differences(copy, names, contentOf).length === 0
  }

  /** A barrier of a writer that was overtaken, in the state that it had then. */
  leftOver(copy: Copy): void {
    this.#leftOver.push(copy)
  }

  voided(): void {
    const last = this.copies.at(-1)
    assert.ok(last !== undefined && !last.voided, 'a void without a barrier before it')
    last.voided = true
  }

  /** The epoch under way failed: none of its records will count. */
  failed(): void {
    this.#attempt = this.copies.length
  }

  committed(point: CheckpointPoint): Copy {
    const copy = this.copies.at(-1)
    assert.ok(copy !== undefined && copy.epoch === point.epoch && !copy.voided, `epoch ${point.epoch} was acknowledged without its barrier`)
    assert.equal(point.epoch, this.#base.epoch + 1, 'epochs rise by one')
    assert.equal(point.time, copy.time, 'the time of the barrier')
    assert.equal(point.entries, copy.entries, 'live entries at the barrier')
    assert.deepEqual(point.refused.map(({ collection, key }) => `${collection}/${show(key)}`).sort(), copy.refused, 'what was refused')
    this.#past = this.#past.filter(at => at.changes > copy.changes)
    this.acked = copy
    this.#leftOver = []
    this.history.set(copy.epoch, copy)
    this.#base = copy
    this.copies = []
    this.#attempt = 0
    return copy
  }

  // ---- comparing

  /** An open begins that is to go back to this epoch. */
  goesBack(epoch: number): void {
    const copy = epoch === 0 ? EMPTY : this.history.get(epoch)
    if (copy !== undefined) this.#maybe.push(copy)
  }

  /** It did. */
  wentBack(epoch: number): void {
    const back = this.#maybe.findLast(copy => copy.epoch === epoch)
    this.#maybe = []
    // Or it went where it was, perhaps to what nobody was told of.
    if (back === undefined) return
    this.acked = back
    this.copies = []
  }

  /** What is wrong with a recovery point; whatever is listed was the state once. */
  wrongAt(epoch: number, names: ReadonlyMap<string, Kind>, entriesOf: EntriesOf): string[] {
    const copy = epoch === 0 ? EMPTY : this.history.get(epoch)
    const others = [...this.copies, ...this.#leftOver, ...this.#maybe].filter(other => other.epoch === epoch)
    const candidates = copy === undefined ? others : [copy, ...others]
    let first: string[] | undefined
    for (const candidate of candidates) {
      const problems = differences(candidate, names, entriesOf)
      if (problems.length === 0) return []
      first ??= problems
    }
    return first ?? [`epoch ${epoch} never was`]
  }

  /** The process died and came back with this: it must be the copy of an epoch acknowledged, or cut and perhaps durable. */
  restarted(epoch: number, names: ReadonlyMap<string, Kind>, entriesOf: (name: string) => ReadonlyMap<Key, unknown>): void {
    const back = this.#maybe.filter(copy => copy.epoch === epoch)
    const latest =
      epoch === this.acked.epoch ? [this.acked] : [...this.copies, ...this.#leftOver].filter(copy => copy.epoch === epoch && !copy.voided)
    const candidates = [...latest, ...back]
    assert.ok(
      candidates.length > 0,
      `restored epoch ${epoch}; acknowledged ${this.acked.epoch}, cut since: ${this.copies.map(copy => copy.epoch).join(' ')}`,
    )
    const problems = candidates.map(copy => differences(copy, names, entriesOf))
    const match = problems.findIndex(list => list.length === 0)
    assert.ok(match >= 0, `epoch ${epoch} is not what it was at its barrier:\n${problems[0]?.slice(0, 8).join('\n')}`)
    const matched = candidates[match] as Copy
    const isBack = match >= latest.length
    const exact = new Map<string, CopiedCollection>()
    this.collections.clear()
    this.#past = []
    for (const [name, { kind }] of matched.collections) {
      if (!names.has(name)) continue
      const collection = this.collection(name, kind)
      const keys = [...entriesOf(name).keys()]
      assert.deepEqual(keys, keys.toSorted(compareKeys), `order of keys in '${name}' after a restart`)
      for (const [key, value] of entriesOf(name)) collection.entries.set(key, copyOf(value))
      const allowed = new Map([...collection.entries].map(([key, value]) => [key, [value]]))
      exact.set(name, { kind, incarnation: collection.incarnation, allowed })
    }
    // One that was found before, and built upon, and never acknowledged: it is what is left when the later one turns out not to be durable.
    const doubtful = isBack ? [] : this.copies.filter(copy => copy.found === true && copy.epoch < matched.epoch)
    this.#base = { ...matched, collections: exact, changes: ++this.changes, found: true }
    // What was found beyond the acknowledged epoch may be in the page cache alone, and is not acknowledged by being found.
    if (matched === this.acked || isBack) this.acked = this.#base
    this.#maybe = []
    this.#leftOver = []
    for (const later of [...this.history.keys()]) if (later > epoch) this.history.delete(later)
    this.history.set(epoch, this.#base)
    this.copies = this.acked === this.#base ? [] : [...doubtful, this.#base]
    this.#attempt = this.copies.length
  }

  /** Takes over the order of keys, which the rollback of a deletion may have changed; the keys are the same. */
  reorder(name: string, keys: readonly Key[]): void {
    const { entries } = this.collections.get(name) as ModelCollection
    const before = new Map(entries)
    assert.equal(keys.length, before.size, `size of '${name}' after a rollback`)
    entries.clear()
    for (const key of keys) {
      assert.ok(before.has(key), `'${name}' has the key ${show(key)} too many after a rollback`)
      entries.set(key, before.get(key))
    }
  }

  /** The living store is what the model is, in the same order where entries stay in the heap. */
  same(name: string, entries: ReadonlyMap<Key, unknown>, inOrder: boolean): void {
    const collection = this.collections.get(name) as ModelCollection
    assert.equal(entries.size, collection.entries.size, `size of '${name}'`)
    const expected = collection.entries.keys()
    for (const [key, value] of entries) {
      const wantKey = inOrder ? (expected.next().value as Key) : key
      assert.ok(Object.is(key, wantKey), `order of '${name}': ${show(key)} where a Map has ${show(wantKey)}`)
      assert.ok(collection.entries.has(key), `'${name}' has the key ${show(key)} too many`)
      this.assertValue(name, key, value)
    }
  }

  /** What the living store gives for a key, undefined where it has none; what cannot be stored is not known. */
  assertValue(name: string, key: Key, value: unknown): void {
    const want = this.collections.get(name)?.entries.get(key)
    if (want instanceof Unstorable || isDeepStrictEqual(value, want)) return
    const { writing } = this
    if (writing?.name === name && Object.is(writing.key, key) && writing.value === value) return
    assert.fail(`'${name}', ${show(key)}: gives ${print(value)}, a Map has ${print(want)}`)
  }
}

function differences(copy: Copy, names: ReadonlyMap<string, Kind>, entriesOf: EntriesOf): string[] {
  const problems: string[] = []
  for (const [name, kind] of names) if (copy.collections.get(name)?.kind !== kind) problems.push(`'${name}' (${kind}) should not be there`)
  for (const [name, { allowed }] of copy.collections) {
    if (!names.has(name)) {
      // A collection that was made and never filled need not be durable.
      if ([...allowed.values()].some(wanted => !wanted.includes(ABSENT))) problems.push(`'${name}' is missing`)
      continue
    }
    const entries = entriesOf(name, allowed)
    for (const [key, value] of entries) {
      const wanted = allowed.get(key)
      if (wanted === undefined) problems.push(`'${name}', ${show(key)}: should be absent, is ${print(value)}`)
      else if (!wanted.some(want => want !== ABSENT && isDeepStrictEqual(value, want))) {
        problems.push(`'${name}', ${show(key)}: is ${print(value)}, was ${wanted.map(print).join(' or ')}`)
      }
    }
    for (const [key, wanted] of allowed) {
      if (!entries.has(key) && !wanted.includes(ABSENT))
        problems.push(`'${name}', ${show(key)}: is missing, was ${wanted.map(print).join(' or ')}`)
    }
  }
  return problems
}

export function show(key: unknown): string {
  return typeof key === 'bigint' ? `${key}n` : typeof key === 'string' ? JSON.stringify(key) : String(key)
}

function print(value: unknown): string {
  if (typeof value === 'symbol') return 'absent'
  if (typeof value !== 'object' || value === null) return Object.is(value, -0) ? '-0' : show(value)
  const { pad, ...rest } = value as { pad?: unknown }
  const text = JSON.stringify(rest, (_, inner: unknown) => (typeof inner === 'bigint' ? `${inner}n` : inner))
  return pad === undefined ? text : `${text} padded`
}
