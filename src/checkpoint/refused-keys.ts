/**
 * The keys of values that are refused, in pieces (key-set.ts): there may be tens of millions, and no Map of them is to grow in one turn.
 *
 * Owns: which they are, and what is said of the first of them. Does not own: until when they count (refusals.ts).
 * Invariant: what is said has an end, REFUSALS_LISTED of all collections together; a key of which nothing is said is refused all the same.
 */
import { type Collection, KeySet } from '../capture/index.ts'
import type { Key } from '../codec/index.ts'

export interface Refusal {
  readonly collection: string
  readonly key: Key
  readonly reason: string
  readonly hint: string | undefined
}

/** So many are named where refusals are listed. */
export const REFUSALS_LISTED = 1000

/** Of a key that was none of the first, until those are gone and it is refused again. */
const REASON_LATER = 'its value could not be stored; the next checkpoint says why'

interface OfOne {
  readonly collection: string
  readonly keys: KeySet
  readonly said: Map<Key, Refusal>
}

export class RefusedKeys {
  readonly #byIncarnation = new Map<number, OfOne>()
  #said = 0

  get none(): boolean {
    return this.#byIncarnation.size === 0
  }

  /** Of all collections together. */
  get size(): number {
    let size = 0
    for (const { keys } of this.#byIncarnation.values()) size += keys.size
    return size
  }

  of(incarnation: number): Pick<KeySet, 'has' | 'size'> | undefined {
    return this.#byIncarnation.get(incarnation)?.keys
  }

  /** Whether what is said of it is kept. */
  add({ id }: Collection, refusal: Refusal): boolean {
    const { collection, key } = refusal
    let one = this.#byIncarnation.get(id)
    if (one === undefined) this.#byIncarnation.set(id, (one = { collection, keys: new KeySet(), said: new Map() }))
    one.keys.add(key)
    const again = one.said.has(key)
    if (!again && this.#said >= REFUSALS_LISTED) return false
    if (!again) this.#said++
    one.said.set(key, refusal)
    return true
  }

  delete(incarnation: number, key: Key): void {
    const one = this.#byIncarnation.get(incarnation)
    if (one === undefined) return
    if (one.said.delete(key)) this.#said--
    if (one.keys.delete(key) && one.keys.size === 0) this.#byIncarnation.delete(incarnation)
  }

  /** The first of them; where what was said is gone and others are left, some of these. */
  list(): readonly Refusal[] {
    const list: Refusal[] = []
    for (const { said } of this.#byIncarnation.values()) list.push(...said.values())
    for (const one of this.#byIncarnation.values()) {
      for (const refusal of unsaid(one)) {
        if (list.length >= REFUSALS_LISTED) return list
        list.push(refusal)
      }
    }
    return list
  }
}

function* unsaid({ collection, keys, said }: OfOne): Generator<Refusal> {
  if (keys.size === said.size) return
  for (const piece of keys.pieces()) {
    for (const key of piece.keys()) if (!said.has(key)) yield { collection, key, reason: REASON_LATER, hint: undefined }
  }
}
