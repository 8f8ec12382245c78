/**
 * Removes files that nothing names any more: segments and log files of earlier manifests, of attempts that failed, of writers that died.
 *
 * Owns: since when a file is known to be dead. Does not own: what is kept (manifests say), removing manifests.
 * Invariants: a file goes only when the newest manifest, the one before it that verifies and every retained one (but for its log: the newest names
 * all of it that is kept) do without it, this was so a grace before, and no later writer has come; a file that somebody is writing is not looked at;
 * one that cannot be removed keeps no other. A segment that the newest names and that is not there is told of once, and is no failure: while it lives
 * the service may not need it, and the next restart does. What was dead when this run began, and for the last manifest but one of the run before, has
 * had its grace then: where no run is as long as a grace, nothing would ever go. Where a manifest that counts could not be read that is not known, and all wait a grace.
 * A manifest that the device does not give back may be whole, and count: nobody knows what it names, but it was there before it was asked for, and so
 * was all that it names, none of which was removed while it counted. So after UNREAD_MAX tries in a row it is taken to name every file that is there,
 * and what comes after that goes as ever. So is one of another history that stands under the number of a point that is kept: that of the point may be
 * put back. One that is damaged names nothing.
 * Readers hold descriptors, so none of them loses a file (RFC 0006).
 */
import { hasCode, TidemarkError } from '../base/errors.ts'
import type { Failpoint } from '../base/failpoint.ts'
import { LOG_FOLDER, logNumbers, MANIFEST_FOLDER, type Manifest, manifestName, SEGMENT_FOLDER, segmentNumbers } from '../format/index.ts'
import { filesOf, isOfPoint, listManifests, readManifest } from '../manifest/index.ts'
import { mayStayUnread, type Storage } from '../storage/index.ts'
import { RetainedNames } from './retained-names.ts'

export const GRACE_MS = 10_000
/** Tries in a row; a manifest that is not given back for longer is not waited for in this run. */
const UNREAD_MAX = 3

export interface CollectParts {
  readonly storage: Storage
  readonly monotonic: () => number
  readonly manifest: () => Manifest
  /** Rejects when another writer has come. */
  readonly check: () => Promise<void>
  /** A file of our own that no manifest names yet. */
  readonly inUse: (file: string) => boolean
  readonly failpoint: Failpoint
  /** Told of segments that the newest manifest names, and that are not there, when some are that were not before. */
  readonly missing: (error: TidemarkError) => void
  readonly graceMs: number
  /** Awaited between two files; rejects when it is time to end. */
  readonly pause: () => Promise<void>
}

interface Found {
  readonly file: string
  readonly token: number
}

export class Collector {
  readonly #parts: CollectParts
  /** The manifest that this run came with. */
  readonly #begun: Manifest
  /** Files known to be dead, and since when. */
  readonly #dead = new Map<string, number>()
  readonly #retained = new RetainedNames()
  /** What a manifest before the newest names, by number. */
  readonly #before = new Map<number, ReadonlySet<string>>()
  /** How often in a row a manifest was not given back, by number. */
  readonly #unread = new Map<number, number>()
  /** Segments that were missing in the last sweep, and were told of. */
  #missing: ReadonlySet<string> = new Set()
  removed = 0
  /** Why a file could not be removed in the last sweep, the first of them. */
  failure: unknown
  /** Files are kept for the manifest before the newest alone, as of the last sweep: they go with the next one that is published. */
  held = false
  /** What was dead when this run began is known. */
  looked = false

  constructor(parts: CollectParts) {
    this.#parts = parts
    this.#begun = parts.manifest()
  }

  /** Looks once; true when something is dead and still in its grace, or may have become so meanwhile. @throws TIDEMARK_FENCED */
  async sweep(): Promise<boolean> {
    const { storage, monotonic, manifest, check, graceMs, pause } = this.#parts
    this.failure = undefined
    const newest = manifest()
    const named = await this.#named(newest)
    const counted = this.looked ? undefined : await this.#countedBefore()
    const now = monotonic()
    const dead: string[] = []
    const all = await this.#all()
    const files = this.#removable(all, newest.token)
    await this.#tellMissing(newest, all)
    for (const file of files.keys()) if (!named.has(file)) dead.push(file)
    const still = new Set(dead)
    for (const file of this.#dead.keys()) if (!still.has(file)) this.#dead.delete(file)
    for (const file of dead) {
      const isOld = counted !== undefined && !counted.has(file) && (files.get(file) as number) < this.#begun.token
      if (!this.#dead.has(file)) this.#dead.set(file, isOld ? Number.NEGATIVE_INFINITY : now)
    }
    this.looked = true
    const due = dead.filter(file => now - (this.#dead.get(file) as number) >= graceMs)
    if (due.length === 0) return dead.length > 0 || manifest() !== newest
    // What names these files no more is on the device, and still the newest.
    await storage.syncFolder(MANIFEST_FOLDER)
    await check()
    if (manifest() !== newest) return true
    for (const file of due) {
      await pause()
      await this.#parts.failpoint('collect.remove')
      try {
        await storage.remove(file)
        this.#dead.delete(file)
        this.removed++
      } catch (error) {
        this.failure ??= error
      }
    }
    return dead.length > due.length || manifest() !== newest
  }

  async #tellMissing(newest: Manifest, all: readonly Found[]): Promise<void> {
    const missing = missingSegments(newest, all)
    const untold = missing.filter(file => !this.#missing.has(file))
    if (untold.length > 0) {
      // A later writer may have taken them, and where the directory is away all is.
      await this.#parts.check()
      if (this.#parts.manifest() !== newest) return
      this.#parts.missing(goneSegments(untold))
    }
    this.#missing = new Set(missing)
  }

  /** Files that the manifests that count name. */
  async #named(newest: Manifest): Promise<Pick<ReadonlySet<string>, 'has'>> {
    const { storage } = this.#parts
    const named = new Set(filesOf(newest))
    for (const point of newest.retained) {
      if (this.#retained.knows(point.number)) continue
      // Of the log the newest says what counts: from its oldest point on, without history that was given up.
      const names = await this.#namesOf(point.number, found =>
        isOfPoint(found, newest.storeId, point) ? filesOf({ ...found, log: [] }) : undefined,
      )
      this.#retained.add(point.number, names)
    }
    this.#retained.keep(newest.retained.map(point => point.number))
    this.held = false
    let before: number | undefined
    const older = (await listManifests(storage)).filter(number => number < newest.number).reverse()
    // The way back when the newest turns out to be damaged.
    for (const number of older) {
      const names = await this.#namesBefore(number)
      if (names === undefined) continue
      before = number
      for (const file of names) {
        if (!named.has(file) && !this.#retained.has(file)) this.held = true
        named.add(file)
      }
      break
    }
    for (const number of this.#before.keys()) if (number !== before) this.#before.delete(number)
    return { has: file => named.has(file) || this.#retained.has(file) }
  }

  /**
   * Files that counted when this run began, or for the manifest before the last one of the run before. Undefined: a fold point was dropped since,
   * and nobody knows what it named, or a manifest cannot be read, or is not there. Those that are retained still count now, too.
   */
  async #countedBefore(): Promise<ReadonlySet<string> | undefined> {
    const { number: begun, retained } = this.#begun
    const counted = new Set(filesOf(this.#begun))
    const kept = new Set(this.#parts.manifest().retained.map(point => point.number))
    if (retained.some(({ number }) => !kept.has(number))) return undefined
    // One that was not there, or did not verify, may do so at the next look: the directory was away, say.
    if ([...kept].some(number => !this.#retained.knows(number))) return undefined
    const numbers = await listManifests(this.#parts.storage)
    if (!numbers.includes(this.#parts.manifest().number)) return undefined
    // The first of them is the one that this run took over from.
    let runs = 2
    for (const number of numbers.filter(number => number < begun).reverse()) {
      let names: ReadonlySet<string> | undefined
      try {
        names = await this.#namesBefore(number)
      } catch (error) {
        if (hasCode(error, 'TIDEMARK_STORAGE')) return undefined
        throw error
      }
      for (const file of names ?? []) counted.add(file)
      if (names !== undefined && --runs === 0) break
    }
    return counted
  }

  async #namesBefore(number: number): Promise<ReadonlySet<string> | undefined> {
    const known = this.#before.get(number)
    if (known !== undefined) return known
    const names = await this.#namesOf(number, filesOf)
    if (names !== undefined) this.#before.set(number, names)
    return names
  }

  /**
   * Undefined: it does not verify, or is gone. Where `of` gives nothing it is not the one that is meant, and that one may be put back.
   * @throws where it is not given back, and is to be tried again
   */
  async #namesOf(number: number, of: (manifest: Manifest) => ReadonlySet<string> | undefined): Promise<ReadonlySet<string> | undefined> {
    try {
      await this.#parts.pause()
      const names = of(await readManifest(this.#parts.storage, number))
      this.#unread.delete(number)
      return names ?? (await this.#allNames())
    } catch (error) {
      if (hasCode(error, 'TIDEMARK_MANIFEST_DAMAGED') || !(await this.#parts.storage.exists(manifestName(number)))) return undefined
      if (!mayStayUnread(error)) throw error
      const times = (this.#unread.get(number) ?? 0) + 1
      this.#unread.set(number, times)
      if (times < UNREAD_MAX) throw error
      return await this.#allNames()
    }
  }

  /** Segments and log files up to our own token, but for those in use, with their tokens. */
  #removable(all: readonly Found[], token: number): Map<string, number> {
    const found = all.filter(of => of.token <= token && !this.#parts.inUse(of.file))
    return new Map(found.map(of => [of.file, of.token]))
  }

  async #allNames(): Promise<ReadonlySet<string>> {
    return new Set((await this.#all()).map(({ file }) => file))
  }

  /** All segments and log files there are. */
  async #all(): Promise<Found[]> {
    const found: Found[] = []
    for (const [folder, numbers] of [
      [SEGMENT_FOLDER, segmentNumbers],
      [LOG_FOLDER, logNumbers],
    ] as const) {
      for (const name of await this.#parts.storage.list(folder)) {
        const of = numbers(name)
        if (of !== undefined) found.push({ file: `${folder}/${name}`, token: of.token })
      }
    }
    return found
  }
}

/** Those that the manifest names, and that somebody took away. Files of the log are missed by commits. */
function missingSegments(manifest: Manifest, all: readonly Found[]): string[] {
  const there = new Set(all.map(({ file }) => file))
  return [...filesOf(manifest)].filter(file => file.startsWith(`${SEGMENT_FOLDER}/`) && !there.has(file))
}

function goneSegments(files: readonly string[]): TidemarkError {
  const file = files[0] as string
  const more = files.length > 1 ? `, and so are ${files.length - 1} more` : ''
  return new TidemarkError('TIDEMARK_STORAGE', `${file} is missing${more}: without it no restart comes to the newest state`, {
    file,
    hint: 'put it back; otherwise do not restart the service before its state is copied out of it',
  })
}
