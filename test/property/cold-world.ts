/**
 * A collection with cold entries beside a plain Map: every operation is done to both, and every answer compared.
 *
 * Owns: the model, what was handed out, the open walks, the states of epochs. Does not own: which operations come (cold-program.ts).
 */
import assert from 'node:assert/strict'
import { isDeepStrictEqual } from 'node:util'
import { type Collection, Eviction, TidemarkMap, Transaction } from '../../src/capture/index.ts'
import { Journal } from '../../src/capture/journal.ts'
import { compareKeys, type Key } from '../../src/codec/index.ts'
import { copyOf, type Entries, Rig } from '../support/capture-rig.ts'
import { FakeCold } from '../support/fake-cold.ts'
import type { Start, Step } from './cold-program.ts'
import { KEYS, madeOf } from './cold-program.ts'

const PICKS = ['keys', 'entries', 'scan'] as const

interface Walk {
  readonly iterator: Iterator<unknown>
  readonly pick: (typeof PICKS)[number]
  readonly given: Set<string>
  /** Given, and put back by a rollback since: once more, where something was deleted in between, and no more. */
  readonly back: Map<string, 'due' | 'given'>
}

export class ColdWorld {
  readonly rig = new Rig()
  readonly cold: FakeCold
  readonly collection: Collection
  readonly map: TidemarkMap<Key, unknown>
  readonly #eviction: Eviction
  readonly #evicts: boolean
  /** The incarnation whose entries are cold. */
  readonly #id: number
  #model: Entries
  /** How often a key came to be. */
  #births = new Map<Key, number>()
  #held = new Map<Key, object>()
  #walks: Walk[] = []
  #atCut: { readonly id: number; readonly entries: Entries } | undefined
  /** States after epochs later than the stored one. */
  #states: { readonly epoch: number; readonly entries: Entries }[] = []
  #serial = 0

  constructor({ stored, home, lies, evicts }: Start) {
    const entries: Entries = new Map(stored.map(k => [KEYS[k] as Key, madeOf(k, k)]))
    this.cold = new FakeCold(entries, lies)
    // Every other collection has more entries than a Map takes.
    if (stored.length % 2 === 0) this.rig.space.mapEntriesMax = 1 + (stored.length % 5)
    this.#evicts = evicts
    this.collection = this.rig.cold(
      this.cold,
      entries,
      evicts,
      home.map(k => KEYS[k] as Key),
    )
    this.#id = this.collection.id
    this.map = new TidemarkMap(this.collection)
    this.#eviction = new Eviction(this.collection)
    this.rig.space.enters = (_collection, key, _value, came) => {
      if (this.#serial % 3 === 0) this.#eviction.run(1 + (this.#serial % 5))
      if (came) this.#eviction.cameHome(key)
    }
    this.#model = copyOf(entries)
  }

  do(step: Step): void {
    const key = KEYS[step.k % KEYS.length] as Key
    switch (step.op) {
      case 'cut':
        if (this.rig.capture !== undefined) return
        this.#cut()
        return
      case 'slice':
        this.rig.slice()
        return
      case 'commit':
        if (this.rig.capture !== undefined) this.#commit()
        return
      case 'fail':
        if (this.rig.capture !== undefined) this.rig.fail()
        return
      case 'void':
        if (this.rig.space.capture === undefined) return
        this.rig.void()
        this.#cut()
        return
      case 'home':
        // Bytes come home; only then is the stored state exact without the disk.
        this.cold.atHome = true
        return
      case 'saturate':
        // As after a hundred thousand sets.
        this.collection.saturated = true
        this.collection.journal = new Journal()
        return
      case 'giant':
        // As once it had a record so large.
        this.rig.space.giants.recorded(this.collection.id, this.collection.name, key, 1e6)
        return
      case 'exchange':
        this.#exchange(step.v)
        return
      case 'evict':
        // As its owner does now and then, with room to spare.
        if (step.v % 3 === 0) this.#eviction.renew()
        this.#eviction.run(1 + (step.v % 40))
        return
      case 'walk':
        if (this.#walks.length < 4) {
          const pick = PICKS[step.v % 3] as Walk['pick']
          this.#walks.push({ iterator: this.map[pick](), pick, given: new Set(), back: new Map() })
        }
        return
      case 'step':
        this.#step(step.k, 1 + (step.v % 5))
        return
      case 'transaction':
        this.#transaction(step.steps ?? [], step.v % 2 === 0)
        return
      default:
        this.#touch(step.op, key, step.v)
        return
    }
  }

  /** Everything comes to an end, and all of it is right. */
  end(): void {
    if (this.rig.capture !== undefined) this.#commit()
    for (let walk = 0; this.#walks.length > 0; walk++) this.#step(walk, 100)
    this.#cut()
    this.#commit()
    this.#whole()
    assert.equal(this.map.size, this.#model.size)
  }

  // ---- operations on a key

  #touch(op: Step['op'], key: Key, v: number): void {
    const { map } = this
    switch (op) {
      case 'set':
        this.#set(key, madeOf(v, ++this.#serial))
        return
      case 'refused':
        this.#set(key, refusedValue)
        return
      case 'get':
        this.#same(key, map.get(key))
        return
      case 'mutate': {
        const value = map.get(key)
        this.#same(key, value)
        if (typeof value !== 'object' || value === null) return
        ;(value as { n: number }).n = ++this.#serial
        map.set(key, value)
        this.#model.set(key, { n: this.#serial })
        return
      }
      case 'update': {
        const serial = ++this.#serial
        const was = this.#model.get(key)
        const place = typeof was === 'object' && was !== null
        map.update(key, value => {
          this.#same(key, value)
          if (place) (value as { n: number }).n = serial
          return place ? undefined : serial
        })
        if (!place) this.#held.delete(key)
        this.#bear(key)
        this.#model.set(key, place ? { n: serial } : serial)
        return
      }
      case 'has':
        assert.equal(map.has(key), this.#model.has(key), 'has')
        return
      case 'delete':
        assert.equal(map.delete(key), this.#model.delete(key), 'delete')
        this.#held.delete(key)
        return
      case 'size':
        assert.ok(this.collection.sizeMax >= this.#model.size, 'an upper bound')
        assert.equal(map.size, this.#model.size, 'size')
        assert.equal(this.collection.sizeMax, this.#model.size, 'resolved')
        return
      case 'clear':
        map.clear()
        this.#model.clear()
        this.#held.clear()
        return
      case 'whole':
        this.#whole()
        return
    }
  }

  #set(key: Key, value: unknown): void {
    this.map.set(key, value)
    this.#held.delete(key)
    this.#bear(key)
    this.#model.set(key, value === refusedValue ? value : structuredClone(value))
    if (typeof value === 'object' && value !== null) this.#held.set(key, value)
  }

  #bear(key: Key): void {
    if (!this.#model.has(key)) this.#births.set(key, (this.#births.get(key) ?? 0) + 1)
  }

  /** What a scan gives is what the model has; an object of which somebody knows is given itself. */
  #like(key: Key, value: unknown): void {
    const want = this.#model.get(key)
    assert.ok(isDeepStrictEqual(value, want), `${String(key)} is scanned as ${JSON.stringify(value)}, should be ${JSON.stringify(want)}`)
    const held = this.#held.get(key)
    if (held !== undefined) assert.equal(value, held, `${String(key)}: a second object`)
  }

  /** What was handed out is what the model has, and the object that was handed out before. */
  #same(key: Key, value: unknown): void {
    const want = this.#model.get(key)
    assert.ok(isDeepStrictEqual(value, want), `${String(key)} is ${JSON.stringify(value)}, should be ${JSON.stringify(want)}`)
    if (typeof value !== 'object' || value === null) return
    const held = this.#held.get(key)
    if (held !== undefined) assert.equal(value, held, `${String(key)}: a second object`)
    this.#held.set(key, value)
  }

  // ---- iteration

  /** All at once: cold keys in the order of their bytes, then the live ones in the order of their Map. */
  #whole(): void {
    const { live } = this.collection
    const cold = [...this.#model.keys()].filter(key => !live.has(key)).sort(compareKeys)
    const order = [...cold, ...live.keys()]
    assert.deepEqual([...this.map.keys()], order, 'order of keys')
    const keys: Key[] = []
    const evicted = this.collection.cold?.stats().evicted
    for (const [key, value] of this.map) {
      this.#same(key, value)
      keys.push(key)
    }
    // What leaves to make room for what comes is met at another place.
    if (this.collection.cold?.stats().evicted === evicted) assert.deepEqual(keys, order, 'order of entries')
    assert.deepEqual([...keys].sort(compareKeys), order.sort(compareKeys), 'entries')
    assert.deepEqual(new Map(this.map), this.#model)
  }

  #birth(key: Key): string {
    return `${typeof key} ${String(key)} ${this.#births.get(key) ?? 0}`
  }

  #step(which: number, count: number): void {
    if (this.#walks.length === 0) return
    const at = which % this.#walks.length
    const { iterator, pick, given, back } = this.#walks[at] as Walk
    const birth = (key: Key): string => this.#birth(key)
    for (let n = 0; n < count; n++) {
      const result = iterator.next()
      if (result.done === true) {
        for (const key of this.#model.keys()) assert.ok(given.has(birth(key)), `a walk passed ${String(key)} over`)
        this.#walks.splice(at, 1)
        return
      }
      const key = (pick === 'keys' ? result.value : (result.value as [Key])[0]) as Key
      assert.ok(this.#model.has(key), `a walk gave ${String(key)}, which is not there`)
      if (given.has(birth(key))) {
        assert.equal(back.get(birth(key)), 'due', `a walk gave ${String(key)} twice`)
        back.set(birth(key), 'given')
      }
      given.add(birth(key))
      if (pick === 'entries') this.#same(key, (result.value as [Key, unknown])[1])
      if (pick === 'scan') this.#like(key, (result.value as [Key, unknown])[1])
    }
  }

  // ---- transactions

  #transaction(steps: readonly Step[], commit: boolean): void {
    const { space } = this.rig
    const model = copyOf(this.#model)
    const births = new Map(this.#births)
    const transaction = new Transaction()
    space.transaction = transaction
    space.refresh()
    const gone = new Set<Key>()
    let cleared = false
    for (const step of steps) {
      const key = KEYS[step.k % KEYS.length] as Key
      if (step.op === 'delete' && !cleared && model.has(key)) gone.add(key)
      if (step.op === 'clear') cleared = true
      this.#touch(step.op, key, step.v)
    }
    let refused = false
    try {
      if (commit) {
        transaction.validate()
        transaction.succeeded()
      }
    } catch {
      refused = true
    }
    if (!commit || refused) {
      transaction.rollback()
      this.#model = model
      this.#births = births
      for (const { given, back } of this.#walks) {
        for (const key of gone) if (given.has(this.#birth(key)) && !back.has(this.#birth(key))) back.set(this.#birth(key), 'due')
      }
      this.#held.clear()
    }
    const voided = space.capture === undefined && this.rig.capture !== undefined && this.rig.voids.length > this.#voidsSeen
    this.#voidsSeen = this.rig.voids.length
    space.transaction = undefined
    space.refresh()
    if (voided) {
      this.rig.capture?.giveBack(false)
      this.#cut()
    }
  }
  #voidsSeen = 0

  // ---- epochs

  #cut(): void {
    this.#voidsSeen = this.rig.voids.length
    this.rig.cut()
    this.#atCut = { id: this.collection.id, entries: copyOf(this.#model) }
  }

  #commit(): void {
    const { rig } = this
    rig.commit()
    const { id, entries } = this.#atCut as { id: number; entries: Entries }
    const disk = rig.disk.get(id) ?? new Map()
    for (const [key, value] of entries) {
      if (value !== refusedValue) assert.ok(disk.has(key) && isDeepStrictEqual(disk.get(key), value), `${String(key)} on the disk`)
    }
    for (const key of disk.keys()) assert.ok(entries.has(key), `${String(key)} is on the disk and should be gone`)
    if (id === this.#id) this.#states.push({ epoch: rig.committed, entries: copyOf(disk) })
  }

  /** The writer has folded up to some epoch, and its image takes the place of the one before. */
  #exchange(v: number): void {
    if (!this.#evicts || this.#states.length === 0 || this.collection.cold === undefined) return
    const at = v % this.#states.length
    const { epoch, entries } = this.#states[at] as { epoch: number; entries: Entries }
    this.#states = this.#states.slice(at + 1)
    this.cold.exchange(entries)
    if (this.collection.cold.exchanged(epoch)) this.#eviction.renew()
  }
}

/** No codec takes it. */
const refusedValue = (): void => {}
