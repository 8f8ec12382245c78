import type { Bound } from '../harness/suite.ts'

/** Stalls of an engine whose slices the watch does not see look like none: of each run it has seen some. */
export function turnsSeen(shape: string, rows: readonly { readonly scheduledTurns: number }[]): Bound {
  const measured = rows.length === 0 ? Number.NaN : Math.min(...rows.map(row => row.scheduledTurns))
  return { name: `${shape}: turns seen that the engine scheduled, least`, measured, sense: 'at least', limit: 1, unit: '', robust: true }
}
