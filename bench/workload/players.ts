/** Keys and values: a million small objects of six fields, about 100 bytes of JSON each. */
export interface Player {
  readonly id: number
  readonly v: number
  readonly name: string
  readonly score: number
  readonly at: number
  readonly active: boolean
}

/** Key number `index`; neighbours in number are far apart in order. */
export function playerKey(index: number): string {
  return `user:${((index * 2_654_435_761) % 4_294_967_296).toString(36).padStart(7, '0')}`
}

export function playerKeys(count: number): string[] {
  return Array.from({ length: count }, (_, index) => playerKey(index))
}

/** A fresh object: version `v` of player `id`. */
export function makePlayer(id: number, v: number): Player {
  return { id, v, name: `user${id}`, score: (id * 31 + v * 7) % 100_000, at: 1_700_000_000_000 + id + v * 1000, active: (v & 1) === 0 }
}
