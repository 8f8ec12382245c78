/**
 * Which position is safe: notes at each barrier the position in memory, and takes it over when the barrier's epoch is durable. By epochs: the
 * wall clock may be set back in between.
 */
export class DurablePosition {
  #position: number
  #inMemory: number
  /** By the epochs of the barriers; one that moves, or comes again after a failure, has its epoch again. */
  readonly #atBarriers = new Map<number, number>()

  /** What was just restored is durable. */
  constructor(position: number) {
    this.#position = position
    this.#inMemory = position
  }

  get position(): number {
    return this.#position
  }

  /** A batch is in memory now. */
  added(position: number): void {
    this.#inMemory = position
  }

  barrier(epoch: number): void {
    this.#atBarriers.set(epoch, this.#inMemory)
  }

  /** A checkpoint holds every batch that was in memory at its barrier. */
  checkpoint(epoch: number): void {
    this.#position = this.#atBarriers.get(epoch) ?? this.#position
    this.#atBarriers.delete(epoch)
  }
}
