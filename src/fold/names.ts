/**
 * Names for the segments that this run writes.
 *
 * Owns: which are given, and which belong to a job that is under way. Does not own: the files.
 * Invariant: no name is given twice, nor one that a file of our own token has already.
 */
import { mostOf } from '../base/extremes.ts'
import { SEGMENT_FOLDER, segmentName, segmentNumbers } from '../format/index.ts'
import { makeFolderInPlace } from '../manifest/index.ts'
import type { Storage } from '../storage/index.ts'

export class SegmentNames {
  readonly #storage: Storage
  readonly #token: () => number
  readonly #using = new Set<string>()
  #sequence = 0
  /** The folder is there, and `#sequence` is known. */
  #prepared: Promise<void> | undefined

  constructor(storage: Storage, token: () => number) {
    this.#storage = storage
    this.#token = token
  }

  inUse(file: string): boolean {
    return this.#using.has(file)
  }

  /** Once for all jobs: the second of two that begin together would count from where the first has taken names. */
  prepare(): Promise<void> {
    this.#prepared ??= this.#count().catch(error => {
      this.#prepared = undefined
      throw error
    })
    return this.#prepared
  }

  /** Where a job missed something the folder may be gone, too: a copy that leaves out what is empty was put back, say. The next job looks again. */
  forget(): void {
    this.#prepared = undefined
  }

  /** For one job: the names it takes are in use until it has ended. */
  take(): { newFile(): string; end(): void } {
    const names: string[] = []
    return {
      newFile: () => {
        const name = segmentName(this.#token(), ++this.#sequence)
        names.push(name)
        this.#using.add(name)
        return name
      },
      end: () => {
        for (const name of names) this.#using.delete(name)
      },
    }
  }

  /** Goes on behind the highest sequence of our own token that was given or that a file has. */
  async #count(): Promise<void> {
    await makeFolderInPlace(this.#storage, SEGMENT_FOLDER)
    const names = await this.#storage.list(SEGMENT_FOLDER)
    const token = this.#token()
    const sequenceOf = (name: string): number => {
      const numbers = segmentNumbers(name)
      return numbers?.token === token ? numbers.sequence : 0
    }
    this.#sequence = mostOf(names, sequenceOf, this.#sequence)
  }
}
