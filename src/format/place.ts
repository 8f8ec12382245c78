/**
 * Places: the order and the hash of (collection, key bytes). Both are part of the format of a segment: docs/format/segment.md.
 * Owns nothing. Key bytes sort as keys do (docs/format/key.md).
 */

/** Below 0, 0 or above: by the bytes, a prefix before what it begins. */
export function compareBytes(a: Uint8Array, aStart: number, aEnd: number, b: Uint8Array, bStart: number, bEnd: number): number {
  const length = Math.min(aEnd - aStart, bEnd - bStart)
  for (let at = 0; at < length; at++) {
    const difference = (a[aStart + at] as number) - (b[bStart + at] as number)
    if (difference !== 0) return difference
  }
  return aEnd - aStart - (bEnd - bStart)
}

const C1 = 0xcc9e2d51
const C2 = 0x1b873593

/** MurmurHash3 (Appleby, x86, 32 bits) of the key bytes, seeded with the collection. From 0 to 2^32 - 1. */
export function hashPlace(collection: number, bytes: Uint8Array, start = 0, end = bytes.length): number {
  let hash = Math.imul(collection, 0x9e3779b1) | 0
  const whole = end - ((end - start) & 3)
  let at = start
  for (; at < whole; at += 4) {
    const word =
      (bytes[at] as number) | ((bytes[at + 1] as number) << 8) | ((bytes[at + 2] as number) << 16) | ((bytes[at + 3] as number) << 24)
    hash ^= scramble(word)
    hash = (hash << 13) | (hash >>> 19)
    hash = (Math.imul(hash, 5) + 0xe6546b64) | 0
  }
  let rest = 0
  for (let shift = 0; at < end; at++, shift += 8) rest |= (bytes[at] as number) << shift
  if (rest !== 0) hash ^= scramble(rest)
  hash ^= end - start
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

function scramble(word: number): number {
  const scaled = Math.imul(word, C1)
  return Math.imul((scaled << 15) | (scaled >>> 17), C2)
}
