/**
 * Random programs over collections of every class, under pressure that comes and goes, with failures, cuts that move and power cuts: each
 * collection comes back as it was at the barrier of the epoch that the recovery point names for it, but for insignificant changes, and a transaction
 * is there whole or not.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { TidemarkMap } from '../../src/capture/index.ts'
import type { CheckpointPoint } from '../../src/checkpoint/index.ts'
import type { CollectionOptions } from '../../src/face/index.ts'
import type { Settings } from '../../src/options.ts'
import type { Store } from '../../src/store.ts'
import type { CrashMode } from '../../src/testing/index.ts'
import { share } from '../support/share.ts'
import { SimulatedStore } from '../support/simulated-store.ts'
import { SMALL } from './small.ts'

/** What lies in one stretch differs insignificantly. */
const stretchOf = (value: unknown): number => Math.floor((value as { n: number }).n / 40)

const CLASSES: Readonly<Record<string, CollectionOptions<unknown>>> = {
  payments: { class: 'critical', rpoMs: 40 },
  orders: { significant: (old, next) => stretchOf(old) !== stretchOf(next) },
  cache: { class: 'rebuildable' },
  index: { class: 'rebuildable' },
  hints: { class: 'rebuildable' },
}
const NAMES = Object.keys(CLASSES)
const KEYS = Array.from({ length: 12 }, (_, n) => `k${n}`)
type Maps = Record<string, TidemarkMap<string, { n: number }>>
type State = Record<string, Record<string, unknown>>

/** What the program knows to be there, by collection. */
type Model = Record<string, Map<string, { n: number }>>

const copyOf = (value: unknown): unknown => (typeof value === 'function' ? 'refused' : { ...(value as object) })
const nothing = (): Model => Object.fromEntries(NAMES.map(name => [name, new Map()]))

const stateOf = (maps: Maps | Model): State =>
  Object.fromEntries(NAMES.map(name => [name, Object.fromEntries([...(maps[name] ?? [])].map(([key, value]) => [key, copyOf(value)]))]))

/** As far as an epoch has to hold it. */
const coarse = (name: string, entries: Record<string, unknown> = {}): object =>
  name === 'orders' ? Object.fromEntries(Object.entries(entries).map(([key, value]) => [key, stretchOf(value)])) : entries

const passes = (check: () => void): boolean => {
  try {
    check()
    return true
  } catch {
    return false
  }
}

const step = fc.record({
  op: fc.oneof(
    { weight: 14, arbitrary: fc.constantFrom('set', 'update') },
    { weight: 4, arbitrary: fc.constantFrom('delete', 'reset') },
    { weight: 10, arbitrary: fc.constant('transaction') },
    { weight: 1, arbitrary: fc.constantFrom('clear', 'drop', 'refused') },
    { weight: 5, arbitrary: fc.constantFrom('checkpoint', 'checkpoint', 'durable', 'start') },
    { weight: 6, arbitrary: fc.constant('pass') },
    { weight: 6, arbitrary: fc.constant('read') },
    { weight: 3, arbitrary: fc.constantFrom('press', 'calm', 'press') },
    { weight: 1, arbitrary: fc.constant('fault') },
    { weight: 2, arbitrary: fc.constant('tear') },
  ),
  names: fc.uniqueArray(fc.constantFrom(...NAMES), { minLength: 1, maxLength: 3 }),
  key: fc.constantFrom(...KEYS),
  amount: fc.nat({ max: 60 }),
})
/** The power goes some time after a last checkpoint was begun, and may leave what no sync was asked for, too. */
const powerCut = fc.record({ mode: fc.constantFrom<CrashMode>('lost', 'kept', 'random'), seed: fc.nat(), afterMs: fc.nat({ max: 12 }) })
type PowerCut = typeof powerCut extends fc.Arbitrary<infer T> ? T : never
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

class World {
  readonly world: SimulatedStore
  maps: Maps = {}
  model = nothing()
  /** At the barriers of each epoch that did not move: one that failed may have reached the disk all the same. */
  readonly states = new Map<number, State[]>()
  readonly totals: { lagging: number; restarts: number; points: number; voids: number; folds: number; evicted: number; beyond: number }
  acked = 0
  #serial = 0
  #store!: Store
  #alive: Store | undefined
  /** The last epoch of this life that is durable. */
  #point: CheckpointPoint | undefined

  constructor(intervalMs: number, memoryBytesMax: number | undefined, totals: World['totals']) {
    const bounded: Settings = { restore: { hydrate: 'on-demand' }, budget: { memoryBytesMax: memoryBytesMax ?? 0 } }
    this.world = new SimulatedStore({ checkpoint: { intervalMs }, ...(memoryBytesMax === undefined ? {} : bounded) })
    this.world.thresholds = { ...SMALL, bytes: 200, paced: false }
    this.totals = totals
  }

  begin(store: Store): void {
    this.#store = store
    this.#point = undefined
    for (const [name, options] of Object.entries(CLASSES)) this.maps[name] = store.map(name, options as never)
    // The store of a process that is gone goes on trying.
    this.#alive = store
    const mine = (): boolean => this.#alive === store
    let cut = 0
    store.on('barrier', ({ epoch }) => {
      cut = epoch
      // Not what the store gives: asked for all of it, nothing could stay out of the heap.
      if (mine()) this.states.set(epoch, [...(this.states.get(epoch) ?? []), stateOf(this.model)])
    })
    store.on('voided', () => {
      this.totals.voids++
      if (mine()) this.states.get(cut)?.pop()
    })
    store.on('checkpoint', point => {
      if (mine()) this.#check(point)
    })
  }

  async do({ op, names, key, amount }: Step): Promise<void> {
    const store = this.#store
    const maps = names.map(name => this.maps[name] as Maps[string])
    const [first] = maps as [Maps[string]]
    const models = names.map(name => this.model[name] as Model[string])
    const [known] = models as [Model[string]]
    const n = ++this.#serial
    switch (op) {
      case 'set':
        first.set(key, { n: amount < 20 ? 0 : n })
        known.set(key, { n: amount < 20 ? 0 : n })
        return
      case 'update':
        first.update(key, value => (value === undefined ? { n } : { ...value, n }))
        known.set(key, { n })
        return
      case 'read':
        assert.deepEqual(first.get(key), known.get(key), `${names[0]}: ${key}`)
        if (amount % 4 === 0) assert.equal(first.size, known.size)
        return
      case 'delete':
        assert.equal(first.delete(key), known.delete(key))
        return
      case 'reset': {
        const value = first.get(key)
        first.delete(key)
        if (value !== undefined) first.set(key, { ...value })
        return
      }
      case 'transaction':
        try {
          store.transaction(() => {
            for (const map of maps) map.set(`together ${[...names].sort().join(' ')}`, { n })
            first.delete(key)
            if (amount < 8) throw new Error('back')
          })
          for (const map of models) map.set(`together ${[...names].sort().join(' ')}`, { n })
          known.delete(key)
        } catch (error) {
          assert.equal((error as Error).message, 'back')
        }
        return
      case 'clear':
        // It would take half of what transactions did.
        for (const name of NAMES) (this.maps[name] as Maps[string]).clear()
        this.model = nothing()
        return
      case 'drop':
        for (const name of NAMES) {
          store.delete(name)
          this.maps[name] = store.map(name, CLASSES[name] as never)
        }
        this.model = nothing()
        return
      case 'refused': {
        first.set('refused', (() => {}) as never)
        known.set('refused', (() => {}) as never)
        await this.world.run(store.checkpoint().catch(() => {}))
        first.delete('refused')
        known.delete('refused')
        return
      }
      case 'checkpoint':
      case 'durable':
        await this.world.run(Promise.resolve(op === 'durable' ? store.durable() : store.checkpoint()).catch(this.#onlyRefused))
        if (op === 'durable') this.#assertDurable()
        return
      case 'start':
        store.checkpoint().catch(() => {})
        return
      case 'pass':
        await this.world.pass(amount * (amount % 4 === 0 ? 40 : 4))
        return
      case 'press':
      case 'calm':
        this.world.pressed = op === 'press'
        return
      case 'fault':
        // The first sync of a life that fails ends it: nothing can be built on what it inherited.
        this.world.storage.inject({ operation: amount < 30 && this.#point !== undefined ? 'sync' : 'append', errno: 'EIO', times: 1 })
        return
      case 'tear': {
        // Frozen by a cut that has written much already, an object is changed in place; where the cut then moves, others might be left out.
        this.world.pressed = false
        const object = { n }
        for (const map of maps) map.set(key, map === first ? object : { n })
        for (const model of models) model.set(key, { n })
        const asked = store.checkpoint().catch(() => {})
        for (const name of NAMES) {
          for (const other of (this.model[name] as Model[string]).keys()) {
            if (name !== names[0] || other !== key) this.maps[name]?.get(other)
          }
        }
        this.world.pressed = amount % 4 !== 0
        object.n = ++this.#serial
        first.set(key, object)
        known.set(key, { n: object.n })
        if (amount % 3 !== 0) await this.world.run(asked)
        return
      }
    }
  }

  async restart(crashes: PowerCut | undefined): Promise<void> {
    this.totals.restarts++
    const { upkeep, memory } = this.#store.stats()
    this.totals.folds += upkeep.folds
    this.totals.evicted += memory?.evicted ?? 0
    if (crashes !== undefined) {
      this.#store.checkpoint().catch(() => {})
      await this.world.pass(crashes.afterMs)
      this.#alive = undefined
    }
    const before = crashes === undefined ? stateOf(this.model) : undefined
    const store = crashes === undefined ? await this.#close() : await this.world.crash({}, crashes)
    const { epoch, lagging, entries } = store.restored
    assert.ok(epoch >= this.acked)
    this.totals.lagging += lagging.length
    const asOf = new Map(lagging.map(one => [one.collection, one.epoch]))
    this.begin(store)
    const found = stateOf(this.maps)
    const assertFound = (at: number | undefined): void => {
      for (const name of NAMES) {
        const want = asOf.has(name) ? this.#stateAt(asOf.get(name) as number)[name] : this.#stateAt(epoch, at)[name]
        assert.deepEqual(coarse(name, found[name]), coarse(name, want), `${name} of epoch ${asOf.get(name) ?? epoch}, in ${epoch}`)
      }
    }
    // Of an epoch that nobody acknowledged the barrier of any attempt will do.
    const attempts = this.states.get(epoch) ?? []
    const match = attempts.findIndex((_, at) => passes(() => assertFound(at)))
    if (match < 0) assertFound(undefined)
    else this.states.set(epoch, attempts.slice(match, match + 1))
    if (epoch > this.acked) this.totals.beyond++
    // What was cut and is not there never comes back.
    for (const later of this.states.keys()) if (later > epoch) this.states.delete(later)
    this.acked = epoch
    // Whatever lags by name, a close took in all that was there.
    if (before !== undefined) assert.deepEqual(found, before, 'what was there at the close')
    for (const name of NAMES) this.model[name] = new Map(Object.entries(found[name] as Record<string, { n: number }>))
    const sizes = NAMES.map(name => (this.maps[name] as Maps[string]).size)
    const counts = NAMES.map(name => Object.keys(found[name] as object).length)
    assert.deepEqual(sizes, counts)
    assert.equal(
      entries,
      counts.reduce((sum, count) => sum + count, 0),
      'entries of the recovery point',
    )
    this.#assertWhole(found)
    const points = await this.world.run(store.recoveryPoints())
    assert.deepEqual(points[0]?.lagging ?? [], lagging)
  }

  async #close(): Promise<Store> {
    for (const name of NAMES) {
      const map = this.maps[name] as Maps[string]
      assert.equal(map.size, this.model[name]?.size, name)
      for (const [key, value] of this.model[name] as Model[string]) assert.deepEqual(map.get(key), value, `${name}: ${key}`)
    }
    await this.world.run(this.#store.close())
    const store = await this.world.open()
    this.#assertNothingLost(store.restored.lagging)
    return store
  }

  #check(point: CheckpointPoint): void {
    this.totals.points++
    this.#point = point
    this.acked = point.epoch
    this.states.set(point.epoch, (this.states.get(point.epoch) ?? []).slice(-1))
    for (const { collection, epoch } of point.lagging) {
      assert.equal(CLASSES[collection]?.class, 'rebuildable')
      assert.ok(this.states.has(epoch) && epoch < point.epoch)
    }
  }

  /** As the disk has it: a refused value is in none. */
  #stateAt(epoch: number, attempt = -1): State {
    const state = epoch === 0 ? stateOf(nothing()) : this.states.get(epoch)?.at(attempt)
    assert.ok(state !== undefined, `no barrier of epoch ${epoch} was told`)
    return Object.fromEntries(
      Object.entries(state).map(([name, entries]) => [
        name,
        Object.fromEntries(Object.entries(entries).filter(([key]) => key !== 'refused')),
      ]),
    )
  }

  #onlyRefused = (error: { code?: string }): void => assert.equal(error.code, 'TIDEMARK_VALUE_REFUSED', String(error))

  /** All that is there is durable: in the last epoch acknowledged, or as it was found. */
  #assertDurable(): void {
    const { epoch, lagging } = this.#point ?? this.#store.restored
    this.#assertNothingLost(lagging)
    const now = stateOf(this.model)
    const state = this.#stateAt(epoch)
    for (const name of NAMES) {
      if (!lagging.some(one => one.collection === name)) assert.deepEqual(state[name], now[name], `${name} is durable in epoch ${epoch}`)
    }
  }

  /** What lags has changed back since, or the life that changed it is gone, and its changes with it. */
  #assertNothingLost(lagging: CheckpointPoint['lagging']): void {
    const now = stateOf(this.model)
    for (const { collection, epoch } of lagging) {
      assert.deepEqual(now[collection], this.#stateAt(epoch)[collection], `${collection} as of epoch ${epoch}`)
    }
  }

  /** Of every transaction both halves, or none. */
  #assertWhole(found: State): void {
    for (const name of NAMES) {
      for (const [key, value] of Object.entries(found[name] as object)) {
        if (!key.startsWith('together ')) continue
        for (const other of key.split(' ').slice(1)) assert.deepEqual(found[other]?.[key], value, `${key} in ${name} and in ${other}`)
      }
    }
  }
}

test('random programs under pressure: collections lag by class, and what a transaction did is there whole or not at all', async context => {
  const totals = { lagging: 0, restarts: 0, points: 0, voids: 0, folds: 0, evicted: 0, beyond: 0 }
  const lives = fc.array(
    fc.record({
      steps: fc.array(step, { minLength: 10, maxLength: 60, size: 'max' }),
      crashes: fc.option(powerCut, { nil: undefined, freq: 2 }),
    }),
    {
      minLength: 1,
      maxLength: 3,
    },
  )
  await fc.assert(
    fc.asyncProperty(
      lives,
      fc.constantFrom(0, 20, 50),
      fc.constantFrom(undefined, 0, 2000),
      async (program, intervalMs, memoryBytesMax) => {
        const life = new World(intervalMs, memoryBytesMax, totals)
        life.begin(await life.world.open())
        for (const { steps, crashes } of program) {
          for (const one of steps) await life.do(one)
          await life.restart(crashes)
        }
        await life.world.close()
      },
    ),
    { seed: 20_261_127, numRuns: Number(process.env.TIDEMARK_RUNS ?? share(150)) },
  )
  context.diagnostic(JSON.stringify(totals))
  assert.ok(totals.beyond > 0, 'no power cut left an epoch that nobody was told of')
  assert.ok(totals.folds > totals.restarts && totals.evicted > totals.restarts, `hardly anything left the heap: ${JSON.stringify(totals)}`)
  assert.ok(totals.voids > totals.restarts / 10, `hardly a cut moved: ${JSON.stringify(totals)}`)
  assert.ok(totals.lagging > totals.restarts / 12, `hardly anything lagged: ${JSON.stringify(totals)}`)
})
