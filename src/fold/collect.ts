/**
 * Removes files that nothing names any more: segments and log files of earlier manifests, of attempts that failed, of writers that died.
 *
 * Owns: since when a file is known to be dead. Does not own: what is kept (manifests say), removing manifests.
 * Invariants: a file goes only when the newest manifest, the one before it that verifies and every retained one (from its own fold point on) do
 * without it, this was so a grace before, and no later writer has come; a file that somebody is writing is not looked at; one that cannot be
 * removed keeps no other. What was dead when this run began, and for the last manifest but one of the run before, has had its grace then:
 * where no run is as long as a grace, nothing would ever go.
 * Readers hold descriptors, so none of them loses a file (RFC 0006).
 */
import { hasCode } from '../base/errors.ts'
import type { Failpoint } from '../base/failpoint.ts'
import { LOG_FOLDER, logNumbers, MANIFEST_FOLDER, type Manifest, manifestName, SEGMENT_FOLDER, segmentNumbers } from '../format/index.ts'
import { filesOf, listManifests, readManifest, standsOn } from '../manifest/index.ts'
import type { Storage } from '../storage/index.ts'

export const GRACE_MS = 10_000

export interface CollectParts {
  readonly storage: Storage
  readonly monotonic: () => number
  readonly manifest: () => Manifest
  /** Rejects when another writer has come. */
  readonly check: () => Promise<void>
  /** A file of our own that no manifest names yet. */
  readonly inUse: (file: string) => boolean
  readonly failpoint: Failpoint
  readonly graceMs: number
  /** Awaited between two files; rejects when it is time to end. */
  readonly pause: () => Promise<void>
}

type Names = Map<number, ReadonlySet<string>>

export class Collector {
  readonly #parts: CollectParts
  /** The manifest that this run came with. */
  readonly #begun: Manifest
  /** Files known to be dead, and since when. */
  readonly #dead = new Map<string, number>()
  /** What retained manifests stand on, and what the one before the newest names, by number. */
  readonly #retained: Names = new Map()
  readonly #before: Names = new Map()
  removed = 0
  /** Why a file could not be removed in the last sweep: the first of them. */
  failure: unknown
  /** Files are kept for the manifest before the newest alone, as of the last sweep: they go with the next one that is published. */
  held = false
  /** What was dead when this run began is known. */
  looked = false

  constructor(parts: CollectParts) {
    this.#parts = parts
    this.#begun = parts.manifest()
  }

  /** Looks once; true when something is dead and still in its grace. @throws TIDEMARK_FENCED */
  async sweep(): Promise<boolean> {
    const { storage, monotonic, manifest, check, graceMs, pause } = this.#parts
    this.failure = undefined
    const newest = manifest()
    const named = await this.#named(newest)
    const counted = this.looked ? undefined : await this.#countedBefore()
    const now = monotonic()
    const dead: string[] = []
    const files = await this.#files(newest.token)
    for (const file of files.keys()) if (!named.has(file)) dead.push(file)
    const still = new Set(dead)
    for (const file of this.#dead.keys()) if (!still.has(file)) this.#dead.delete(file)
    for (const file of dead) {
      const isOld = counted !== undefined && !counted.has(file) && (files.get(file) as number) < this.#begun.token
      if (!this.#dead.has(file)) this.#dead.set(file, isOld ? Number.NEGATIVE_INFINITY : now)
    }
    this.looked = true
    const due = dead.filter(file => now - (this.#dead.get(file) as number) >= graceMs)
    if (due.length === 0) return dead.length > 0
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
    return dead.length > due.length
  }

  /** Files that the manifests that count name. */
  async #named(newest: Manifest): Promise<ReadonlySet<string>> {
    const { storage } = this.#parts
    const named = new Set(filesOf(newest))
    const kept = new Set(newest.retained.map(point => point.number))
    // The log before its fold point is for points that it kept, and the newest keeps no more.
    for (const number of kept) for (const file of (await this.#namesOf(number, this.#retained, standsOn)) ?? []) named.add(file)
    this.held = false
    let before: number | undefined
    const older = (await listManifests(storage)).filter(number => number < newest.number).reverse()
    // The way back when the newest turns out to be damaged.
    for (const number of older) {
      const names = await this.#namesOf(number, this.#before, filesOf)
      if (names === undefined) continue
      before = number
      for (const file of names) {
        if (!named.has(file)) this.held = true
        named.add(file)
      }
      break
    }
    for (const number of this.#retained.keys()) if (!kept.has(number)) this.#retained.delete(number)
    for (const number of this.#before.keys()) if (number !== before) this.#before.delete(number)
    return named
  }

  /**
   * Files that counted when this run began, or for the manifest before the last one of the run before. Undefined: a fold point was dropped since,
   * and nobody knows what it named.
   */
  async #countedBefore(): Promise<ReadonlySet<string> | undefined> {
    const { number: begun, retained } = this.#begun
    const counted = new Set(filesOf(this.#begun))
    const kept = new Set(this.#parts.manifest().retained.map(point => point.number))
    for (const { number } of retained) {
      if (!kept.has(number)) return undefined
      for (const file of this.#retained.get(number) ?? []) counted.add(file)
    }
    // The first of them is the one that this run took over from.
    let runs = 2
    for (const number of (await listManifests(this.#parts.storage)).filter(number => number < begun).reverse()) {
      const names = await this.#namesOf(number, this.#before, filesOf)
      for (const file of names ?? []) counted.add(file)
      if (names !== undefined && --runs === 0) break
    }
    return counted
  }

  /** Undefined: it does not verify, or is gone. */
  async #namesOf(number: number, known: Names, of: (manifest: Manifest) => ReadonlySet<string>): Promise<ReadonlySet<string> | undefined> {
    const before = known.get(number)
    if (before !== undefined) return before
    try {
      await this.#parts.pause()
      const names = of(await readManifest(this.#parts.storage, number))
      known.set(number, names)
      return names
    } catch (error) {
      if (hasCode(error, 'TIDEMARK_MANIFEST_DAMAGED') || !(await this.#parts.storage.exists(manifestName(number)))) return undefined
      throw error
    }
  }

  /** Segments and log files up to our own token, but for those in use, with their tokens. */
  async #files(token: number): Promise<Map<string, number>> {
    const { storage, inUse } = this.#parts
    const found = new Map<string, number>()
    for (const [folder, numbers] of [
      [SEGMENT_FOLDER, segmentNumbers],
      [LOG_FOLDER, logNumbers],
    ] as const) {
      for (const name of await storage.list(folder)) {
        const of = numbers(name)
        const file = `${folder}/${name}`
        if (of !== undefined && of.token <= token && !inUse(file)) found.set(file, of.token)
      }
    }
    return found
  }
}
