/**
 * What a rollback puts back stands behind all others, where whoever iterates meets it again: which of that an iterator gave before.
 *
 * What: `Returns` lists the keys of one incarnation that came back, and those that went for good; each iterator reads that at its own pace.
 * Owns: the newest link of that list; of an iterator what it gave last, and what came back since it began. Does not own: the entries.
 * Invariants: a loop that takes each entry in a transaction which fails comes to its end: what came back is given once more at most, and
 * that only where it was given too long ago to be remembered, or something was deleted since. Nothing is left out: a key that was deleted and
 * inserted again is another entry, as with a Map, so after a delete that counts what was given last is forgotten. What was given inside a
 * transaction counts as given, whatever becomes of that. Deletes are listed only while there is an iterator that met a
 * rollback; what a transaction inserted and what of that went only where something was given while it ran, for nobody was given it otherwise; what a
 * rollback puts back always.
 */
import { ITERATOR_KEYS_KEPT } from '../base/limits.ts'
import type { Key } from '../codec/index.ts'
import { KeySet } from './key-set.ts'
import { type Link, Watch } from './watch.ts'

/** The transaction that runs. */
interface Inside {
  readonly token: object
}

export class Returns extends Watch {
  /** How many counted. */
  deletes = 0
  /** Of the transaction in which something was given last: not itself, which would be kept with all that it could put back. */
  gaveIn: object | undefined

  /** A transaction says at its end what it deleted. */
  went(key: Key, transaction: object | undefined): void {
    if (transaction === undefined) this.deleted(key)
  }

  /** An entry is gone for good. */
  deleted(key: Key): void {
    this.deletes++
    if (this.open > 0) this.tell('deleted', key)
  }

  /** An entry that a transaction inserted is gone, deleted in it or by its rollback. What else was given is remembered. */
  takenBack(key: Key, transaction: Inside | undefined): void {
    if (transaction !== undefined && transaction.token === this.gaveIn) this.tell('deleted', key)
  }
}

export class Given {
  readonly #returns: Returns
  #seen: Link
  /** The keys given last, in a ring; of those that were taken back nothing. */
  readonly #last: (Key | undefined)[] = []
  /** Given since the last delete that counted, and how many of these there were. */
  #count = 0
  #deletes: number
  /** What came back, once something did: given before, and not, as far as is known. */
  #given: KeySet | undefined
  #due: KeySet | undefined
  /** The keys given last, while several are looked for. */
  #set: Set<Key | undefined> | undefined

  constructor(returns: Returns) {
    this.#returns = returns
    this.#seen = returns.newest
    this.#deletes = returns.deletes
  }

  get isBehind(): boolean {
    return this.#seen.next !== undefined
  }

  /** `tell` gets what came back now and was given before. */
  catchUp(tell?: (key: Key) => void): void {
    const first = this.#seen.next
    for (let link = first; link !== undefined; link = link.next) {
      this.#seen = link
      const { change, key } = link
      if (change === 'back') this.#back(key)
      else {
        this.#given?.delete(key)
        this.#due?.delete(key)
        this.#forget(key)
      }
    }
    this.#set = undefined
    // Asked at the end: it may have gone again.
    if (tell !== undefined) for (let link = first; link !== undefined; link = link.next) if (this.has(link.key)) tell(link.key)
  }

  /** It came back, and was given before. */
  has(key: Key): boolean {
    return this.#given?.has(key) === true
  }

  /** It is given now. */
  add(key: Key, transaction: Inside | undefined): void {
    if (transaction !== undefined) this.#returns.gaveIn = transaction.token
    if (this.#returns.deletes !== this.#deletes) {
      this.#deletes = this.#returns.deletes
      this.#count = 0
    }
    this.#last[this.#count++ % ITERATOR_KEYS_KEPT] = key
    if (this.#due?.delete(key) === true) this.#given?.add(key)
  }

  /** Nobody will ask any more. */
  end(): void {
    if (this.#given !== undefined) this.#returns.end(this)
  }

  #back(key: Key): void {
    if (this.#given === undefined) {
      this.#given = new KeySet()
      this.#due = new KeySet()
      this.#returns.begin(this)
    }
    if (this.#given.has(key)) return
    if (this.#remembers(key)) this.#given.add(key)
    else this.#due?.add(key)
  }

  /** It is gone: what comes under its key is another entry. */
  #forget(key: Key): void {
    if (!this.#remembers(key)) return
    // As a Map has it: NaN is a key, and 0 and -0 are one.
    for (const [at, one] of this.#last.entries()) if (one === key || Object.is(one, key)) this.#last[at] = undefined
    this.#set?.delete(key)
  }

  #remembers(key: Key): boolean {
    if (this.#count === 0 || this.#returns.deletes !== this.#deletes) return false
    // Most loops take what they were given last.
    if (this.#last[(this.#count - 1) % ITERATOR_KEYS_KEPT] === key) return true
    this.#set ??= new Set(this.#last.slice(0, this.#count))
    return this.#set.has(key)
  }
}
