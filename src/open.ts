/**
 * Opening a store: settings -> directory and lock -> takeover -> load -> writer -> store, in this order; what was taken is given back when
 * a later step fails. The composition root: it makes the stages and wires them.
 * Owns: the order. Does not own: any of the steps. Invariant: the lock is held from before the first write to after the last.
 */
import { resolve } from 'node:path'
import { type Clock, type LoopLoad, systemClock, systemLoopLoad } from './base/clock.ts'
import { assert } from './base/errors.ts'
import { type Failpoint, noFailpoint } from './base/failpoint.ts'
import { Histogram } from './base/histogram.ts'
import { MAP_ENTRIES_MAX } from './base/limits.ts'
import { type Pauser, pauser } from './base/pauser.ts'
import { type Random, systemRandom } from './base/random.ts'
import { type Scheduler, systemScheduler } from './base/scheduler.ts'
import { VERSION } from './base/version.ts'
import { Collection, Space, Untracked } from './capture/index.ts'
import { Checkpointer, type Hold, Inside, StallBudget } from './checkpoint/index.ts'
import { absentCodec, tideCodec, type ValueCodec } from './codec/index.ts'
import { ColdCollection, Evictor, Following, Homecoming, type TailHolder, TouchOrder } from './cold/index.ts'
import { describeRestore, Ending, Events, forward, noPath, startSchedule, Upkeep } from './face/index.ts'
import { foldedIn, MANIFEST_FOLDER, ORDER_FOLDER, SCHEDULE_FOLDER } from './format/index.ts'
import { noStoreIn } from './manifest/index.ts'
import { type ResolvedSettings, resolveSettings, type Settings } from './options.ts'
import {
  forkAt,
  type LoadResult,
  listPoints,
  load,
  type OpenedStore,
  openForReading,
  openForWriting,
  Trial,
  takeDirectory,
} from './restore/index.ts'
import { endedBy, FileStorage, lockHolder, MemoryStorage, type Storage } from './storage/index.ts'
import { Store } from './store.ts'
import { assertThreadStarts, InlineHost, ThreadHost, type UpkeepFacts, type WriterFacts, type WriterHost } from './writer/index.ts'

/** Injected objects, for tests and simulation. */
export interface Components {
  readonly storage?: Storage
  readonly clock?: Clock
  readonly scheduler?: Scheduler
  /** Default: the event loop's utilisation, and 0 where the clock is injected. */
  readonly loopLoad?: LoopLoad
  readonly random?: Random
  /** Where the writer runs. Default: a thread; inline for `:memory:` and for an injected storage. */
  readonly writer?: 'inline' | 'thread'
  readonly failpoint?: Failpoint
  /** The writer's thread looks at TIDEMARK_FAILPOINT. */
  readonly testing?: boolean
  readonly fileBytesMax?: number
  /** Whether durability keeps up. */
  readonly pressed?: () => boolean
  /** When to fold and to merge; tests take less. */
  readonly thresholds?: UpkeepFacts['thresholds']
  /** Entries of one Map of a collection; tests take less. */
  readonly mapEntriesMax?: number
}

interface Surroundings {
  readonly directory: string
  readonly settings: ResolvedSettings
  readonly storage: Storage
  /** The same, where nobody else has it: its files end with the store. */
  readonly own: MemoryStorage | undefined
  readonly clock: Clock
  readonly scheduler: Scheduler
  /** A reading of one's own. */
  readonly loopLoad: () => LoopLoad
  readonly inside: Inside<Hold>
  readonly random: Random
  readonly failpoint: Failpoint
  readonly onFiles: boolean
  readonly mapEntriesMax: number
  readonly Inline: typeof InlineHost | undefined
}

const MEMORY = ':memory:'
/** A temporary file this old belongs to nobody. */
const STALE_MS = 60_000
/** A slice of loading takes this share of the stall budget. */
const SLICE_SHARE = 0.5
/** Where the writer has no thread of its own, a slice of its upkeep takes this share. */
const UPKEEP_SHARE = 0.35

/** With a writer for every place. */
export function openStore(directory: string, given?: Settings, components?: Components): Promise<Store> {
  return openWith(InlineHost, directory, given, components)
}

/** `Inline`: runs the writer where it has no thread; who opens a directory needs none, and does not load what a writer is made of. */
export async function openWith(
  Inline: typeof InlineHost | undefined,
  directory: string,
  given: Settings = {},
  components: Components = {},
): Promise<Store> {
  const settings = resolveSettings(given)
  if (typeof directory !== 'string' || directory === '' || directory.includes('\0')) throw noPath(directory)
  const memory = directory === MEMORY
  const onFiles = !memory && components.storage === undefined
  const inside = new Inside<Hold>()
  const own = memory && components.storage === undefined ? new MemoryStorage() : undefined
  const surroundings: Surroundings = {
    directory: memory ? directory : resolve(directory),
    settings,
    storage: components.storage ?? own ?? new FileStorage(directory),
    own,
    clock: components.clock ?? systemClock,
    scheduler: inside.outside(components.scheduler ?? systemScheduler),
    loopLoad: () => components.loopLoad ?? (components.clock === undefined ? systemLoopLoad() : () => 0),
    inside,
    random: components.random ?? systemRandom,
    failpoint: components.failpoint ?? noFailpoint,
    onFiles,
    mapEntriesMax: components.mapEntriesMax ?? MAP_ENTRIES_MAX,
    Inline,
  }
  if (settings.readOnly) return await openReader(surroundings)
  return await openWriter(surroundings, components).catch(error => {
    throw endedBy(noStoreIn(surroundings.directory, error, 'correct the path: an open at a recovery point creates no store'))
  })
}

async function openReader(surroundings: Surroundings): Promise<Store> {
  const begin = surroundings.clock.monotonic()
  const opened = await openForReading(surroundings.storage, pauserOf(surroundings)).catch(error => {
    throw noStoreIn(surroundings.directory, error)
  })
  const loaded = await loadInto(surroundings, opened)
  const built = build(surroundings, loaded, undefined, undefined)
  built.space.forbidden = 'readOnly'
  built.space.refresh()
  return new Store({
    ...built,
    checkpointer: undefined,
    cadence: undefined,
    restored: describeRestore(opened, loaded, surroundings.clock.monotonic() - begin),
    // What came since it was opened can be restored, too; its own point may not be kept any more.
    points: () => listPoints(surroundings.storage, () => Number.POSITIVE_INFINITY, pauserOf(surroundings)),
    ending: timeoutMs => new Ending({ ...surroundings, ...built }, timeoutMs),
  })
}

async function openWriter(surroundings: Surroundings, components: Components): Promise<Store> {
  const { storage, clock, scheduler, inside, random, failpoint, settings, onFiles } = surroundings
  const begin = clock.monotonic()
  if (hasThread(surroundings, components)) assertThreadStarts()
  const holder = settings.lock === 'none' ? undefined : lockHolder(clock.now())
  // Where there is none there is no point to go back to either.
  const create = settings.at === 'latest'
  const lock = onFiles ? await takeDirectory(storage as FileStorage, holder, create) : undefined
  let host: WriterHost | undefined
  let loaded: LoadResult | undefined
  let forked: Awaited<ReturnType<typeof forkAt>> | undefined
  const trial = new Trial(storage, opened => loadInto(surroundings, opened))
  try {
    const asked = { create, atPoint: !create, onDamage: settings.onDamage }
    const tryOut = (opened: OpenedStore): Promise<void> => trial.run(opened)
    const facts = { createdBy: `tidemark/${VERSION}`, random, failpoint, pause: pauserOf(surroundings), ...asked, tryOut }
    const opened = await openForWriting(storage, facts)
    loaded = await loadInto(surroundings, opened)
    const { report } = loaded
    const goesOn = report.damage === null && settings.at === 'latest'
    if (!goesOn) forked = await forkAt(storage, opened.manifest, report, facts, loaded.image)
    const manifest = forked?.manifest ?? opened.manifest
    // Who forks has made it durable.
    const unproven = goesOn ? report.unproven : null
    host = startWriter(surroundings, components, {
      manifest,
      acceptedEnd: report.end,
      unproven,
      compression: settings.compression,
      ioBytesPerSecondMax: settings.ioBytesPerSecondMax,
      upkeep: {
        retention: settings.keepsPast ? { ...settings.retention, keepUpTo: report.end.epoch } : settings.retention,
        tail: { rawBytes: loaded.tail.rawBytes, records: loaded.tail.records, logBytes: loaded.tail.logBytes },
        catalogue: loaded.tail.catalogue,
        follow: settings.memoryBytesMax !== Number.POSITIVE_INFINITY,
        ...(components.thresholds === undefined ? {} : { thresholds: components.thresholds }),
      },
    })
    const built = build(surroundings, loaded, manifest.token, host)
    const { space, collections, events } = built
    // `durable` and `close` are to say so of what was found, too: the roll before the epoch that they make sees to it.
    if (unproven !== null) space.catalogueChanged = true
    const loopLoad = surroundings.loopLoad()
    const keeps = surroundings.directory === MEMORY ? undefined : storage
    const schedule = startSchedule({ clock, loopLoad, settings: settings.cadence, events }, keeps)
    if (settings.untracked) {
      space.untracked = new Untracked(settings.sample, change => scheduler.immediate(() => events.emit('untracked', change)))
      for (const collection of collections.values()) space.untracked.loaded(collection)
    }
    const checkpointer = new Checkpointer({
      space,
      collections,
      host,
      clock,
      scheduler,
      inside,
      events: { ...forward(events, built), looked: schedule.looked },
      cadence: schedule.cadence,
      stallMsMax: settings.stallMsMax,
      pressed: components.pressed,
      epoch: report.end.epoch,
      listenersMs: () => events.listenersMs,
    })
    // No barrier waits for a hold once the engine has stopped.
    space.inHold = () => checkpointer.holds.inside && checkpointer.status !== 'failed' && checkpointer.status !== 'closed'
    built.countStallsIn(checkpointer)
    const writer = host
    if (onFiles) sweep(storage as FileStorage, clock)
    return new Store({
      ...built,
      checkpointer,
      cadence: schedule.cadence,
      restored: describeRestore(opened, loaded, clock.monotonic() - begin),
      points: () => listPoints(storage, () => checkpointer.epoch, pauserOf(surroundings)),
      ending: timeoutMs => {
        writer.post({ type: 'ending' })
        // Who was fenced writes nothing more.
        const keep = (): Promise<void> | undefined => (checkpointer.status === 'failed' ? undefined : schedule.stop())
        return new Ending({ clock, scheduler, ...built, writer, keep, unlock: () => lock?.release() }, timeoutMs)
      },
    })
  } catch (failure) {
    host?.terminate()
    // What a writer may have built upon stays.
    const told = host === undefined ? await forked?.takeBack(failure) : forked?.leave(failure)
    const error = await trial.told(told ?? failure)
    lock?.release()
    await loaded?.cold.close().catch(() => {})
    throw error
  }
}

function hasThread({ onFiles }: Surroundings, { writer }: Components): boolean {
  return onFiles && writer !== 'inline'
}

function startWriter(surroundings: Surroundings, components: Components, facts: WriterFacts): WriterHost {
  const { storage, clock, random, failpoint, scheduler, settings, Inline } = surroundings
  const { testing, fileBytesMax } = components
  const bound = fileBytesMax === undefined ? {} : { fileBytesMax }
  if (hasThread(surroundings, components)) {
    return new ThreadHost({ root: (storage as FileStorage).root, facts, testing: testing === true, ...bound })
  }
  const upkeep = { storage, scheduler, sliceMs: settings.stallMsMax * UPKEEP_SHARE }
  assert(Inline !== undefined, 'a writer without a thread is given')
  return new Inline({ storage, facts, clock, random, failpoint, upkeep, ...bound })
}

function loadInto(surroundings: Surroundings, opened: OpenedStore): Promise<LoadResult> {
  const { storage, settings, clock } = surroundings
  const monotonic = (): number => clock.monotonic()
  return load({ storage, opened, at: settings.at, onDamage: settings.onDamage, monotonic, pause: pauserOf(surroundings) })
}

/** For long work in slices of the stall budget. */
function pauserOf({ clock, scheduler, settings }: Surroundings): Pauser {
  return pauser({ clock, scheduler, sliceMs: settings.stallMsMax * SLICE_SHARE })
}

/** `writes`: the fencing token of one that does. */
function build(
  { settings, directory, clock, scheduler, storage, own, mapEntriesMax, loopLoad }: Surroundings,
  loaded: LoadResult,
  writes: number | undefined,
  host: WriterHost | undefined,
) {
  const { cold, tail, catalogue, image, layers } = loaded
  const { stallMsMax, memoryBytesMax: bytesMax } = settings
  const evicts = bytesMax !== Number.POSITIVE_INFINITY
  const access = new Histogram()
  const space = new Space(access, () => clock.monotonic(), bytesMax)
  space.nextId = tail.nextId
  space.mapEntriesMax = mapEntriesMax
  const codecs = new Map<string, ValueCodec>([tideCodec, ...settings.codecs].map(codec => [codec.name, codec]))
  const collections = new Map<string, Collection>()
  const encoded = new Set<string>()
  for (const { id, name, kind, codec: codecName, entries } of catalogue) {
    const codec = codecs.get(codecName) ?? absentCodec(codecName)
    if (!codecs.has(codecName)) encoded.add(name)
    const side = new ColdCollection(cold, id, codec)
    collections.set(name, new Collection(space, name, kind, codec, id, new Map(), { cold: side, coldCount: entries, evicts }))
  }
  if (evicts) space.coldOf = (id, codec) => ({ cold: new ColdCollection(cold, id, codec), coldCount: 0, evicts })
  const events = new Events()
  const upkeep = new Upkeep(foldedIn(image), events)
  const reader = { stalls: new Histogram(), stallBudget: new StallBudget(space, stallMsMax, info => events.emit('stall', info)) }
  let counting: Pick<Checkpointer, 'stalls' | 'stallBudget'> = reader
  const stalled = (ms: number): void => {
    counting.stalls.record(ms)
    counting.stallBudget.sliceEnded(ms)
  }
  const turns = { clock, scheduler, stallMsMax, stalled, collections: () => collections.values() }
  const evictor = evicts
    ? new Evictor({ ...turns, bytesMax, accessed: ms => access.record(ms), starved: () => host?.post({ type: 'fold' }) })
    : undefined
  if (evictor !== undefined) {
    space.enters = (collection, key, value, came) => evictor.enters(collection, key, value, came)
    space.changed = (collection, key) => evictor.changed(collection, key)
    space.left = collection => evictor.forget(collection)
  }
  const renewed = (collection: Collection): void => evictor?.renew(collection)
  const held: TailHolder = { table: tail.table, epoch: tail.epoch }
  const following = evicts ? new Following({ ...turns, storage, state: cold, layers, tail: held, renewed }) : undefined
  const order = new TouchOrder({ ...turns, storage, space, token: writes, useful: () => upkeep.stats.segments > 0 })
  const homecoming = new Homecoming(cold, {
    ...turns,
    unpack: host?.unpack?.bind(host),
    touched: () => order.load(),
    loopLoad: loopLoad(),
    mode: settings.hydrate,
    settleSome: () => held.table?.settleSome() ?? true,
    sortSome: () => held.table?.sortSome(SORT_RECORDS) ?? true,
  })
  // Whoever asks is told; nobody has to ask.
  homecoming.done.catch(() => {})
  space.significantFailed = failure => scheduler.immediate(() => events.emit('significantFailed', failure))
  return {
    settings,
    directory,
    space,
    events,
    access,
    coldReads: cold.reads,
    reader,
    collections,
    encoded,
    upkeep,
    following,
    order,
    hydration: () => homecoming.progress,
    memory: () =>
      evictor && { liveBytes: evictor.bytes, evicted: evictor.evicted, reads: cold.reads.snapshot(), lastError: following?.lastError },
    takeCodec: (collection: Collection, codec: ValueCodec): void => {
      if (codec !== collection.codec) {
        // What another one refused is to be tried with this one, though nothing else changes.
        if (space.refusedKeys(collection.id) > 0) space.catalogueChanged = true
        space.untracked?.recoded(collection.id)
      }
      collection.codec = codec
      collection.cold?.takeCodec(codec)
    },
    /** Slices of hydration count among the stalls. */
    countStallsIn: (checkpointer: Checkpointer): void => {
      counting = checkpointer
    },
    hydrated: () => homecoming.done,
    leave: async (): Promise<void> => {
      evictor?.stop()
      // First of those that may hang: somebody may wait for it.
      const home = homecoming.stop()
      await order.stop()
      await following?.stop()
      await home
    },
    closeFiles: async (): Promise<void> => {
      held.table = undefined
      evictor?.ended()
      await cold.close().catch(() => {})
      own?.end()
    },
  }
}

/** Records of the tail put in order between two looks at the clock: the first of them by code that was never run, at microseconds each. */
const SORT_RECORDS = 32

/** Temporary files of openers that died: in the background, and no failure when it fails. */
function sweep(storage: FileStorage, clock: Clock): void {
  for (const folder of [MANIFEST_FOLDER, ORDER_FOLDER, SCHEDULE_FOLDER])
    storage.removeTemporaries(folder, clock.now() - STALE_MS).catch(() => {})
}
