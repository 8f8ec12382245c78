/** Capture without the checkpointer, for tests: cuts, slices, and a disk that takes the records in order. */
import assert from 'node:assert/strict'
import { Histogram } from '../../src/base/histogram.ts'
import { Capture, type CaptureOwner, type VoidReason } from '../../src/capture/capture.ts'
import type { Cold } from '../../src/capture/cold.ts'
import { Collection } from '../../src/capture/collection.ts'
import { Drain } from '../../src/capture/drain.ts'
import { type Block, Outbox } from '../../src/capture/outbox.ts'
import { Space } from '../../src/capture/space.ts'
import { decodeKey, type Key, tideCodec, type ValueCodec } from '../../src/codec/index.ts'
import { RECORD_PUT, RecordCursor } from '../../src/format/index.ts'

const COLD_MS = 1000

export type Entries = Map<Key, unknown>

export class Rig implements CaptureOwner {
  readonly space = new Space(new Histogram(), () => 0)
  readonly collections: Collection[] = []
  readonly refusals: Key[] = []
  readonly voids: VoidReason[] = []
  readonly outbox = new Outbox(block => this.#blocks.push(block))
  readonly drain = new Drain(this.outbox)
  nowMs = 0
  capture: Capture | undefined
  /** Of the cut under way. */
  epoch = 0
  committed = 0
  /** Records of the epochs committed so far, by incarnation. */
  readonly disk = new Map<number, Entries>()
  /** The cut was given back, and the next did not fall yet. */
  #void = false
  /** By incarnation, where the stored state is never exchanged. */
  readonly #stored = new Map<number, Entries>()
  /** Keys of the records written since the cut, in order. */
  written: Key[] = []
  #blocks: Block[] = []
  /** Of the cut under way, by incarnation: the keys, and whether they were never stored. */
  #refused = new Map<number, Map<Key, boolean>>()
  #atCut = new Map<Collection, Entries>()
  /** As the checkpointer notes it at the barrier. */
  #catalogue: { readonly id: number; readonly entries: number }[] = []
  /** Entries of the last commit, by incarnation. */
  readonly entries = new Map<number, number>()

  collection(entries: Iterable<readonly [Key, unknown]> = [], codec: ValueCodec = tideCodec): Collection {
    const collection = new Collection(this.space, `c${this.collections.length}`, 'map', codec, this.space.nextId++)
    this.collections.push(collection)
    for (const [key, value] of entries) collection.set(key, value)
    return collection
  }

  /** A collection whose entries are stored and not in the heap, apart from those of `home`. */
  cold(cold: Cold, stored: Entries, evicts = false, home: readonly Key[] = []): Collection {
    const live = new Map(home.filter(key => stored.has(key)).map(key => [key, cold.read(key)]))
    const start = { cold, coldCount: stored.size - live.size, evicts }
    const collection = new Collection(this.space, 'cold', 'map', tideCodec, this.space.nextId++, live, start)
    this.collections.push(collection)
    this.disk.set(collection.id, copyOf(stored))
    if (!evicts) this.#stored.set(collection.id, copyOf(stored))
    return collection
  }

  /** Time passes, and what was not written for a second is drained; `steps`: no more of them; `expired`: the time is up. */
  pass(ms: number, steps = Number.POSITIVE_INFINITY, expired = () => false): void {
    this.drain.look(this.collections, this.nowMs, COLD_MS)
    this.nowMs += ms
    this.drain.look(this.collections, this.nowMs, COLD_MS)
    this.drain.run(this.nowMs, COLD_MS, steps, expired)
  }

  cut(): Capture {
    // As the checkpointer does before a cut that moves.
    if (this.#void) this.capture?.assertWhole()
    this.#void = false
    this.drain.barrier()
    this.epoch = this.committed + 1
    this.#refused = new Map()
    this.#catalogue = this.collections.map(({ id, sizeMax }) => ({ id, entries: sizeMax }))
    for (const collection of this.collections) collection.cutId = collection.id
    this.capture = new Capture(this.collections, this.epoch, this.outbox, this)
    this.space.capture = this.capture
    this.space.refresh()
    this.#atCut = new Map(this.collections.map(collection => [collection, copyOf(collection.live)]))
    return this.capture
  }

  /** Goes on until the clock has been looked at once. */
  slice(): void {
    this.capture?.run(() => true)
    for (const { cold } of this.capture?.parts ?? []) cold?.settleDoubt()
  }

  /** Gives the incarnations in it. A cut that is void moves to now. */
  commit(): ReadonlySet<number> {
    // Each large value has a run of its own.
    for (let runs = 0; runs < 1000 && (this.#void || this.capture?.finished === false); runs++) {
      if (this.#void) this.cut()
      this.capture?.run(() => false)
    }
    assert.ok(this.capture?.finished)
    const existed = this.#existed(this.capture)
    const { capture } = this
    this.#take(this.disk)
    this.#count(capture, existed)
    for (const { cold } of capture.parts) while (cold?.settleDoubt() === true);
    this.#end()
    this.committed = this.epoch
    capture.resolved(existed)
    return new Set(this.#catalogue.map(({ id }) => id))
  }

  /** `inOrder`: there is time, before the next attempt, for what the failure left. */
  fail(inOrder = true): void {
    if (!this.#void) this.capture?.giveBack(true)
    this.#void = false
    this.drain.abandon(this.collections)
    this.outbox.mend()
    this.outbox.reset()
    this.space.recent.forget()
    this.#blocks = []
    this.capture = undefined
    this.space.capture = undefined
    this.space.refresh()
    if (inOrder) this.space.leftovers.run(() => false)
  }

  /** As the owner does when the cut is lost: its records stand, the cut moves. */
  void(): void {
    this.voided('pre-images beyond the bound')
  }

  /** A barrier and all of its epoch, with nothing in between. */
  checkpoint(): void {
    this.cut()
    this.commit()
  }

  /** The disk holds what was there at the last cut. */
  check(collection: Collection): void {
    assert.deepEqual(this.disk.get(collection.id) ?? new Map(), this.#atCut.get(collection))
  }

  voided(reason: VoidReason): void {
    this.voids.push(reason)
    if (this.#void) return
    const { capture } = this
    this.space.capture = undefined
    this.space.refresh()
    if (this.space.transaction !== undefined) return
    capture?.giveBack(false)
    this.#void = capture !== undefined
  }

  refused(collection: Collection, key: Key): void {
    this.refusals.push(key)
    const keys = this.#refused.get(collection.id) ?? new Map<Key, boolean>()
    const part = this.capture?.parts.find(one => one.collection === collection)
    this.#refused.set(collection.id, keys.set(key, part?.fresh.has(key) === true))
  }

  /** As the checkpointer looks up what was set without a look: in the stored state, or a later one before the epoch. */
  #existed(capture: Capture): Map<number, number> {
    const existed = new Map<number, number>()
    for (const { id, keys } of capture.unresolved()) {
      const state = this.#stored.get(id) ?? this.disk.get(id)
      const asked = keys.flatMap(set => set.pieces()).flatMap(piece => [...piece.keys()])
      const stored = asked.filter(key => state?.has(key))
      assert.equal(new Set(stored).size, stored.length, 'each key once')
      existed.set(id, stored.length)
    }
    return existed
  }

  /** The entries a commit record has are those that are on the disk after it. */
  #count(capture: Capture, existed: ReadonlyMap<number, number>): void {
    for (const { id, entries } of capture.complete(this.#catalogue, existed)) {
      // One that was never stored is left out already.
      const refused = [...(this.#refused.get(id) ?? [])].filter(([, fresh]) => !fresh)
      const missing = refused.filter(([key]) => !this.disk.get(id)?.has(key)).length
      this.entries.set(id, entries - missing)
      assert.equal(this.entries.get(id), this.disk.get(id)?.size ?? 0, 'entries of the commit')
    }
  }

  #end(): void {
    this.capture?.landed()
    this.capture = undefined
    this.space.capture = undefined
    this.space.refresh()
  }

  #take(disk: Map<number, Entries>): void {
    this.#blocks.push(this.outbox.take())
    this.written = []
    for (const { bytes, records } of this.#blocks) {
      const cursor = new RecordCursor(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length))
      let count = 0
      while (cursor.next()) {
        count++
        const entries = disk.get(cursor.collection) ?? new Map<Key, unknown>()
        disk.set(cursor.collection, entries)
        const key = decodeKey(cursor.bytes, cursor.keyStart, cursor.keyEnd)
        this.written.push(key)
        if (cursor.kind === RECORD_PUT) entries.set(key, tideCodec.decode(cursor.bytes, cursor.valueStart, cursor.valueEnd))
        else entries.delete(key)
      }
      assert.equal(count, records)
    }
    this.#blocks = []
  }
}

/** Values that cannot be encoded stay what they are. */
export const copyOf = (live: Entries): Entries =>
  new Map([...live].map(([key, value]) => [key, typeof value === 'function' ? value : structuredClone(value)]))

export const numbered = (count: number, value: (n: number) => unknown = n => n): [Key, unknown][] =>
  Array.from({ length: count }, (_, n) => [`k${n}`, value(n)])
