/**
 * The membership filter of a segment: a blocked Bloom filter (Putze, Sanders, Singler 2007), one block of 512 bits for a place.
 *
 * Owns the layout, which is part of the format: blocks of 64 bytes; the place's hash chooses one block by multiplication, and six bits in it
 * by two words mixed from the hash. Invariant: what was put in is always found; of what was not, about one in a hundred is.
 */
const BITS_PER_RECORD = 10
const BLOCK_BYTES = 64
const BLOCK_BITS = BLOCK_BYTES * 8

/** A filter for so many records, with none in it. */
export function emptyFilter(count: number): Buffer {
  return Buffer.alloc(filterBytes(count))
}

/** Puts the first `count` hashes of places (see hashPlace) in. */
export function addToFilter(filter: Buffer, hashes: Uint32Array, count: number): void {
  const blocks = filter.length / BLOCK_BYTES
  for (let at = 0; at < count; at++) {
    const hash = hashes[at] as number
    const start = blockStart(hash, blocks)
    for (let probe = 0; probe < PROBES; probe++) {
      const bit = bitOf(hash, probe)
      filter[start + (bit >>> 3)] = (filter[start + (bit >>> 3)] as number) | (1 << (bit & 7))
    }
  }
}

/** Bytes of a filter over so many records. */
export function filterBytes(count: number): number {
  return Math.max(1, Math.ceil((count * BITS_PER_RECORD) / BLOCK_BITS)) * BLOCK_BYTES
}

/** False: the place was not put in. `filter` holds whole blocks. */
export function filterHas(filter: Buffer, hash: number): boolean {
  const start = blockStart(hash, filter.length / BLOCK_BYTES)
  for (let probe = 0; probe < PROBES; probe++) {
    const bit = bitOf(hash, probe)
    if (((filter[start + (bit >>> 3)] as number) & (1 << (bit & 7))) === 0) return false
  }
  return true
}

const PROBES = 6

function blockStart(hash: number, blocks: number): number {
  return Math.floor((hash * blocks) / 4294967296) * BLOCK_BYTES
}

/** Nine bits of one of two words: three probes each. */
function bitOf(hash: number, probe: number): number {
  let word = Math.imul(hash ^ (hash >>> 15), probe < 3 ? 0x2c1b3c6d : 0x297a2d39)
  word ^= word >>> 12
  word = Math.imul(word, 0x9e3779b1)
  return (word >>> ((probe % 3) * 9 + 5)) & 511
}
