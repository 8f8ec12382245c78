/** Runs whole programs: several lives of one store, each beginning where the last one was ended. */
import { openCompress, openEveryDecompress } from '../../src/format/index.ts'
import { type Found, Life } from './life.ts'
import { Model } from './model.ts'
import type { Program } from './program.ts'
import type { Totals } from './totals.ts'

export async function runProgram(program: Program, totals: Totals, untracked = false): Promise<void> {
  // Modules are loaded by the real event loop, which a simulation does not wait for.
  await openEveryDecompress()
  for (const compression of ['zstd', 'deflate'] as const) await openCompress(compression)
  totals.programs++
  const model = new Model()
  let found: Found | undefined
  let seed = program.seed
  for (const plan of program.lives) {
    const life = new Life(model, plan, seed++, found, totals, untracked)
    found = await life.live()
  }
  // A last one, that only looks.
  const last = new Life(
    model,
    { turns: [], told: [], encodes: [], intervalMs: 0, calm: 1, powerCutAt: 0, back: 1, rot: 1, openFault: 0, end: 'kill' },
    seed,
    found,
    totals,
  )
  await last.live()
}
