/**
 * Reads the retained log of a store for a profile, beside a living writer, and follows it while it is asked to.
 *
 * Does: begins at the first file that the manifest names (before the oldest fold point there is often more of it), goes on where it stood with
 * every later manifest. Owns: the place reached. Does not own: the judgement of the log (log/), figures (profiler.ts). Writes nothing.
 * Invariants: an epoch is counted once, and only when it was verified whole; what could not be read is said: epochs that the writer gave back
 * before they were read, damage, which counts only while the newest manifest, read again, still names what is damaged.
 */
import { resolve } from 'node:path'
import { systemClock } from '../base/clock.ts'
import { hasCode, TidemarkError } from '../base/errors.ts'
import { optionsIn } from '../base/given.ts'
import { READ_ATTEMPTS_MAX } from '../base/limits.ts'
import { systemPauser } from '../base/pauser.ts'
import { systemScheduler } from '../base/scheduler.ts'
import { countRecords, GENESIS, LOG_HEADER_BYTES, type LogEntry, type LogPosition, logNumbers, type Manifest } from '../format/index.ts'
import { holdsNothing, LogScan, openLog } from '../log/index.ts'
import { noStoreIn } from '../manifest/index.ts'
import { type OpenedStore, openAgain, openForReading } from '../restore/index.ts'
import { FileStorage, nameOf, type Storage } from '../storage/index.ts'
import type { Measuring } from './measure.ts'
import { Profiler, type ProfilerOptions } from './profiler.ts'
import type { Profile, ProfileOptions } from './types.ts'

/** What the reading stands on beside the storage; a simulation brings its own. */
export interface ProfileParts extends Measuring, Pick<ProfilerOptions, 'keysMax' | 'collectionsMax'> {
  /** Resolves about so many ms from now. */
  readonly wait: (ms: number) => Promise<void>
}

/** Between two looks for more. */
const POLL_MS = 200
const FOR_MS_MAX = 7 * 24 * 3_600_000

export async function profileDirectory(directory: string, options: ProfileOptions = {}): Promise<Profile> {
  const wait = (ms: number): Promise<void> => new Promise(done => void systemScheduler.after(ms, done, true))
  try {
    return await profileStore(new FileStorage(directory), options, { monotonic: systemClock.monotonic, pause: systemPauser(), wait })
  } catch (error) {
    throw noStoreIn(resolve(directory), error, 'correct the path')
  }
}

export async function profileStore(storage: Storage, options: ProfileOptions, parts: ProfileParts): Promise<Profile> {
  const { collection, forMs } = checkedOptions(options)
  const { keysMax, collectionsMax } = parts
  const profiler = new Profiler({
    collection,
    ...(keysMax === undefined ? {} : { keysMax }),
    ...(collectionsMax === undefined ? {} : { collectionsMax }),
  })
  const reader = new Reader(storage, profiler, parts.pause)
  if (forMs > 0) {
    await reader.skip()
    const begin = parts.monotonic()
    const end = begin + forMs
    profiler.followed(0)
    while (reader.whole && parts.monotonic() < end) {
      await parts.wait(Math.min(POLL_MS, Math.max(1, end - parts.monotonic())))
      await reader.read()
      profiler.followed(parts.monotonic() - begin)
    }
  } else await reader.read()
  if (collection !== undefined && reader.whole && profiler.isEmpty) profiler.known(await reader.names())
  return await profiler.report(parts)
}

function checkedOptions(options: ProfileOptions): { readonly collection: string | undefined; readonly forMs: number } {
  const fail = (what: string, hint = 'profile(directory, { collection, forMs })'): never => {
    throw new TidemarkError('TIDEMARK_ARGUMENT', what, { hint })
  }
  const refuse = (name: string, want: string): never => fail(`${name} must be ${want}`)
  const taken = optionsIn(options, ['collection', 'forMs'], (what, hint) => fail(`profile: ${what}`, hint))
  const { collection, forMs = 0 } = taken as ProfileOptions
  if (!(typeof forMs === 'number' && forMs >= 0 && forMs <= FOR_MS_MAX)) refuse('forMs', `a number from 0 to ${FOR_MS_MAX}`)
  if (collection !== undefined && (typeof collection !== 'string' || collection === '')) refuse('collection', 'the name of a collection')
  return { collection, forMs }
}

class Reader {
  /** False: damage ended the reading. */
  whole = true
  readonly #storage: Storage
  readonly #profiler: Profiler
  readonly #pause: Measuring['pause']
  #position: LogPosition | undefined
  /** Of the manifest that was read last. */
  #lineages: ReadonlySet<string> | undefined

  constructor(storage: Storage, profiler: Profiler, pause: Measuring['pause']) {
    this.#storage = storage
    this.#profiler = profiler
    this.#pause = pause
  }

  /** To the end of what is there, of which nothing is counted. */
  async skip(): Promise<void> {
    await this.#untilRead(false)
  }

  /** From where it stood to the end of what is there. */
  async read(): Promise<void> {
    await this.#untilRead(true)
  }

  /** Of the collections there are. None where the log cannot tell just now. */
  async names(): Promise<string[]> {
    const { manifest } = await openForReading(this.#storage, this.#pause)
    const { log, storeId, fold } = manifest
    const scan = new LogScan({ storage: this.#storage, storeId, log, from: fold ?? undefined, payloads: false, pause: this.#pause })
    const report = await scan.run().catch(error => {
      if (!hasCode(error, 'TIDEMARK_STORAGE') && !hasCode(error, 'TIDEMARK_LOG_DAMAGED')) throw error
    })
    const catalogue = report === undefined ? [] : (report.lastCommit?.catalogue ?? fold?.catalogue ?? [])
    return catalogue.map(({ name }) => name)
  }

  async #untilRead(count: boolean): Promise<void> {
    for (let attempt = 1; this.whole; attempt++) {
      const opened = await openForReading(this.#storage, this.#pause)
      const { manifest, damagedManifests, older } = opened
      for (const { file } of damagedManifests) this.#profiler.note(`${file} is damaged; the one before it was read`)
      if (older !== undefined) this.#profiler.note(older)
      const damage = await this.#readOn(opened, count).catch(error => {
        if (hasCode(error, 'TIDEMARK_STORAGE')) return error as TidemarkError
        throw error
      })
      if (damage === undefined) return
      // What cannot be read begins no epoch that counts.
      this.#profiler.takenBack()
      const newest = await openAgain(this.#storage, this.#pause)
      const moved = newest !== undefined && newest.manifest.number !== manifest.number
      if (moved && attempt < READ_ATTEMPTS_MAX) continue
      if (damage instanceof TidemarkError) throw damage
      this.#profiler.damaged(damage)
      this.whole = false
    }
  }

  /** What is wrong with the log; undefined: nothing. */
  async #readOn({ manifest, leftOverEpoch }: OpenedStore, count: boolean): Promise<Profile['history']['damage']> {
    const { log, storeId, fold: known } = manifest
    const from = await this.#resume(manifest, count)
    if (from === undefined) return undefined
    if ('message' in from) return from
    const scan = new LogScan({
      storage: this.#storage,
      storeId,
      log,
      leftOverEpoch,
      from,
      known,
      payloads: count,
      onDamage: 'fall-back',
      take: ({ bytes }) => void countRecords(bytes),
      pause: this.#pause,
    })
    let before = from
    for await (const item of scan) {
      if (item.type === 'block') {
        if (before.file !== item.file) this.#enter(before, item.file)
        before = before.file === item.file ? before : { ...before, file: item.file, bytes: LOG_HEADER_BYTES }
        this.#profiler.block(item.bytes, item.compression, item.commit)
        continue
      }
      const { position, commit } = item
      if (before.file !== position.file) this.#enter(before, position.file as string)
      const start = before.file === position.file ? before.bytes : LOG_HEADER_BYTES
      if (count) this.#profiler.commit(commit, position.bytes - start)
      before = this.#position = position
    }
    this.#position = scan.report.end
    const { damage, healed } = scan.report
    for (const { file, offset, what } of healed) this.#profiler.note(`${file} at ${offset}: ${what} is damaged; nothing is lost by it`)
    return damage === null ? undefined : { file: damage.file, offset: damage.offset, message: damage.message }
  }

  /** A file of another token was written by another opening of the store. */
  #enter(before: LogPosition, file: string): void {
    if (before.file !== null && tokenOf(before.file) !== tokenOf(file)) this.#profiler.restarted()
  }

  /** Where to read on: behind what was read, or at the first thing that is still there. Undefined: nothing is. */
  async #resume(manifest: Manifest, count: boolean): Promise<LogPosition | undefined | NonNullable<Profile['history']['damage']>> {
    const { log, lineage } = manifest
    // A fork takes the place of those that went on from its epoch, or a later one.
    const forks = lineage.filter(({ id }) => this.#lineages?.has(id) === false)
    if (forks.length > 0) this.#profiler.note('the store went back to an earlier point meanwhile: epochs that were given up are counted')
    let at = this.#position
    // Where nothing is there to go on in, the next look has to know of the fork, too.
    if (at === undefined || log.length > 0) this.#lineages = new Set(lineage.map(({ id }) => id))
    const here = at === undefined ? undefined : log.find(({ file }) => file === at?.file)
    if (at !== undefined && here !== undefined) {
      const { end, file } = here
      // A commit that failed is given up by a manifest, after it may have been read.
      return end === null || at.bytes <= end.bytes ? at : { file, ...end }
    }
    const forkEpoch = forks.reduce((least, fork) => Math.min(least, fork.forkEpoch), Number.POSITIVE_INFINITY)
    const isGivenUp = at !== undefined && at.epoch > forkEpoch
    if (at !== undefined && isGivenUp) {
      const last = log.find(({ end }) => end?.epoch === forkEpoch)
      if (last?.end != null) return { file: last.file, ...last.end }
      at = { ...at, epoch: forkEpoch }
    }
    // Of what is skipped only the end is of interest.
    for (const entry of at === undefined && !count ? log.slice(-1) : log) {
      const start = await this.#startOf(entry, manifest)
      if ('message' in start || at === undefined) return start
      const joins = start.epoch === at.epoch && (isGivenUp || start.digest === at.digest)
      // What it stood in was dropped: nothing in it counted.
      if (joins) this.#enter(at, start.file as string)
      if (joins) return start
      if (start.epoch > at.epoch) {
        this.#profiler.missed(start.epoch - at.epoch)
        return start
      }
    }
    return undefined
  }

  async #startOf(
    entry: LogEntry,
    { storeId, fold, log, retained }: Manifest,
  ): Promise<LogPosition | NonNullable<Profile['history']['damage']>> {
    const { file, end } = entry
    // Somebody fell back from its first epoch, and it may be damaged or lost.
    if (holdsNothing(entry, log[log.indexOf(entry) - 1]?.end ?? GENESIS)) return { file, ...entry.end }
    const opened = await openLog(this.#storage, entry, storeId, undefined)
    if (!('window' in opened)) {
      // A file that ends at the fold point, or at the oldest that is kept, is named for that point's sake: a copy does without it.
      const isAtFold = fold?.file === file && fold.epoch === end?.epoch && fold.bytes === end.bytes
      const isNamedOnly = isAtFold || (log[0] === entry && end !== null && end.epoch === retained[0]?.epoch)
      return isNamedOnly && !(await this.#storage.exists(file)) ? { file, ...end } : { file, ...opened }
    }
    await opened.window.file.close()
    return { file, bytes: opened.start, epoch: opened.header.baseEpoch, digest: opened.header.baseDigest }
  }
}

function tokenOf(file: string): number | undefined {
  return logNumbers(nameOf(file))?.token
}
