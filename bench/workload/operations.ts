/** The operations of the open loop, made before it starts: which key, and whether it is read or updated. */
import { random, zipf } from './random.ts'

export interface Operations {
  readonly count: number
  readonly keyIndex: Uint32Array
  readonly isRead: Uint8Array
}

export interface OperationsOptions {
  readonly keys: number
  readonly count: number
  /** Skew of the keys; 0: uniform. */
  readonly theta: number
  /** Share of reads. */
  readonly reads: number
  readonly seed?: number
}

export function makeOperations({ keys, count, theta, reads, seed = 42 }: OperationsOptions): Operations {
  const chance = random(seed)
  const pick = theta > 0 ? zipf(keys, theta, chance) : () => Math.floor(chance() * keys)
  const keyIndex = new Uint32Array(count)
  const isRead = new Uint8Array(count)
  for (let at = 0; at < count; at++) {
    keyIndex[at] = pick()
    isRead[at] = chance() < reads ? 1 : 0
  }
  return { count, keyIndex, isRead }
}
