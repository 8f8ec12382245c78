/**
 * Follows what the writer folds and merges, so that the cold side stands on the newest segments: only then may entries go back to them.
 *
 * Does: opens and describes what a manifest names, then puts it in place, in one turn, and gives back what is named no more.
 * Owns: the segments of the view, once it was given them. Does not own: the manifest, which entries go back (evictor.ts).
 * Invariants: a view holds all that the one before it held, and no epoch that is not acknowledged; a manifest that cannot be followed leaves
 * the view as it was, and the next one is tried; nothing is thrown.
 */
import type { Collection } from '../capture/index.ts'
import type { Manifest } from '../format/index.ts'
import { Image, openSegments, type RecordTable, type Reused } from '../image/index.ts'
import type { Storage } from '../storage/index.ts'
import type { ColdState } from './cold-state.ts'

export interface FollowingParts {
  readonly storage: Storage
  readonly state: ColdState
  readonly layers: Reused
  /** What was read of the log, up to `epoch`: needed until segments hold as much. */
  readonly tail: { readonly table: RecordTable; readonly epoch: number }
  /** Those alive now. */
  readonly collections: () => Iterable<Collection>
}

export class Following {
  readonly #parts: FollowingParts
  #layers: Reused
  #next: Manifest | undefined
  #running: Promise<void> | undefined
  #stopped = false

  constructor(parts: FollowingParts) {
    this.#parts = parts
    this.#layers = parts.layers
  }

  /** A newer manifest. Of several that come while one is being opened, the last one counts. */
  take(manifest: Manifest): void {
    if (this.#stopped) return
    this.#next = manifest
    this.#running ??= this.#run()
  }

  /** Resolves when nothing is under way any more. */
  async stop(): Promise<void> {
    this.#stopped = true
    await this.#running
  }

  async #run(): Promise<void> {
    for (let manifest = this.#next; manifest !== undefined && !this.#stopped; manifest = this.#next) {
      this.#next = undefined
      // Its files may be gone again already; then a newer manifest is on its way.
      await this.#follow(manifest).catch(() => {})
    }
    this.#running = undefined
  }

  async #follow(manifest: Manifest): Promise<void> {
    const { storage, state, tail, collections } = this.#parts
    const before = new Set(this.#layers.segments)
    const layers = await openSegments(storage, manifest, this.#layers)
    try {
      for (const segment of layers.segments) await segment.describe()
    } catch (error) {
      for (const segment of layers.segments) if (!before.has(segment)) await segment.close().catch(() => {})
      throw error
    }
    const { segments, young, base } = layers
    if (this.#stopped) {
      for (const segment of segments) if (!before.has(segment)) await segment.close().catch(() => {})
      return
    }
    const folded = manifest.fold?.epoch ?? 0
    const tables = folded < tail.epoch && tail.table.records > 0 ? [tail.table] : []
    const left = state.exchange({ image: new Image({ tables, young, base }), segments })
    for (const { cold } of collections()) cold?.exchanged(Math.max(folded, tail.epoch))
    this.#layers = layers
    for (const segment of left) await segment.close().catch(() => {})
  }
}
