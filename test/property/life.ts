/**
 * One life of a store under simulation: from `open` to its end, turn by turn, each step done to the store and to the model.
 *
 * Owns: the objects the program holds, what it waits for. Does not own: what the operations are (operations.ts), what is right (model.ts).
 */
import assert from 'node:assert/strict'
import { hasCode } from '../../src/base/errors.ts'
import type { CollectionClass, TidemarkMap, TidemarkValue } from '../../src/capture/index.ts'
import type { Codec, Key } from '../../src/codec/index.ts'
import type { CollectionOptions } from '../../src/face/index.ts'
import { openStore } from '../../src/open.ts'
import type { Store } from '../../src/store.ts'
import { SimulatedScheduler, SimulatedStorage } from '../../src/testing/index.ts'
import { injectAtOpen } from './faults.ts'
import { listen } from './listen.ts'
import type { Copy, Kind, Model } from './model.ts'
import { type HeldIterator, Objects, type Reference } from './objects.ts'
import { DIRECTORY, type Opening, openingOf, openReader } from './opening.ts'
import { perform } from './operations.ts'
import { lookBack } from './points.ts'
import { CELL, type LifePlan, NAMES, type Op, RETAKEN } from './program.ts'
import { meddlingCodec } from './retaken.ts'
import { Rival } from './rival.ts'
import { lookAtRot } from './rot.ts'
import { hydrateOf, RestlessClock } from './small.ts'
import type { Totals } from './totals.ts'

const OPENS_MAX = 10

/** What a life finds: the disk, and nobody, or the one that lives. */
export type Found = SimulatedStorage['disk'] | Life

export class Life {
  readonly model: Model
  readonly plan: LifePlan
  readonly totals: Totals
  readonly seed: number
  readonly scheduler: SimulatedScheduler
  readonly storage: SimulatedStorage
  store!: Store
  /** Rises with every change, so that no two values are alike. */
  serial: number
  references: Reference[] = []
  iterators: HeldIterator[] = []
  /** Those that run. */
  readonly holds = new Set<{ broken: boolean; untilMs: number }>()
  /** The collection that is retaken has the codec, and this class. */
  coded = false
  class: CollectionClass | undefined
  readonly codec: Codec
  inTransaction = false
  closing = false
  /** A listener closed it. */
  ended: Promise<void> | undefined
  inBarrier = false
  /** From its first fault on an epoch may take longer than whoever waits for it. */
  faulted = false
  /** The engine gave up; the program goes on in memory. */
  stopped = false
  readonly objects = new Objects()
  readonly problems: unknown[] = []
  readonly #untracked: boolean
  #lazy = false
  #opening: Opening | undefined
  /** Entries leave the heap as soon as they may. */
  readonly evicts: boolean
  readonly #aligned = new Set<string>()
  readonly #waiting: Promise<unknown>[] = []
  readonly epochs = new Map<number, number>()
  /** Files that this life made, and whether a sync of a log that it did not make has failed. */
  readonly #made = new Set<string>()
  inheritedFailed = false
  /** What the store said before the model knew what it brought back. */
  #early: (() => void)[] | undefined

  commits = 0
  /** Of one that another life takes over from. */
  rival: Rival | undefined
  /** Those that this one took over from, and that go on. */
  readonly #old: Life | undefined

  /** `found`: what the life before left, or that life itself, which goes on. */
  constructor(model: Model, plan: LifePlan, seed: number, found: Found | undefined, totals: Totals, untracked = false) {
    this.model = model
    this.#untracked = untracked
    this.plan = plan
    this.seed = seed
    this.codec = meddlingCodec(this)
    this.totals = totals
    this.serial = model.changes + 1
    this.evicts = hydrateOf(seed) === 'on-demand' && seed % 5 < 3
    this.#old = found instanceof Life ? found : undefined
    this.scheduler = this.#old?.scheduler ?? new SimulatedScheduler({ seed, clock: new RestlessClock() })
    const disk = found === undefined || found instanceof Life ? {} : { disk: found }
    const latencyMs = { min: 0, max: 3 }
    this.storage = this.#old?.storage ?? new SimulatedStorage({ seed, scheduler: this.scheduler, latencyMs, ...disk })
    const powerCutAt = this.storage.steps + plan.powerCutAt
    this.storage.onCall = ({ operation, path, errno, step }) => {
      if (plan.powerCutAt > 0 && step === powerCutAt) this.storage.powerOff()
      if (operation === 'createIfAbsent') this.#made.add(path)
      if (operation === 'sync' && errno !== undefined && path.startsWith('log') && !this.#made.has(path)) this.inheritedFailed = true
    }
  }

  /** Lives it, and gives back what the next one finds. */
  async live(): Promise<Found> {
    this.totals.lives++
    try {
      await this.#open()
    } catch (error) {
      if (!this.storage.off) throw error
      return this.#disk()
    }
    for (const turn of this.plan.turns) {
      // Without power there is no process, nor anything to read what is not in the heap from.
      if (this.storage.off || this.ended !== undefined) break
      this.totals.turns++
      for (const op of turn.ops) {
        if (process.env['TRACE'] !== undefined) console.log(this.scheduler.clock.now() % 1_000_000, JSON.stringify(op))
        if (!this.#alive(() => perform(this, op))) break
      }
      this.#old?.rival?.struggle(this)
      this.#raise()
      if (turn.wait > 0) await this.#pass((turn.wait * this.plan.calm) / 10)
    }
    if (!this.storage.off && this.ended === undefined) this.#alive(() => this.check())
    const closes = this.plan.end === 'close' || this.plan.end === 'hurry' || this.ended !== undefined
    if (closes && !this.storage.off) await this.#close()
    if (this.plan.end === 'rest' && !this.storage.off) await this.scheduler.run(Promise.all(this.#waiting))
    this.#raise()
    const { voids, forcedSlices, failures, upkeep, memory, drain } = this.store.stats()
    this.totals.drained += drain.records
    this.totals.evicted += memory?.evicted ?? 0
    this.totals.folds += upkeep.folds
    this.totals.merges += upkeep.merges
    this.totals.removed += upkeep.filesRemoved
    this.totals.voids += voids
    this.totals.forced += forcedSlices
    this.totals.failures += failures
    if (this.plan.end !== 'rival' || this.ended !== undefined || this.storage.off) return this.#disk()
    this.storage.heal()
    this.rival = new Rival(this)
    return this
  }

  perform(op: Op): void {
    perform(this, op)
  }

  map(name: string): TidemarkMap<Key, unknown> {
    this.model.collection(name, 'map')
    return this.store.map<unknown, Key>(name, this.#optionsOf(name))
  }

  cell(name: string = CELL): TidemarkValue<unknown> {
    this.model.collection(name, 'value')
    return this.store.value<unknown>(name, undefined, this.#optionsOf(name))
  }

  isCell(name: string): boolean {
    return name === CELL || this.model.collections.get(name)?.kind === 'value'
  }

  #optionsOf(name: string): CollectionOptions<unknown> {
    if (name === NAMES[0] && this.seed % 3 === 0) return { class: 'critical', rpoMs: 40 }
    if (name !== RETAKEN) return {}
    return { ...(this.coded ? { codec: this.codec } : {}), ...(this.class === undefined ? {} : { class: this.class }) }
  }

  /** The store gave this, whichever way: it is what the model has, and somebody holds it now. */
  given(name: string, key: Key, value: unknown): void {
    this.model.assertValue(name, key, value)
    this.objects.handedOut(name, key, value)
  }

  /**
   * Entries that came home one by one stand in the order in which they came, which the model does not know: before somebody looks at the
   * order all come home, and the model takes it over; from then on it is that of a Map. Where they leave again nobody looks at the order.
   */
  align(name: string): void {
    if (this.evicts || !this.#lazy || this.#aligned.has(name)) return
    const { kind } = this.model.collections.get(name) as { kind: Kind }
    this.#aligned.add(name)
    // The first walk gives those that were away first, and puts them last; in a transaction it is a hand-out like any other.
    for (const [key, value] of this.entriesOf(name, kind)) this.given(name, key, value)
    this.model.reorder(name, [...this.entriesOf(name, kind).keys()])
  }

  /** The model went back to an order of before. */
  unalign(): void {
    this.#aligned.clear()
  }

  /** The living state is the model's. */
  check(only?: string): void {
    for (const [name, { kind }] of this.model.collections) {
      if (only !== undefined && only !== name) continue
      this.align(name)
      this.model.same(name, this.entriesOf(name, kind), !this.evicts)
    }
  }

  /** A promise of the store that the program awaits some time: whatever it rejects with must be among `codes`. */
  await(promise: Promise<unknown>, settle: (value: unknown, error: unknown) => void): void {
    const settled = promise.then(
      value => settle(value, undefined),
      error => settle(undefined, error),
    )
    this.#waiting.push(settled.catch(error => this.problems.push(error)))
  }

  /** What must hold when a caller is told that all it had done when the copy was made is durable. */
  assertDurable(copy: Copy, what: string): void {
    assert.ok(this.model.durable(copy), `${what} resolved, but change ${copy.changes} is not durable (${this.model.acked.changes} is)`)
  }

  /** A call that the storage fails, or that a close overtakes. */
  mayFail(error: unknown): void {
    if (error === undefined || this.storage.off) return
    if (this.faulted && hasCode(error, 'TIDEMARK_STORAGE')) return
    if (this.closing && hasCode(error, 'TIDEMARK_CLOSED')) return
    throw error
  }

  /** A reader beside the life. */
  openBeside(): Promise<Store> {
    return openReader(this.#opening as Opening)
  }

  changesOf(epoch: number): number {
    return this.epochs.get(epoch) ?? -1
  }

  /** A reader of what the store was opened with, unless the storage fails it: then the store itself. */
  async #beside(): Promise<Store> {
    const { scheduler } = this
    try {
      const reader = await scheduler.run(this.openBeside())
      assert.equal(reader.restored.epoch, this.store.restored.epoch)
      assert.equal(reader.restored.entries, this.store.restored.entries)
      return reader
    } catch (error) {
      if (this.storage.off) throw error
      if (!hasCode(error, 'TIDEMARK_STORAGE')) throw error
      return this.store
    }
  }

  /** A call failed; or the writer that is to be overtaken was quicker, who has a fold to publish now and then. */
  #mayOpenAgain(error: unknown, tries: number): boolean {
    if (this.#old !== undefined && hasCode(error, 'TIDEMARK_FENCED')) return tries < OPENS_MAX
    this.totals.reopened++
    return this.plan.openFault > 0 && tries < 2
  }

  async #open(): Promise<void> {
    const { model, scheduler, storage } = this
    const opening = openingOf(this, this.#untracked)
    const { settings, components } = opening
    this.#opening = opening
    // Beside one that goes on what is there changes while it is looked at.
    if (this.plan.rot > 0 && this.#old === undefined) await lookAtRot(this, opening)
    const back = this.plan.back === 0 || this.#old !== undefined ? undefined : await lookBack(this, opening)
    const goes = back === undefined ? settings : { ...settings, restore: { ...settings.restore, at: back.at } }
    if (back !== undefined) model.goesBack(back.epoch)
    if (this.plan.openFault > 0) injectAtOpen(this, this.plan.openFault)
    let store: Store | undefined
    for (let tries = 0; store === undefined; tries++) {
      store = await scheduler.run(openStore(DIRECTORY, goes, components)).catch(error => {
        if (storage.off || !this.#mayOpenAgain(error, tries)) throw error
        storage.heal()
        return undefined
      })
    }
    storage.heal()
    if (back !== undefined) {
      this.totals.back++
      assert.equal(store.restored.epoch, back.epoch, 'it goes back to the point that was chosen')
      model.wentBack(back.epoch)
    }
    this.#early = []
    this.store = store
    listen(this, store)
    const names = new Map<string, Kind>()
    for (const [name, { kind }] of Object.entries(store.stats().collections)) names.set(name, kind)
    this.coded = store.stats().collections[RETAKEN]?.codec === this.codec.name
    // Looking at everything brings everything home: so in most lives somebody else looks.
    const seen = this.seed % 4 === 0 ? store : await this.#beside()
    model.restarted(store.restored.epoch, names, name => this.entriesOf(name, names.get(name) as Kind, seen))
    this.#old?.rival?.overtook(store.restored.epoch)
    this.#lazy = seen !== store
    if (seen !== store) await scheduler.run(seen.close())
    this.epochs.set(store.restored.epoch, model.changes)
    const early = this.#early
    this.#early = undefined
    for (const fn of early) this.note(fn)
  }

  async #close(): Promise<void> {
    const hurries = this.plan.end === 'hurry' || this.ended !== undefined
    if (!hurries) this.storage.heal()
    this.closing = true
    const refused = (): boolean =>
      [...this.model.collections].some(([, { entries }]) => [...entries.values()].some(value => value?.constructor?.name === 'Unstorable'))
    let error: unknown
    try {
      await this.scheduler.run(this.store.close(hurries ? { timeoutMs: 100 + (this.seed % 2000) } : {}))
    } catch (cause) {
      error = cause
    }
    if (this.storage.off) return
    this.#raise()
    const code = this.stopped ? 'TIDEMARK_FAILED' : refused() ? 'TIDEMARK_VALUE_REFUSED' : undefined
    if (!hurries) assert.equal((error as { code?: string } | undefined)?.code, code, `close: ${String(error)}`)
    if (!this.stopped && (!hurries || error === undefined)) this.assertDurable(this.model.copy(0), 'close')
    await this.scheduler.run(Promise.all(this.#waiting))
  }

  /** Turns of the event loop go by. */
  async #pass(ms: number): Promise<void> {
    await this.scheduler.run(this.scheduler.clock.monotonic() + ms)
    this.#raise()
  }

  #disk(): SimulatedStorage['disk'] {
    this.storage.onCall = undefined
    if (this.plan.end !== 'power') return this.storage.restart().disk
    this.totals.crashes++
    return this.storage.crash({ mode: 'random' }).disk
  }

  /** `isRotten`: where values were refused and what lies before cannot be read, nobody knows which entries there are, and the count is too high. */
  entriesOf(name: string, kind: Kind, store = this.store, isRotten = false): ReadonlyMap<Key, unknown> {
    if (kind === 'map') {
      const map = this.mapOf(name, store)
      const walked = [...map]
      const entries = new Map(walked)
      assert.equal(walked.length, entries.size, `a walk of '${name}' gives a key twice`)
      assert.ok(isRotten ? map.size >= entries.size : map.size === entries.size, `size of '${name}': ${map.size}, not ${entries.size}`)
      return entries
    }
    const cell = store.value<unknown>(name, undefined, this.#codecIn(store, name))
    return store.stats().collections[name]?.entries === 0 ? new Map() : new Map([['value', cell.get()]])
  }

  mapOf(name: string, store: Store): TidemarkMap<Key, unknown> {
    return store.map<unknown, Key>(name, this.#codecIn(store, name))
  }

  #codecIn(store: Store, name: string): { codec?: Codec } {
    return store.stats().collections[name]?.codec === this.codec.name ? { codec: this.codec } : {}
  }

  /** False when the power went in the middle of it: what is not in the heap could not be read, and is not what was expected. */
  #alive(fn: () => void): boolean {
    try {
      fn()
    } catch (error) {
      if (!this.storage.off && !(this.ended !== undefined && hasCode(error, 'TIDEMARK_CLOSED'))) throw error
    }
    return !this.storage.off && this.ended === undefined
  }

  /** The model knows what the store brought back. */
  get begun(): boolean {
    return this.store !== undefined && this.#early === undefined && this.rival === undefined
  }

  note(fn: () => void): void {
    if (this.rival?.isOver === true) return
    if (this.#early !== undefined) {
      this.#early.push(fn)
      return
    }
    try {
      fn()
    } catch (error) {
      this.problems.push(error)
    }
  }

  #raise(): void {
    if (this.#old !== undefined) this.#old.#raise()
    if (this.problems.length > 0) throw this.problems[0]
  }
}
