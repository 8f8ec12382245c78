/** One way to keep a Map on disk, as the benchmarks use it. */
export interface Engine<V = unknown> {
  get(key: string): V | undefined
  set(key: string, value: V): void
  /** Resolves when all that was set before the call is durable. */
  checkpoint(): Promise<void>
  close(): Promise<void>
  /** Resolves when nothing of what was there at `open` is still on its way into memory. */
  hydrated?(): Promise<void>
  /** The engine's own numbers. */
  stats?(): unknown
}

export interface EngineKind {
  readonly name: string
  /** What is on disk when `checkpoint()` resolves. */
  readonly durability: string
  /** Opens the engine in a folder that is empty, or holds what it left there. */
  open<V>(folder: string): Promise<Engine<V>>
}
