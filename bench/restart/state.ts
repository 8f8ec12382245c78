/** The state that is brought back: sessions by number. */
export interface Session {
  readonly id: number
  readonly user: string
  readonly round: number
  readonly score: number
  readonly at: number
}

/** Version `round` of a session. */
export function makeSession(id: number, round: number): Session {
  return { id, user: `user-${id}`, round, score: (id * 7) % 1000, at: 1_700_000_000_000 + id }
}

/**
 * Written last: just below two tables of folding, the longest tail that a restart meets while folding keeps up. A fold begins at one table, or at
 * half of one behind large commits, and as much comes while it is under way.
 */
export const TAIL_KEYS = 49_000
/** Just below one table: the tail of a store that is written so slowly that folds are done before the next records come. */
export const CALM_TAIL_KEYS = 24_000

/** The keys written last, each in its second version. */
export function* tailOf(keys: number, tail = TAIL_KEYS): Generator<number> {
  for (let at = 0; at < Math.min(tail, keys); at++) yield (at * 31) % keys
}

/** The version that key number `id` is in at the end. */
export function roundsOf(keys: number, tail?: number): Uint8Array {
  const rounds = new Uint8Array(keys).fill(1)
  for (const id of tailOf(keys, tail)) rounds[id] = 2
  return rounds
}
