/** Chance from a seed, for tests: the same seed and stream give the same throws on every machine. */
export class Dice {
  #state: number

  constructor(seed: number, stream = 0) {
    this.#state = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(stream + 1, 0xc2b2ae35)
    for (let round = 0; round < 4; round++) this.next()
  }

  /** 32 bits. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let mixed = this.#state
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return (mixed ^ (mixed >>> 14)) >>> 0
  }

  /** A whole number from 0 to `below` - 1. */
  below(below: number): number {
    return this.next() % below
  }

  between(from: number, to: number): number {
    return from + this.below(to - from + 1)
  }

  /** True once in `count` throws. */
  oneIn(count: number): boolean {
    return this.below(count) === 0
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T
  }

  bytes(length: number): Uint8Array {
    const words = new Uint32Array(Math.ceil(length / 4))
    for (let at = 0; at < words.length; at++) words[at] = this.next()
    return new Uint8Array(words.buffer, 0, length).slice()
  }
}
