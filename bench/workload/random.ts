/** Chance from a seed: the same numbers in every process. */

/** Mulberry32 (public domain, Tommy Ettinger): numbers from 0 up to, but without, 1. */
export function random(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** A prime above every number of keys in use: multiplying by it scatters ranks over the keys, each rank to a key of its own. */
const SCATTER = 7_368_787

/** Zipf-distributed indices below `count` (Gray et al., "Quickly generating billion-record synthetic databases", 1994). */
export function zipf(count: number, theta: number, chance: () => number): () => number {
  let zeta = 0
  for (let rank = 1; rank <= count; rank++) zeta += 1 / rank ** theta
  const zetaOfTwo = 1 + 1 / 2 ** theta
  const alpha = 1 / (1 - theta)
  const eta = (1 - (2 / count) ** (1 - theta)) / (1 - zetaOfTwo / zeta)
  return () => {
    const u = chance()
    const uz = u * zeta
    const rank = uz < 1 ? 0 : uz < 1 + 0.5 ** theta ? 1 : Math.min(count - 1, Math.floor(count * (eta * u - eta + 1) ** alpha))
    return (rank * SCATTER + 12_345) % count
  }
}
