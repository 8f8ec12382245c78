/** Runs whole programs: several lives of one store, each beginning where the last one was ended. */
import { openEveryDecompress } from '../../src/format/index.ts'
import type { SimulatedStorage } from '../../src/testing/index.ts'
import { Life, type Totals } from './life.ts'
import { Model } from './model.ts'
import type { Program } from './program.ts'

export function noTotals(): Totals {
  return {
    programs: 0,
    lives: 0,
    turns: 0,
    operations: 0,
    barriers: 0,
    commits: 0,
    voids: 0,
    forced: 0,
    failures: 0,
    rollbacks: 0,
    stale: 0,
    refused: 0,
    crashes: 0,
    stopped: 0,
    folds: 0,
    merges: 0,
    removed: 0,
    evicted: 0,
    drained: 0,
  }
}

export async function runProgram(program: Program, totals: Totals, untracked = false): Promise<void> {
  // Modules are loaded by the real event loop, which a simulation does not wait for.
  await openEveryDecompress()
  totals.programs++
  const model = new Model()
  let disk: SimulatedStorage['disk'] | undefined
  let seed = program.seed
  for (const plan of program.lives) {
    const life = new Life(model, plan, seed++, disk, totals, untracked)
    disk = await life.live()
  }
  // A last one, that only looks.
  const last = new Life(model, { turns: [], intervalMs: 0, powerCutAt: 0, end: 'kill' }, seed, disk, totals)
  await last.live()
}
