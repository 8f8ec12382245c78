/** What an iteration of a map must give: the model's entries in their order, or in any where entries leave the heap and come back. */
import assert from 'node:assert/strict'
import type { Key } from '../../src/codec/index.ts'
import type { Life } from './life.ts'

export class Expected {
  readonly #life: Life
  readonly #name: string
  /** Nothing is written meanwhile. */
  readonly #quiet: boolean
  readonly #keys: Iterator<Key>
  readonly #seen = new Set<Key>()

  constructor(life: Life, name: string, quiet: boolean) {
    this.#life = life
    this.#name = name
    this.#quiet = quiet
    this.#keys = this.#entries.keys()
  }

  /** The key of what is given; `key` where the iteration says it, which it does wherever the order is not known. */
  next(key: Key | undefined): Key {
    const name = this.#name
    const want = this.#life.evicts ? (key as Key) : (this.#keys.next().value as Key)
    if (key !== undefined) assert.ok(Object.is(key, want), `iteration of '${name}': ${String(key)} where a Map has ${String(want)}`)
    assert.ok(this.#entries.has(want), `iteration of '${name}' gives ${String(want)}, which is not there`)
    if (this.#quiet) assert.ok(!this.#seen.has(want), `iteration of '${name}' gives ${String(want)} twice`)
    this.#seen.add(want)
    return want
  }

  /** It came to its end. */
  end(): void {
    if (this.#quiet) assert.equal(this.#seen.size, this.#entries.size, `iteration of '${this.#name}' passed some over`)
  }

  get #entries(): ReadonlyMap<Key, unknown> {
    return this.#life.model.collection(this.#name, 'map').entries
  }
}
