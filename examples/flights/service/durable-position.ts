/** Which position is safe: follows the batches as they go into memory and the checkpoints as they become durable. */
export class DurablePosition {
  #position: number
  /** Batches that no checkpoint has covered yet. */
  #uncovered: { timeMs: number; position: number }[] = []

  /** What was just restored is durable. */
  constructor(position: number) {
    this.#position = position
  }

  get position(): number {
    return this.#position
  }

  /** A batch is in memory now. */
  added(position: number): void {
    this.#uncovered.push({ timeMs: Date.now(), position })
  }

  /** A checkpoint holds every batch that was in memory before its barrier; of the barrier's own millisecond, none is claimed. */
  checkpoint(barrierTimeMs: number): void {
    let covered = 0
    for (const batch of this.#uncovered) {
      if (batch.timeMs >= barrierTimeMs) break
      this.#position = batch.position
      covered++
    }
    this.#uncovered.splice(0, covered)
  }
}
