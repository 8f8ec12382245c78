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

/** Written last: just below what is folded, the longest tail that a restart meets in ordinary running. */
export const TAIL_KEYS = 30_000

/** The keys written last, each in its second version. */
export function* tailOf(keys: number): Generator<number> {
  for (let at = 0; at < Math.min(TAIL_KEYS, keys); at++) yield (at * 31) % keys
}

/** The version that key number `id` is in at the end. */
export function roundsOf(keys: number): Uint8Array {
  const rounds = new Uint8Array(keys).fill(1)
  for (const id of tailOf(keys)) rounds[id] = 2
  return rounds
}
