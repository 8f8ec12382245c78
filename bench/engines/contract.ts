/** One way to keep a Map on disk, as the benchmarks use it. */
export interface Engine<V = unknown> {
  get(key: string): V | undefined
  set(key: string, value: V): void
  delete(key: string): void
  /** Resolves when all that was set before the call is durable. */
  checkpoint(): Promise<void>
  close(): Promise<void>
  /** Resolves when nothing of what was there at `open` is still on its way into memory. */
  hydrated?(): Promise<void>
  /** Resolves when the engine has nothing more to do by itself. */
  rest?(): Promise<void>
  /** Calls back at each acknowledgement, with the time of the barrier, ms since 1970, and the bytes written for it. */
  onDurable?(listener: (barrierMs: number, bytes: number) => void): void
  /** Calls back when the engine itself says that it held a turn too long, and for which key if for one. */
  onStall?(listener: (ms: number, key: unknown) => void): void
  /** The engine's own numbers. */
  stats?(): unknown
}

export interface EngineOptions {
  /** Barriers that the engine sets by itself, in its own words (`checkpoint` of the settings); otherwise only when asked. */
  readonly barriers?: Readonly<Record<string, number>>
}

export interface EngineKind {
  readonly name: string
  /** What is on disk when `checkpoint()` resolves. */
  readonly durability: string
  /** Opens the engine in a folder that is empty, or holds what it left there. */
  open<V>(folder: string, options?: EngineOptions): Promise<Engine<V>>
}
