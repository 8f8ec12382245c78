/**
 * Which object is where: the rule for objects that a transaction did not get from the store, stated a second time.
 *
 * A transaction keeps a replaced value as it is, so nobody may have changed it before. Whoever sets the very object that was there at the
 * start of the transaction, and did not get it from the store inside, has held it since before: that is refused.
 */
import type { Key } from '../../src/codec/index.ts'

export interface Reference {
  readonly name: string
  readonly key: Key
  readonly object: object
}

export interface HeldIterator {
  readonly name: string
  readonly mine: Iterator<[Key, unknown]>
  readonly models: Iterator<[Key, unknown]>
}

interface Touched {
  readonly handedOut: boolean
  readonly original: unknown
  written: boolean
}

type Live = Map<Key, unknown>

export class Objects {
  #now = new Map<string, Live>()
  /** During a transaction: emptied entries by collection, and what is known of each key of each. */
  #emptied: Map<string, Live[]> | undefined
  #touched = new Map<Live, Map<Key, Touched>>()
  #deletedFrom = new Set<string>()

  handedOut(name: string, key: Key, value: unknown): void {
    const live = this.#live(name)
    if (typeof value !== 'object' || value === null) return
    if (this.#emptied !== undefined && this.#find(live, key) === undefined) {
      this.#touch(live, key, { handedOut: true, original: undefined, written: false })
    }
    live.set(key, value)
  }

  written(name: string, key: Key, value: unknown): void {
    this.#write(name, key)
    this.#live(name).set(key, value)
  }

  removed(name: string, key: Key): void {
    this.#write(name, key)
    this.#deletedFrom.add(name)
    this.#live(name).delete(key)
  }

  emptied(name: string): void {
    const live = this.#live(name)
    if (this.#emptied !== undefined) this.#emptied.set(name, [...(this.#emptied.get(name) ?? []), live])
    this.#now.set(name, new Map())
  }

  isStale(name: string, key: Key, object: object): boolean {
    if (this.#emptied === undefined) return false
    return [this.#live(name), ...(this.#emptied.get(name) ?? [])].some(live => {
      const touched = this.#find(live, key)
      return object === (touched === undefined ? live.get(key) : touched.handedOut ? undefined : touched.original)
    })
  }

  /** The object is what is there. */
  has(name: string, key: Key, object: object): boolean {
    return this.#live(name).get(key) === object
  }

  /** A transaction begins. */
  begin(): Map<string, [Live, Live]> {
    this.#emptied = new Map()
    this.#touched = new Map()
    this.#deletedFrom = new Set()
    return new Map([...this.#now].map(([name, live]) => [name, [live, new Map(live)]]))
  }

  /** Entries written in the transaction that are still there. */
  writtenNow(): [name: string, key: Key][] {
    return [...this.#now].flatMap(([name, live]) =>
      [...(this.#touched.get(live) ?? [])].filter(([, touched]) => touched.written).map(([key]): [string, Key] => [name, key]),
    )
  }

  /** Returns the collections something was deleted from. */
  end(rolledBack: boolean, begun: Map<string, [Live, Live]>): ReadonlySet<string> {
    this.#emptied = undefined
    if (rolledBack) {
      this.#now = new Map()
      for (const [name, [live, before]] of begun) {
        // An object that was handed out comes back as a copy, which nobody holds.
        for (const [key, { handedOut }] of this.#touched.get(live) ?? []) if (handedOut) before.delete(key)
        this.#now.set(name, before)
      }
    }
    this.#touched = new Map()
    return this.#deletedFrom
  }

  #write(name: string, key: Key): void {
    if (this.#emptied === undefined) return
    const live = this.#live(name)
    const touched = this.#find(live, key)
    if (touched !== undefined) touched.written = true
    else this.#touch(live, key, { handedOut: false, original: live.get(key), written: true })
  }

  #live(name: string): Live {
    let live = this.#now.get(name)
    if (live === undefined) {
      live = new Map()
      this.#now.set(name, live)
    }
    return live
  }

  #find(live: Live, key: Key): Touched | undefined {
    return this.#touched.get(live)?.get(key)
  }

  #touch(live: Live, key: Key, touched: Touched): void {
    const keys = this.#touched.get(live) ?? new Map<Key, Touched>()
    keys.set(key, touched)
    this.#touched.set(live, keys)
  }
}
