/** The files that switch the storage's faults (faults.ts), and the memory that is alive while it is stuck. */
import { existsSync, rmSync, writeFileSync } from 'node:fs'
import type { Engine } from '../engines/index.ts'
import { untimed } from '../open-loop/turn-watch.ts'
import type { SpikesAssignment, SpikesResult } from './contract.ts'
import { FAULTS_VARIABLE, type FaultsSetting } from './faults.ts'

const sleep = (ms: number): Promise<void> => new Promise(resolve => untimed.after(resolve, ms))

/** Of the main thread: what the writer's thread holds is in its resident memory alone (sampler.ts). */
export function aliveBytes(): number {
  globalThis.gc?.()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

export class Switches {
  readonly #files: FaultsSetting | undefined = JSON.parse(process.env[FAULTS_VARIABLE] ?? 'null') ?? undefined
  readonly #job: SpikesAssignment

  constructor(job: SpikesAssignment) {
    this.#job = job
  }

  /** Resolves, when the storage was stuck, once it goes on. */
  async begin(engine: Engine): Promise<{ readonly releasedMs: number; readonly alive: SpikesResult['alive'] } | undefined> {
    const stuckMs = this.#job.faults?.stuckMs
    if (this.#files !== undefined) writeFileSync(this.#files.on, '')
    if (stuckMs === undefined) return undefined
    await sleep((this.#job.seconds * 1000) / 3)
    const dirty = new Set<string>()
    const { set } = engine
    if (this.#job.weigh === true) {
      engine.set = (key, value) => {
        dirty.add(key)
        set(key, value)
      }
    }
    const before = this.#alive()
    if (this.#files !== undefined) writeFileSync(this.#files.stuck, '')
    await sleep(stuckMs)
    const after = this.#alive()
    if (this.#files !== undefined) rmSync(this.#files.stuck)
    engine.set = set
    return { releasedMs: Date.now(), alive: this.#job.weigh === true ? { before, after, dirtyKeys: dirty.size } : undefined }
  }

  end(): void {
    if (this.#files !== undefined && existsSync(this.#files.on)) rmSync(this.#files.on)
  }

  #alive(): number {
    return this.#job.weigh === true ? aliveBytes() : 0
  }
}
