/**
 * Puts into a manifest what a job made.
 *
 * Owns: when that was done last; what a manifest had no room for. Does not own: the manifest, what comes into it, which job is due.
 * Invariants: segments stay where a manifest that was begun may name them, and go where none can; what found no room is not written again as long as
 * the manifest names the same segments and points, or for some minutes.
 */
import { hasCode } from '../base/errors.ts'
import { assertRoom, type Manifest, type SegmentEntry } from '../format/index.ts'
import type { Storage } from '../storage/index.ts'
import type { FoldingParts } from './contract.ts'
import { discard } from './merge.ts'

/** What takes its room may go without a word here, as collections do. */
const FULL_MS = 600_000

export interface PublisherParts extends Pick<FoldingParts, 'budget' | 'monotonic' | 'manifest' | 'publish'> {
  /** Where segments are. */
  readonly storage: Storage
  /** The same for manifests: these are paced otherwise. */
  readonly manifests: Storage
  /** Bytes beyond which no new segments make a manifest longer. */
  readonly bytesMax: number
}

type Job = 'fold' | 'merge'

interface Refused {
  readonly manifest: Manifest
  readonly until: number
  readonly error: unknown
}

export class Publisher {
  publishedAt: number
  readonly #parts: PublisherParts
  readonly #refused = new Map<Job, Refused>()

  constructor(parts: PublisherParts) {
    this.#parts = parts
    this.publishedAt = parts.monotonic()
  }

  /** Before a job writes anything. @throws TIDEMARK_MANIFEST_FULL where the last one found no room, and nothing has made any */
  assertNotFull(job: Job): void {
    const refused = this.#refused.get(job)
    if (refused === undefined) return
    const { monotonic, manifest } = this.#parts
    const { young, base, retained } = manifest()
    const { manifest: then, until, error } = refused
    if (monotonic() < until && young === then.young && base === then.base && retained === then.retained) throw error
    this.#refused.delete(job)
  }

  /** Publishes what is made of the newest manifest. Gives whether there was anything to publish in the end. */
  plain(plan: (manifest: Manifest) => Manifest | undefined): Promise<boolean> {
    return this.#publish(plan, [])
  }

  /**
   * The same with the segments that `job` wrote for it, which go where nothing was published that could name them. Of a manifest that was begun nobody
   * knows. @throws TIDEMARK_MANIFEST_FULL
   */
  async withSegments(job: Job, plan: (manifest: Manifest) => Manifest | undefined, written: readonly SegmentEntry[]): Promise<boolean> {
    const { monotonic, manifest, bytesMax } = this.#parts
    let newest = manifest()
    const withRoom = (old: Manifest): Manifest | undefined => {
      newest = old
      const next = plan(old)
      if (next !== undefined) assertRoom(old, next, bytesMax)
      return next
    }
    try {
      return await this.#publish(withRoom, written)
    } catch (error) {
      if (hasCode(error, 'TIDEMARK_MANIFEST_FULL')) this.#refused.set(job, { manifest: newest, until: monotonic() + FULL_MS, error })
      throw error
    }
  }

  async #publish(plan: (manifest: Manifest) => Manifest | undefined, written: readonly SegmentEntry[]): Promise<boolean> {
    const { storage, manifests, budget, publish, monotonic } = this.#parts
    let begun = false
    let taken = false
    const watched = (manifest: Manifest): Manifest | undefined => {
      const next = plan(manifest)
      taken = next !== undefined
      begun ||= taken
      return next
    }
    try {
      await budget.upkeepSyncTurn()
      await publish(manifests, watched, written)
      this.publishedAt = monotonic()
      return taken
    } finally {
      if (!begun) await discard(storage, written)
    }
  }
}
