/**
 * A sample of the history in full: runs of consecutive epochs, evenly spaced over it, their records as they are.
 *
 * Owns: the bytes of the runs. Does not own: what is measured on them (measure.ts).
 * Invariants: at most RUNS_MAX runs of RUN_EPOCHS epochs and RUN_BYTES_MAX bytes, whatever the history; records larger than that are passed over;
 * a run holds whole epochs of the others only, unless its first one alone is larger; when there are too many, every other one goes and the next
 * ones come half as often.
 */
import { ByteWriter } from '../base/bytes.ts'
import { FACTORS } from './key-table.ts'

export const RUN_EPOCHS = FACTORS.at(-1) as number
const RUNS_MAX = 8
const RUN_BYTES_MAX = 2 * 1024 * 1024

export interface Run {
  /** Records of each epoch, laid end to end. */
  readonly epochs: Buffer[]
}

export class RunSample {
  readonly #runs: Run[] = []
  /** A run begins every so many epochs. */
  #every = RUN_EPOCHS
  #epochs = 0
  #open: Run | undefined
  #openBytes = 0
  #writer: ByteWriter | undefined

  /** Runs with at least one epoch. */
  get runs(): readonly Run[] {
    return this.#runs.filter(({ epochs }) => epochs.length > 0)
  }

  /** Whether the records of the epoch under way are wanted. */
  get wants(): boolean {
    return this.#writer !== undefined
  }

  beginEpoch(): void {
    if (this.#epochs % this.#every === 0) {
      if (this.#runs.length >= RUNS_MAX) this.#thin()
      if (this.#epochs % this.#every === 0) {
        this.#open = { epochs: [] }
        this.#openBytes = 0
        this.#runs.push(this.#open)
      }
    }
    this.#epochs++
    if (this.#open !== undefined) this.#writer = new ByteWriter(4096)
  }

  /** A record of the epoch under way. */
  add(bytes: Buffer, start: number, end: number): void {
    if (end - start > RUN_BYTES_MAX) return
    const { length } = this.#writer as ByteWriter
    if (this.#openBytes + length + end - start > RUN_BYTES_MAX && this.#openBytes + length > 0) {
      // A first epoch keeps what it has: it tells of blocks, not of spans.
      this.#close(this.#openBytes === 0)
      this.#open = undefined
      return
    }
    this.#writer?.raw(bytes, start, end)
  }

  endEpoch(): void {
    this.#close(true)
    if (this.#open?.epochs.length === RUN_EPOCHS) this.#open = undefined
  }

  /** What follows does not join on to what was. */
  break(): void {
    this.#close(false)
    this.#open = undefined
  }

  #close(keep: boolean): void {
    if (keep && this.#open !== undefined && this.#writer !== undefined) {
      // Memory of its own, no larger than it has to be.
      const epoch = Buffer.from(this.#writer.view())
      this.#open.epochs.push(epoch)
      this.#openBytes += epoch.length
    }
    this.#writer = undefined
  }

  #thin(): void {
    const kept = this.#runs.filter((_, index) => index % 2 === 0)
    this.#runs.splice(0, this.#runs.length, ...kept)
    this.#every *= 2
  }
}
