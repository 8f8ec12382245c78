/**
 * What the service tells the driver, and what it may be told, over the channel between parent and child process.
 * The service writes a message in the same turn in which the thing happened, so what it did just before a SIGKILL is still heard.
 */

/** How long the engine held the event loop by itself (stalls), and inside calls of the service (access). */
export interface EngineFigures {
  readonly stallP99Ms: number
  readonly stallMaxMs: number
  readonly accessP99Ms: number
  readonly accessMaxMs: number
}

export type ServiceMessage =
  /** Answers requests. `position` is what the state said at its first look; `openMs` what opening the state took. */
  | { readonly type: 'listening'; readonly port: number; readonly position: number; readonly openMs: number }
  /**
   * The first answer is on its way. `readBytes`: what the process has read of files since it began to open the state, the engine's code and
   * what comes home in the background included; null where the system does not count. `entries`, `stateBytes`: the state, in the store and on disk.
   */
  | { readonly type: 'answered'; readonly readBytes: number | null; readonly entries: number; readonly stateBytes: number }
  /** A batch went into memory. */
  | { readonly type: 'position'; readonly position: number }
  /** A checkpoint became durable and holds everything up to `position`, perhaps more. */
  | { readonly type: 'checkpoint'; readonly position: number; readonly bytes: number; readonly records: number }
  /** Told to pause, and the batch in hand is in memory. */
  | { readonly type: 'paused' }
  | { readonly type: 'figures'; readonly figures: EngineFigures }
  /** Something the run must not pass over in silence. */
  | { readonly type: 'problem'; readonly text: string }

export type DriverMessage = { readonly type: 'feed' } | { readonly type: 'pause' }

/** How the driver starts a service; passed as one JSON argument. */
export interface ServiceSettings {
  /** `tidemark` keeps its state in `stateFolder`; `plain` keeps it in plain Maps, to compare with. */
  readonly engine: 'tidemark' | 'plain'
  readonly stateFolder: string
  /** Where the flights were unpacked to. */
  readonly inputFolder: string
  /** 0: any free port. */
  readonly port: number
  readonly flightsPerSecond: number
  readonly batchFlights: number
  readonly keepDays: number
  readonly checkpointIntervalMs: number
  /** Position at which one statistic is falsified on purpose, so that the comparison at the end has something to find. */
  readonly falsifyAt: number | null
}
