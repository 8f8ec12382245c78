/**
 * Behind a newest manifest that is lost, what an opening for writing would stand on is read before it publishes anything: behind what it publishes nobody
 * looks any more for files of the log that the lost one alone named, so an open that rejects is to have published nothing.
 *
 * Owns: whether that was tried, and what is told where the open rejects all the same. Does not own: when it is tried (open.ts), what is read.
 * Invariant: what was read is thrown away: a writer that goes on meanwhile counts up to the takeover, so the log is read again behind it.
 */
import { TidemarkError } from '../base/errors.ts'
import { listManifests, readManifest } from '../manifest/index.ts'
import type { Storage } from '../storage/index.ts'
import type { LoadResult } from './load.ts'
import type { OpenedStore } from './open.ts'

export class Trial {
  readonly #storage: Storage
  readonly #load: (opened: OpenedStore) => Promise<LoadResult>
  #held: OpenedStore | undefined

  constructor(storage: Storage, load: (opened: OpenedStore) => Promise<LoadResult>) {
    this.#storage = storage
    this.#load = load
  }

  /** With what is about to be published. @throws what `load` throws */
  async run(opened: OpenedStore): Promise<void> {
    const { cold } = await this.#load(opened)
    await cold.close().catch(() => {})
    this.#held = opened
  }

  /** The error to reject with: behind a trial that held the device may fail, or read otherwise, once something is published. */
  async told(failure: unknown): Promise<unknown> {
    const opened = this.#held
    if (opened === undefined || !(await this.#isPublished(opened))) return failure
    const lost = opened.damagedManifests[0]?.file ?? 'manifests that are not there'
    const { message } = failure as Error
    const { code, file, info, hint }: Partial<TidemarkError> = failure instanceof TidemarkError ? failure : {}
    const what = `${message}; and the store may have been taken over: files of the log that only ${lost} named, and that were not found, are not looked for any more then`
    return new TidemarkError(code ?? 'TIDEMARK_STORAGE', what, {
      cause: failure,
      ...(file === undefined ? {} : { file }),
      ...(info === undefined ? {} : { info }),
      hint: `${hint === undefined ? '' : `${hint}; and `}keep a copy of the directory before the store is opened for writing again, or put one from before back: with it such files are found when they are back`,
    })
  }

  /** Or it may be: one that cannot be read is nobody's yet. */
  async #isPublished({ manifest: { number, writer } }: OpenedStore): Promise<boolean> {
    try {
      for (const later of await listManifests(this.#storage)) {
        if (later < number) continue
        if ((await readManifest(this.#storage, later)).writer === writer) return true
      }
      return false
    } catch {
      return true
    }
  }
}
