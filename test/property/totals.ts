/** What random programs met, counted, so that a run which meets nothing does not pass. */

export interface Totals {
  programs: number
  lives: number
  turns: number
  operations: number
  barriers: number
  commits: number
  voids: number
  forced: number
  failures: number
  rollbacks: number
  stale: number
  refused: number
  crashes: number
  /** Lives whose engine gave up, with power. */
  stopped: number
  folds: number
  merges: number
  removed: number
  evicted: number
  drained: number
  points: number
  beside: number
  back: number
  /** Lives that a listener closed. */
  closedWithin: number
  /** Lives that another one took over from, and what was refused to them then. */
  overtaken: number
  fenced: number
  /** Disks with a flipped bit; those where a read, an open or a write met it; those that lost epochs. */
  rotten: number
  rotMet: number
  rotLost: number
  /** Opens that failed, and did when nothing failed any more. */
  reopened: number
}

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
    points: 0,
    beside: 0,
    back: 0,
    closedWithin: 0,
    overtaken: 0,
    fenced: 0,
    rotten: 0,
    rotMet: 0,
    rotLost: 0,
    reopened: 0,
  }
}
