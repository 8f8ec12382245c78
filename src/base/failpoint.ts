/**
 * Called between the steps of every write, so that a test can stop the engine there. Does nothing outside tests.
 * Invariant: `name` is one of those listed here, and every one is called somewhere.
 */
export type Failpoint = (name: FailpointName) => Promise<void>

export const FAILPOINTS = [
  'block.append',
  'block.sync',
  'commit.append',
  'commit.sync',
  'commit.read-back',
  'commit.token-check',
  'commit.acknowledge',
  'commit.seal',
  'commit.end',
  'roll.sync-old',
  'roll.create',
  'roll.header',
  'roll.sync',
  'roll.sync-folder',
  'roll.manifest',
  'roll.end',
  'manifest.create',
  'manifest.sync-folder',
  'manifest.durable',
  'open.folders',
  'open.takeover',
  'open.scan',
  'fail.give-up',
  'fail.truncate',
  'close.sync',
] as const

/** Those of upkeep, which runs beside the log. */
export const UPKEEP_FAILPOINTS = [
  'fold.read',
  'fold.written',
  'fold.manifest',
  'fold.end',
  'merge.read',
  'merge.written',
  'merge.end',
  'collect.remove',
] as const

export type FailpointName = (typeof FAILPOINTS)[number] | (typeof UPKEEP_FAILPOINTS)[number]

export const noFailpoint: Failpoint = () => Promise.resolve()

/** Who calls the failpoints: the thread of the caller, while it opens, or the writer. */
export type FailpointPlace = 'open' | 'writer'

/**
 * Reads 'name:count:action', or 'place/name:count:action': when `name` is reached for the count-th time there, the process gets the signal
 * of the action. Anything else is no failpoint.
 */
export function failpointOf(setting: string | undefined, place: FailpointPlace): Failpoint {
  const [, where, name, count, action] = /^(?:(open|writer)\/)?([a-z-]+\.[a-z-]+):(\d+):(kill|alarm|stop)$/.exec(setting ?? '') ?? []
  if (name === undefined || (where !== undefined && where !== place)) return noFailpoint
  let left = Number(count)
  return async reached => {
    if (reached !== name || --left !== 0) return
    process.kill(process.pid, SIGNALS[action as keyof typeof SIGNALS])
    // SIGKILL takes this thread at once; another signal may first be seen by another one, and nothing may be done until it is.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, STOP_MS)
  }
}

/** 'alarm' ends a process that does not listen to it as 'kill' does, at any instruction, and nobody else sends it. */
const SIGNALS = { kill: 'SIGKILL', alarm: 'SIGALRM', stop: 'SIGSTOP' } as const

/** Time for a signal to reach every thread of the process. */
const STOP_MS = 100
