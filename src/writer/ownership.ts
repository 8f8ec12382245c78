/**
 * The newest manifest, as its only author knows it: what is published next builds upon it, and a stranger's means that the store is not ours
 * any more.
 *
 * Owns: the newest manifest of this writer. Does not own: what the next one says, when one is due.
 * Invariants: of an attempt that failed half way what counts is what is in the storage: a manifest of our own that is there is the newest. One
 * is published at a time; upkeep's are published beside the log, and a commit's check of the token waits for none of them: what it finds
 * there is ours or a stranger's.
 */
import { hasCode, TidemarkError } from '../base/errors.ts'
import type { Failpoint } from '../base/failpoint.ts'
import { type Manifest, manifestName } from '../format/index.ts'
import { pruneManifests, publish, readManifest } from '../manifest/index.ts'
import type { Storage } from '../storage/index.ts'

export class Ownership {
  manifest: Manifest
  readonly #storage: Storage
  readonly #failpoint: Failpoint
  #turn: Promise<void> = Promise.resolve()

  constructor(storage: Storage, failpoint: Failpoint, manifest: Manifest) {
    this.#storage = storage
    this.#failpoint = failpoint
    this.manifest = manifest
  }

  /** Publishes what `plan` makes of the newest manifest, unless that is undefined. @throws TIDEMARK_FENCED */
  publish(plan: (manifest: Manifest) => Manifest | undefined): Promise<void> {
    return this.#inTurn(() => this.#publish(this.#storage, plan))
  }

  /** The same for upkeep, through a storage of its own. */
  publishBeside(storage: Storage, plan: (manifest: Manifest) => Manifest | undefined): Promise<void> {
    return this.#inTurn(async () => {
      await this.check()
      await this.#failpoint('fold.manifest')
      await this.#publish(storage, plan)
      await pruneManifests(storage, this.manifest)
    })
  }

  /** Removes manifests that nobody needs; failing to is no failure. */
  prune(): Promise<void> {
    return this.#inTurn(() => pruneManifests(this.#storage, this.manifest))
  }

  /** @throws TIDEMARK_FENCED when another writer has published */
  async check(): Promise<void> {
    for (;;) {
      const next = this.manifest.number + 1
      if (!(await this.#storage.exists(manifestName(next)))) return
      this.#advance(await this.#ownManifest(next))
    }
  }

  async #publish(storage: Storage, plan: (manifest: Manifest) => Manifest | undefined): Promise<void> {
    for (;;) {
      const next = plan(this.manifest)
      if (next === undefined) return
      if ((await publish(storage, next, this.#failpoint)) === 'ours') {
        this.#advance(next)
        return
      }
      this.#advance(await this.#ownManifest(next.number))
    }
  }

  /** A check that began before something was published may know of it later. */
  #advance(manifest: Manifest): void {
    if (manifest.number > this.manifest.number) this.manifest = manifest
  }

  /** One after the other; the failure of one is its own. */
  #inTurn(run: () => Promise<void>): Promise<void> {
    const turn = this.#turn.then(run)
    this.#turn = turn.catch(() => {})
    return turn
  }

  /** The manifest under this number, when an attempt of ours that failed left it there. */
  async #ownManifest(number: number): Promise<Manifest> {
    let found: Manifest
    try {
      found = await readManifest(this.#storage, number)
    } catch (error) {
      if (hasCode(error, 'TIDEMARK_STORAGE')) throw error
      throw fenced(number)
    }
    if (found.writer !== this.manifest.writer || found.token !== this.manifest.token) throw fenced(number)
    return found
  }
}

function fenced(number: number): TidemarkError {
  return new TidemarkError('TIDEMARK_FENCED', `another writer has opened this store (manifest ${number})`, {
    hint: 'this process no longer owns the store; end it, or open the store again to take it back',
    info: { number },
  })
}
