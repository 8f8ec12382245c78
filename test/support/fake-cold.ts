/** A cold side over a sorted list in memory, which counts what it is asked and lies as a filter may. */
import assert from 'node:assert/strict'
import { TidemarkError } from '../../src/base/errors.ts'
import { ABSENT, type Cold, type ColdCursor } from '../../src/capture/cold.ts'
import { hashKey } from '../../src/capture/pieces.ts'
import { compareKeys, type Key, tideCodec } from '../../src/codec/index.ts'

export class FakeCold implements Cold {
  codec = tideCodec
  atHome = false
  version = 0
  /** Look-ups that would have read the disk. */
  looks = 0
  /** Keys that walks met. */
  steps = 0
  /** Every look-up fails. */
  damaged = false
  /** Every step of a walk fails; a cursor that failed goes on failing. */
  unwalkable = false
  /** Of 8 absent keys so many may be there, says the filter. */
  readonly #lies: number
  #entries!: ReadonlyMap<Key, unknown>
  #keys!: readonly Key[]

  constructor(entries: Iterable<readonly [Key, unknown]>, lies = 0) {
    this.#lies = lies
    this.#put(new Map(entries))
  }

  get size(): number {
    return this.#keys.length
  }

  exchange(entries: Iterable<readonly [Key, unknown]>): void {
    this.version++
    this.#put(new Map(entries))
  }

  read(key: Key): unknown {
    this.#look()
    return this.#entries.has(key) ? structuredClone(this.#entries.get(key)) : ABSENT
  }

  has(key: Key): boolean {
    this.#look()
    return this.#entries.has(key)
  }

  mayHave(key: Key): boolean {
    return this.#entries.has(key) || (!this.atHome && (hashKey(key) & 7) < this.#lies)
  }

  keys(from?: Key, behind = false): ColdCursor {
    const { version } = this
    const keys = this.#keys
    let at = from === undefined ? 0 : keys.findIndex(key => compareKeys(key, from) >= (behind ? 1 : 0))
    if (at === -1) at = keys.length
    let failed = false
    const good = (): void => assert.equal(this.version, version, 'a cursor of a stored state that was exchanged')
    const next = (): Key | undefined => {
      good()
      failed ||= this.unwalkable
      if (failed) throw damage()
      this.steps++
      return keys[at++]
    }
    return {
      ...{ next, step: next },
      read: () => {
        good()
        return this.read(keys[at - 1] as Key)
      },
    }
  }

  #put(entries: ReadonlyMap<Key, unknown>): void {
    this.#entries = new Map([...entries].map(([key, value]) => [key, structuredClone(value)]))
    this.#keys = [...entries.keys()].sort(compareKeys)
  }

  #look(): void {
    if (!this.atHome) this.looks++
    if (this.damaged) throw damage()
  }
}

function damage(): TidemarkError {
  return new TidemarkError('TIDEMARK_SEGMENT_DAMAGED', 'as the test wants it')
}
