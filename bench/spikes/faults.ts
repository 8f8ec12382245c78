/**
 * A slow, stuck or failing storage, seen by the writer's thread as the system's own calls: loaded by NODE_OPTIONS before anything else in a
 * measured process, it is loaded first in every thread that is started there, and wraps what `node:fs` offers. The main thread's own is left
 * alone, and nothing of the engine knows.
 *
 * Why not strace: it stops the process at each call that it delays, the main thread's threads included, and cannot change its mind while the
 * process runs. Here faults begin when the benchmark makes a file, and a wait blocks only the thread that calls.
 * Owns: the count of writes. Invariants: without the file that switches it on, every call goes through unchanged.
 */
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import threads, { isMainThread } from 'node:worker_threads'
import type { Faults } from './contract.ts'

export const FAULTS_VARIABLE = 'TIDEMARK_BENCH_FAULTS'
export interface FaultsSetting extends Faults {
  /** A file: while it is there, the faults are. */
  readonly on: string
  /** A file: while it is there, no write and no sync returns. */
  readonly stuck: string
}

const LOOK_MS = 2
const setting = process.env[FAULTS_VARIABLE]
if (setting !== undefined) {
  if (isMainThread) follow()
  else install(JSON.parse(setting) as FaultsSetting)
}

/** Into threads that are started without the process's own options, as the writer's is. */
function follow(): void {
  threads.Worker = class extends threads.Worker {
    constructor(file: string | URL, options: threads.WorkerOptions = {}) {
      super(file, { ...options, execArgv: [...(options.execArgv ?? []), `--import=${import.meta.url}`] })
    }
  }
  syncBuiltinESMExports()
}

type Call = (...args: unknown[]) => unknown
type Names = 'writeSync' | 'writevSync' | 'fdatasyncSync' | 'fsyncSync' | 'write' | 'writev' | 'fdatasync' | 'fsync'

function install(faults: FaultsSetting): void {
  const calls = fs as unknown as Record<Names, Call>
  const exists = fs.existsSync
  const cell = new Int32Array(new SharedArrayBuffer(4))
  let since: number | undefined
  let seed = 1

  /** How long a call has to wait now, and whether it fails; asked again and again until it is zero. */
  const stuckMs = (): number => {
    if (exists(faults.stuck)) return LOOK_MS
    if (faults.stall === undefined || !exists(faults.on)) return 0
    since ??= performance.now()
    const at = (performance.now() - since) % faults.stall.everyMs
    // The stall is at the end of each period.
    return at < faults.stall.everyMs - faults.stall.forMs ? 0 : LOOK_MS
  }
  const fails = (): boolean => {
    if (faults.errorEvery === undefined || !exists(faults.on)) return false
    // One in so many, but not each n-th: a pattern could suit a pattern of the engine.
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0
    return seed % 65_536 < 65_536 / faults.errorEvery
  }
  const slow = (): number => (faults.syncMs !== undefined && exists(faults.on) ? faults.syncMs : 0)
  const error = (syscall: string): Error => Object.assign(new Error(`EIO: i/o error, ${syscall}`), { errno: -5, code: 'EIO', syscall })
  const wrap = (name: Names, make: (original: Call) => Call): void => {
    const original = calls[name]
    // With what Node.js keeps on the function, such as how it is promisified.
    calls[name] = Object.defineProperties(make(original), Object.getOwnPropertyDescriptors(original)) as Call
  }
  const sync = (name: Names, writes: boolean): void =>
    wrap(name, original => (...args) => {
      for (let ms = stuckMs(); ms > 0; ms = stuckMs()) Atomics.wait(cell, 0, 0, ms)
      if (writes && fails()) throw error('write')
      if (!writes && slow() > 0) Atomics.wait(cell, 0, 0, slow())
      return original(...args)
    })
  const async = (name: Names, writes: boolean): void =>
    wrap(name, original => (...args) => {
      const done = args.at(-1) as (error: Error) => void
      const go = (): void => {
        const ms = stuckMs()
        if (ms > 0) setTimeout(go, ms)
        else if (writes && fails()) done(error('write'))
        else if (!writes && slow() > 0) setTimeout(() => original(...args), slow())
        else original(...args)
      }
      go()
    })
  sync('writeSync', true)
  sync('writevSync', true)
  sync('fdatasyncSync', false)
  sync('fsyncSync', false)
  async('write', true)
  async('writev', true)
  async('fdatasync', false)
  async('fsync', false)
}
