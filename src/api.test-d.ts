/** The public types, held by the compiler alone. */
import type { Assignable, Equal, Expect, Not } from '../test/type-assert.ts'
import {
  type CheckpointPoint,
  type Codec,
  type CollectionClass,
  type CollectionOptions,
  type Decision,
  type DecisionReason,
  type DecisionType,
  defaultCodec,
  type Giant,
  type HistogramSnapshot,
  type Key,
  type Lagging,
  type MemoryStats,
  open,
  type Settings,
  type Spared,
  type StallInfo,
  type Store,
  type StoredDecision,
  type StoreEvents,
  type StoreStats,
  type TidemarkMap,
  type TidemarkValue,
  type UpkeepStats,
  type VoidReason,
} from './index.ts'

interface Player {
  score: number
  name?: string
}

export async function uses(): Promise<void> {
  const store = await open('./state', { checkpoint: { intervalMs: 50 }, budget: { stallMsMax: 2 }, restore: { at: new Date(0) } })
  await using _disposable: AsyncDisposable = store

  // A collection is a Map to whoever takes one.
  const asMap: Map<Key, Player> = store.map<Player>('players')
  const byName: Map<string, Player> = store.map<Player, string>('players')
  const byNumber: Map<number, Player> = store.map<Player, number>('players')
  const byBigint: ReadonlyMap<bigint, Player> = store.map<Player, bigint>('players')
  const copied = new Map(asMap)
  for (const [key, { score }] of byName) key.toUpperCase().length + score
  void [copied, byNumber, byBigint]

  const players = store.map<Player>('players')
  players.set('ada', { score: 1 }).set(7, { score: 2 }).set(9n, { score: 3 })
  // @ts-expect-error an object is no key
  players.set({}, { score: 1 })
  // @ts-expect-error nor is a symbol
  players.get(Symbol('no'))
  // @ts-expect-error the value has another type
  players.set('ada', { score: '1' })
  // @ts-expect-error a map of names has no numbers
  byName.set(1, { score: 1 })

  // update: change in place and return nothing, or return the new value.
  players.update('ada', player => {
    player.score++
  })
  players.update('ada', player => ({ ...player, score: 0 }))
  // @ts-expect-error what it returns is a value of the map
  players.update('ada', () => 'one')
  // @ts-expect-error it is synchronous
  players.update('ada', async player => {
    player.score++
  })

  // What matters how much.
  store.map<Player>('players', { significant: (old, next) => old.score !== next.score, class: 'critical', rpoMs: 50 })
  // @ts-expect-error it compares values of the map
  store.map<Player>('players', { significant: (old: number, next: number) => old !== next })
  // @ts-expect-error it answers at once
  store.map<Player>('players', { significant: async () => true })
  // @ts-expect-error there is no such class
  store.map<Player>('players', { class: 'important' })
  store.value<number>('level', 0, { significant: (old, next) => Math.abs(old - next) > 1 })
  store.on('significantFailed', ({ collection, error }) => [collection.length, error])

  const total = store.value('total', 0)
  total.update(n => n + 1)
  // @ts-expect-error the cell holds a number
  total.set('one')
  const later = store.value<Date>('later')

  // The default codec is one of whatever the collection holds, and of anything where nobody says of what.
  store.map<Player>('players', { codec: await defaultCodec() })
  const level = store.value('level', 0, { codec: await defaultCodec() })
  const ofPlayers = await defaultCodec<Player>()
  store.map('players', { codec: ofPlayers }).set('ada', { score: 1 })
  const ofAnything = await defaultCodec()
  const codecs: Expect<Equal<[typeof level, typeof ofAnything], [TidemarkValue<number>, Codec<unknown>]>> = true
  // @ts-expect-error nothing says that what it decodes is a player
  store.map<Player>('players', { codec: ofAnything })
  void codecs

  // A transaction gives back what its function returns, and takes no async one.
  const moved = store.transaction(() => players.size)
  store.transaction(() => {})
  // @ts-expect-error a transaction may not be async
  store.transaction(async () => {})
  // @ts-expect-error nor return a promise
  store.transaction(() => Promise.resolve(1))
  // @ts-expect-error nor be a generator, whose work is done by whoever walks it
  store.transaction(function* () {
    yield 1
  })
  // @ts-expect-error nor an async one
  store.transaction(async function* () {
    yield 1
  })
  const keys: MapIterator<Key> = store.transaction(() => players.keys())
  const anything: unknown = store.transaction((): unknown => 1)
  void [keys, anything]

  const held = await store.hold(async () => 'done', { msMax: 100 })
  const point = await store.checkpoint({ timeoutMs: 100 })
  const spared: number = point.redundant.bytes
  const late: string[] = point.lagging.map(({ collection, epoch }) => `${collection} ${epoch.toFixed()}`)
  void [spared, late]
  const refused = point.refused.map(({ collection, key }) => `${collection} ${String(key)}`)
  // @ts-expect-error a point does not change
  point.epoch = 1
  store.on('checkpoint', ({ epoch }) => epoch.toFixed()).once('degraded', error => error.code)
  store.on('voided', ({ reason, key }) => {
    const why: VoidReason = reason
    const of: Key | undefined = key
    // @ts-expect-error none of the reasons
    void [why, of, reason === 'no reason']
  })
  // @ts-expect-error there is no such event
  store.on('chekpoint', () => {})
  const typed: [number, string, CheckpointPoint] = [moved, held, point]
  const exact: Expect<Equal<[typeof moved, typeof held, typeof point], typeof typed>> = true
  const gone: string | undefined = store.restored.lost?.message
  void [later, refused, exact, gone]
}

export type Interfaces = [
  Expect<Assignable<TidemarkMap<Key, Player>, Map<Key, Player>>>,
  Expect<Assignable<TidemarkMap<string, Player>, Map<string, Player>>>,
  Expect<Not<Assignable<TidemarkMap<Key, Player>, Map<Key, string>>>>,
  Expect<Assignable<Store, AsyncDisposable>>,
  Expect<Equal<ReturnType<TidemarkValue<number>['get']>, number>>,
  Expect<Equal<ReturnType<TidemarkMap<string, Player>['get']>, Player | undefined>>,
  Expect<Equal<ReturnType<TidemarkMap<string, Player>['update']>, Player | undefined>>,
  Expect<Equal<ReturnType<Store['stats']>, StoreStats>>,
  Expect<Equal<ReturnType<Store['decisions']>, readonly StoredDecision[]>>,
  Expect<Equal<StoreEvents['untracked'][0]['key'] | StoreEvents['significantFailed'][0]['key'], Key>>,
  // What is told in parts has names, too.
  Expect<Equal<StoreStats['stalls'], HistogramSnapshot>>,
  Expect<Equal<StoreStats['upkeep'], UpkeepStats>>,
  Expect<Equal<StoreStats['memory'], MemoryStats | undefined>>,
  Expect<Equal<StoreStats['giants'], readonly Giant[]>>,
  Expect<Equal<StoreEvents['stall'], [info: StallInfo]>>,
  Expect<Equal<CheckpointPoint['lagging'], readonly Lagging[]>>,
  Expect<Equal<CheckpointPoint['redundant'], Spared>>,
  Expect<Equal<NonNullable<CollectionOptions<Player>['class']>, CollectionClass>>,
  Expect<Equal<[Decision['type'], Decision['reason']], [DecisionType, DecisionReason]>>,
  Expect<Equal<ReturnType<Store['durable']>, Promise<void>>>,
  Expect<Equal<ReturnType<Store['close']>, Promise<void>>>,
  Expect<Equal<ReturnType<Store['checkpoint']>, Promise<CheckpointPoint>>>,
]

// Settings are plain data with names known to the compiler.
export const settings: readonly Settings[] = [
  {},
  { readOnly: true },
  { restore: { at: 'latest', hydrate: 'eager', onDamage: 'fall-back' }, compression: 'none', lock: 'none' },
  { restore: { at: 12 }, debug: { untracked: true, sample: 10 } },
  { budget: { ioBytesPerSecondMax: Number.POSITIVE_INFINITY } },
  // @ts-expect-error the unit is in the name
  { checkpoint: { interval: 10 } },
  // @ts-expect-error one of the words
  { restore: { hydrate: 'lazy' } },
  // @ts-expect-error a number
  { budget: { stallMsMax: '1' } },
]
