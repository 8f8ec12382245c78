/**
 * From epochs and their records to a profile.
 *
 * Does: counts by collection and in all, follows keys, keeps a sample of runs; at the end estimates, measures and recommends.
 * Owns: the counters, and the memory they may take together. Does not own: where epochs come from (read.ts), what is recommended.
 * Invariants: memory is bounded whatever the history: at most PROFILE_COLLECTIONS_MAX collections are counted by themselves, the others together;
 * the samples of keys have at most PROFILE_KEYS_MAX rows in all, and where they would have more, the largest is halved.
 */
import { crc32 } from 'node:zlib'
import { HOUR_MS } from '../base/durations.ts'
import { TidemarkError } from '../base/errors.ts'
import { PROFILE_COLLECTIONS_MAX, PROFILE_KEYS_MAX } from '../base/limits.ts'
import { type CatalogueEntry, type Commit, hashPlace, RECORD_TOMBSTONE, RecordCursor } from '../format/index.ts'
import { CollectionCounts, type Keys, keysOf, keysOfAll } from './collection-counts.ts'
import { intervalEffects } from './intervals.ts'
import { LogCompression } from './log-compression.ts'
import { type Measuring, measureBlocks, measureLog, measureSpans } from './measure.ts'
import { compressing, recommend } from './recommend.ts'
import { RunSample } from './run-sample.ts'
import { Spans } from './spans.ts'
import { lullsOf, perSecond, Timeline } from './timeline.ts'
import type { CollectionProfile, Profile } from './types.ts'

export interface ProfilerOptions {
  readonly collection?: string | undefined
  readonly keysMax?: number
  readonly collectionsMax?: number
}

export type EpochFacts = Pick<Commit, 'epoch' | 'timeMs' | 'blockBytes' | 'rawBytes' | 'catalogue'>

/** Seeds of the second hash of a key and of a print. */
const SEED_2 = 0x5bd1e995
const SEED_PRINT = 0x1b56c4e9
/** 32 bits and 21 others make a whole number. */
const PRINT_SCALE = 2 ** 21
const PRINT_SHIFT = 11
/** Of the collections that there are, in a hint. */
const NAMES_SHOWN = 20
/** One gap of more than this part of the time, and of so many intervals, is told: it may be a clock that was set. */
const GAP_SHARE_MAX = 0.5
const GAP_INTERVALS_MIN = 100
/** Of those counted together. */
const OTHERS = '(others)'
const OTHERS_KEY = ''

export class Profiler {
  readonly #collection: string | undefined
  readonly #keysMax: number
  readonly #collectionsMax: number
  /** By kind and name; those beyond the bound under OTHERS_KEY. */
  readonly #counts = new Map<string, CollectionCounts>()
  readonly #all = new CollectionCounts('(all)', 'several')
  /** By id, of the epoch under way. Undefined: in the catalogue, and not asked for. */
  readonly #byId = new Map<number, CollectionCounts | undefined>()
  readonly #names = new Set<string>()
  /** Collections in the last catalogue. */
  #inCatalogue = 0
  readonly #spans = new Spans()
  readonly #timeline = new Timeline()
  readonly #runs = new RunSample()
  readonly #compression = new LogCompression()
  readonly #notes: string[] = []
  #sampledKeys = 0
  #under: { records: number; bytes: number } | undefined
  #first: EpochFacts | undefined
  #last: EpochFacts | undefined
  /** The epoch before is the last one: nothing lies between. */
  #joined = false
  /** Epochs of whose time nothing is known yet. */
  #waiting: { readonly timeMs: number; readonly records: number; readonly bytes: number }[] = []
  /** The longest, and the epoch behind it. */
  #longest = { gapMs: 0, epoch: 0 }
  #epochs = 0
  #logBytes = 0
  #blockBytes = 0
  #rawBytes = 0
  #restarts = 0
  #missedEpochs = 0
  #followedMs: number | undefined
  #damage: Profile['history']['damage']

  constructor({ collection, keysMax = PROFILE_KEYS_MAX, collectionsMax = PROFILE_COLLECTIONS_MAX }: ProfilerOptions = {}) {
    this.#collection = collection
    this.#keysMax = keysMax
    this.#collectionsMax = collectionsMax
  }

  /** A block of an epoch, whole records; its epoch ends with `commit`. */
  block(bytes: Buffer, compression: number, commit: EpochFacts): void {
    if (this.#under === undefined) this.#begin(commit)
    this.#compression.add(bytes, compression)
    const cursor = new RecordCursor(bytes)
    for (let start = 0; cursor.next(); start = cursor.at) {
      const counts = this.#byId.get(cursor.collection)
      if (counts === undefined) continue
      this.#record(counts, cursor, start)
      if (this.#runs.wants) this.#runs.add(bytes, start, cursor.at)
    }
  }

  /** The end of an epoch that takes `logBytes` in the log. */
  commit(commit: EpochFacts, logBytes: number): void {
    if (this.#under === undefined) this.#begin(commit)
    const { records, bytes } = this.#under as { records: number; bytes: number }
    this.#under = undefined
    for (const counts of [this.#all, ...new Set(this.#byId.values())]) counts?.endEpoch()
    this.#runs.endEpoch()
    this.#epochs++
    this.#logBytes += logBytes
    this.#blockBytes += commit.blockBytes
    this.#rawBytes += commit.rawBytes
    this.#addTime(commit, records, bytes)
    this.#first ??= commit
    this.#last = commit
    this.#joined = true
  }

  /** The epoch of the last blocks, if its end did not come, does not count. */
  takenBack(): void {
    if (this.#under === undefined) return
    for (const counts of [this.#all, ...new Set(this.#byId.values())]) counts?.dropEpoch()
    this.#break()
    this.note('an epoch was taken back while it was read: what is said of keys and of sizes of records counts a part of it')
  }

  /** The store was opened anew before the next epoch: how long nobody wrote because nobody was there is not known. */
  restarted(): void {
    if (this.#epochs > 0) this.#restarts++
    this.#break()
  }

  /** Epochs before the next one were given back before they could be read. */
  missed(epochs: number): void {
    this.#missedEpochs += epochs
    this.#break()
  }

  /**
   * The store was looked at for so long by now: what was not written in it counts, too. Told before each look, so that the time before an epoch of
   * which nobody else knows it has its place.
   */
  followed(ms: number): void {
    this.#followedMs = ms
  }

  /** No epoch was counted. */
  get isEmpty(): boolean {
    return this.#epochs === 0
  }

  /** Collections that there are, though no epoch tells. */
  known(names: readonly string[]): void {
    for (const name of names) this.#names.add(name)
  }

  damaged(damage: NonNullable<Profile['history']['damage']>): void {
    this.#damage = damage
  }

  note(text: string): void {
    if (!this.#notes.includes(text)) this.#notes.push(text)
  }

  /** @throws TIDEMARK_ARGUMENT when the collection asked for was in no catalogue */
  async report(measuring: Measuring): Promise<Profile> {
    const coveredMs = this.#coverRest()
    const counts = [...this.#counts.values()].filter(({ records }) => records > 0)
    const isTold = this.#epochs > 0 || this.#names.size > 0
    if (this.#collection !== undefined && isTold && !this.#names.has(this.#collection)) throw this.#noSuchCollection()
    const gap = this.#gapOf(coveredMs)
    const history = { ...this.#history(coveredMs, gap), compression: await this.#compression.found(measuring) }
    const each = counts.map(({ keys }) => keysOf(keys))
    const keys = keysOfAll(counts, each)
    const all = this.#all.profile(coveredMs, keys)
    const named = counts.map((one, index) => one.profile(coveredMs, each[index] as Keys))
    const alive = new Set(this.#byId.values())
    const there = named.filter((_, index) => alive.has(counts[index]))
    const byBytes = (a: CollectionProfile, b: CollectionProfile): number => b.bytes - a.bytes
    const { runs } = this.#runs
    const ratios = await measureSpans(runs, compressing(history.compression), measuring)
    const blocks = await measureBlocks(runs, measuring)
    const shareOfAll = this.#rawBytes === 0 ? 0 : all.bytes / this.#rawBytes
    const intervals = intervalEffects({
      history: { ...history, logBytes: this.#logBytes * shareOfAll, blockBytes: this.#blockBytes * shareOfAll },
      left: keys.estimates.merged.map(({ bytes }) => bytes),
      ratios,
      spans: this.#spans,
    })
    const steps = this.#timeline.steps(history.intervalMs)
    const rates = (sums: readonly number[]): number[] => sums.map(sum => perSecond(sum, steps.stepMs))
    const profile = {
      ok: this.#damage === undefined,
      history,
      all,
      collections: named.toSorted(byBytes),
      rate: { stepMs: steps.stepMs, recordsPerSecond: rates(steps.records), bytesPerSecond: rates(steps.bytes) },
      daily: this.#timeline.daily(gap === undefined),
      lulls: lullsOf(steps),
      intervals,
      blocks,
    }
    const logRatios = this.#collection === undefined ? await measureLog(runs, measuring) : undefined
    // What was deleted needs no settings.
    const recommendations = recommend({ ...profile, collections: there.sort(byBytes) }, { collections: this.#inCatalogue, logRatios })
    return { ...profile, recommendations }
  }

  /** What is to be said of a gap that is most of the time. */
  #gapOf(coveredMs: number): string | undefined {
    const { gapMs, epoch } = this.#longest
    if (gapMs <= GAP_SHARE_MAX * coveredMs || gapMs < GAP_INTERVALS_MIN * this.#spans.intervalMs) return undefined
    const time = gapMs < HOUR_MS ? `${Math.round(gapMs / 1000)} s` : `${(gapMs / HOUR_MS).toFixed(1)} h`
    return `between epochs ${epoch - 1} and ${epoch} lie ${time}, most of the time: nothing was written, or the clock was set; rates and lulls count it`
  }

  #history(coveredMs: number, gap: string | undefined): Omit<Profile['history'], 'compression'> {
    return {
      epochs: this.#epochs,
      firstEpoch: this.#first?.epoch ?? 0,
      lastEpoch: this.#last?.epoch ?? 0,
      fromMs: this.#first?.timeMs ?? 0,
      toMs: this.#last?.timeMs ?? 0,
      coveredMs,
      restarts: this.#restarts,
      missedEpochs: this.#missedEpochs,
      intervalMs: this.#spans.intervalMs,
      regularShare: this.#spans.regularShare,
      logBytes: this.#logBytes,
      blockBytes: this.#blockBytes,
      rawBytes: this.#rawBytes,
      damage: this.#damage,
      notes: gap === undefined ? this.#notes : [...this.#notes, gap],
    }
  }

  #begin(commit: EpochFacts): void {
    this.#under = { records: 0, bytes: 0 }
    this.#useCatalogue(commit.catalogue)
    this.#spans.next(this.#gapBefore(commit))
    this.#runs.beginEpoch()
  }

  /** Covered time between the epoch before and this one. A clock that was put back says nothing. */
  #gapBefore(commit: EpochFacts): number | undefined {
    if (!this.#joined || this.#last === undefined) return undefined
    return Math.max(0, commit.timeMs - this.#last.timeMs)
  }

  #addTime(commit: EpochFacts, records: number, bytes: number): void {
    const gapMs = this.#gapBefore(commit)
    const epoch = { timeMs: commit.timeMs, records, bytes }
    if (gapMs !== undefined && gapMs > this.#longest.gapMs) this.#longest = { gapMs, epoch: commit.epoch }
    if (gapMs !== undefined) this.#coverWaiting()
    if (gapMs !== undefined) this.#timeline.add(epoch.timeMs, gapMs, records, bytes)
    else if (this.#followedMs === undefined) this.#waiting.push(epoch)
    else this.#timeline.add(epoch.timeMs, this.#uncoveredMs, records, bytes)
  }

  /** Of the time it was followed, that no epoch speaks of. */
  get #uncoveredMs(): number {
    return Math.max(0, (this.#followedMs ?? 0) - this.#timeline.coveredMs)
  }

  /** Gives the time covered. Behind the last epoch nothing was written. */
  #coverRest(): number {
    this.#coverWaiting()
    const leftMs = this.#uncoveredMs
    if (leftMs > 0 && this.#last !== undefined) this.#timeline.add(this.#last.timeMs + leftMs, leftMs, 0, 0)
    return Math.max(this.#timeline.coveredMs, this.#followedMs ?? 0)
  }

  /** The first epoch of a stretch took as long as they usually do. */
  #coverWaiting(): void {
    const { intervalMs } = this.#spans
    if (intervalMs === 0) return
    for (const { timeMs, records, bytes } of this.#waiting) this.#timeline.add(timeMs, intervalMs, records, bytes)
    this.#waiting = []
  }

  #break(): void {
    this.#joined = false
    this.#under = undefined
    this.#runs.break()
  }

  #useCatalogue(catalogue: readonly CatalogueEntry[]): void {
    this.#byId.clear()
    this.#inCatalogue = catalogue.length
    this.#all.entries = 0
    // Those that the catalogue no longer has were deleted.
    for (const counts of this.#counts.values()) counts.entries = 0
    for (const { id, kind, name, entries } of catalogue) {
      if (this.#collection !== undefined) {
        if (this.#names.size < this.#collectionsMax || name === this.#collection) this.#names.add(name)
        if (name !== this.#collection) continue
      }
      const counts = this.#countsOf(kind, name)
      this.#byId.set(id, counts)
      counts.entries += entries
      this.#all.entries += entries
    }
  }

  #countsOf(kind: CatalogueEntry['kind'], name: string): CollectionCounts {
    const known =
      this.#counts.get(`${kind} ${name}`) ?? (this.#counts.size >= this.#collectionsMax ? this.#counts.get(OTHERS_KEY) : undefined)
    if (known !== undefined) return known
    const full = this.#counts.size >= this.#collectionsMax
    const counts = full ? new CollectionCounts(OTHERS, 'several') : new CollectionCounts(name, kind)
    this.#counts.set(full ? OTHERS_KEY : `${kind} ${name}`, counts)
    if (full) this.note(`collections beyond the first ${this.#collectionsMax} are counted together`)
    return counts
  }

  #record(counts: CollectionCounts, cursor: RecordCursor, start: number): void {
    const { bytes, collection, keyStart, keyEnd, valueStart, valueEnd, at } = cursor
    const size = at - start
    const deleted = cursor.kind === RECORD_TOMBSTONE
    counts.add(size, deleted)
    this.#all.add(size, deleted)
    const under = this.#under as { records: number; bytes: number }
    under.records++
    under.bytes += size
    const before = counts.keys.sampledKeys
    const hash = hashPlace(collection, bytes, keyStart, keyEnd)
    const hash2 = hashPlace(collection ^ SEED_2, bytes, keyStart, keyEnd)
    const print = deleted ? -1 : printOf(bytes, valueStart, valueEnd)
    counts.keys.add(hash, hash2, size, print, this.#spans)
    this.#sampledKeys += counts.keys.sampledKeys - before
    while (this.#sampledKeys > this.#keysMax) this.#halveLargest()
  }

  #halveLargest(): void {
    const [largest] = [...this.#counts.values()].sort((a, b) => b.keys.sampledKeys - a.keys.sampledKeys)
    const { keys } = largest as CollectionCounts
    const before = keys.sampledKeys
    keys.halve()
    this.#sampledKeys += keys.sampledKeys - before
  }

  #noSuchCollection(): TidemarkError {
    const names = [...this.#names].sort().slice(0, NAMES_SHOWN).join(', ')
    // Not all of them are noted, so how many is not said.
    const more = this.#names.size > NAMES_SHOWN ? ' and more: tidemark status' : ''
    return new TidemarkError('TIDEMARK_ARGUMENT', `there is no collection '${this.#collection}' in the history`, {
      hint: `there are: ${names}${more}`,
    })
  }
}

/** Two values of equal print and length are taken for the same: 53 bits, and nothing but a figure rests on it. */
function printOf(bytes: Buffer, start: number, end: number): number {
  return crc32(bytes.subarray(start, end)) * PRINT_SCALE + (hashPlace(SEED_PRINT, bytes, start, end) >>> PRINT_SHIFT)
}
