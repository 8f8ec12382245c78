/**
 * Debug mode: names values that were changed in place without `set` or `update`, by encoding clean entries again.
 *
 * What: keeps a digest of the last record of every key; before each barrier some entries that nobody wrote since are encoded again and
 * compared. The entries are taken in turn, so all of them are seen within entries / sample barriers.
 * Owns: the digests, the place in the turn. Does not own: records, and what follows from a change that was found (nothing: it is named).
 * Invariants: a key written since its last record is never judged; a difference is named at the second barrier that sees it, because the
 * first may fall between a change and its `set` in the same turn; it is named once. A codec that encodes equal values differently is
 * named for it; one that takes another's place is not: what that left counts as it is when it is looked at next.
 */
import { createHash } from 'node:crypto'
import { ByteWriter } from '../base/bytes.ts'
import type { Key } from '../codec/index.ts'
import { appendPut } from '../format/index.ts'
import type { Collection } from './collection.ts'
import { keysIn } from './journal.ts'
import { setIn } from './map-chain.ts'

export interface UntrackedChange {
  readonly collection: string
  readonly key: Key
}

/** Of those that left the heap so many are passed over for each that is looked at. */
const PASSED_MAX = 16

/** Of an entry that can no longer be encoded. */
const NO_RECORD = ''

/** Of more, with those that are passed over, a Set could not hold the keys. The next barrier goes on behind them. */
const SAMPLE_MAX = 500_000

class Watched {
  /** By key, of the last record, each with the number of its codec. */
  readonly digests = new Map<Key, string>()
  /** Codecs that the collection had before this one. */
  codecs = 0
  suspects: Key[] = []
  turn: Iterator<Key> | undefined
}

export class Untracked {
  readonly #sample: number
  readonly #found: (change: UntrackedChange) => void
  readonly #watched = new Map<number, Watched>()
  readonly #scratch = new ByteWriter()
  /** It is being written to: whoever comes back in takes room of his own. */
  #encoding = false

  /** `sample`: entries looked at per barrier and collection, SAMPLE_MAX at most. */
  constructor(sample: number, found: (change: UntrackedChange) => void) {
    this.#sample = Math.min(sample, SAMPLE_MAX)
    this.#found = found
  }

  /** Digests kept, of all collections. */
  get kept(): number {
    return [...this.#watched.values()].reduce((sum, { digests }) => sum + digests.size, 0)
  }

  /** A record of this key was written. */
  recorded(incarnation: number, key: Key, record: Uint8Array): void {
    const watched = this.#of(incarnation)
    setIn(watched.digests, key, digestOf(watched, record))
  }

  /** It has another codec from now on, which may encode the same otherwise. */
  recoded(incarnation: number): void {
    const watched = this.#watched.get(incarnation)
    if (watched === undefined) return
    watched.codecs++
    watched.suspects = []
  }

  /** A tombstone of this key was written. */
  removed(incarnation: number, key: Key): void {
    this.#watched.get(incarnation)?.digests.delete(key)
  }

  /** The entries are what their records say. */
  loaded(collection: Collection): void {
    const { digests } = this.#of(collection.id)
    for (const key of collection.live.keys()) setIn(digests, key, this.#digest(collection, key))
  }

  /** A stored entry is live now, as its last record says; one that left and comes back is compared with what it was. */
  cameHome(collection: Collection, key: Key): void {
    const { digests } = this.#of(collection.id)
    if (!digests.has(key)) setIn(digests, key, this.#digest(collection, key))
  }

  /** A barrier is about to fall, and no capture is under way. */
  inspect(collections: Iterable<Collection>): void {
    const alive = new Set<number>()
    for (const collection of collections) {
      alive.add(collection.id)
      const watched = this.#watched.get(collection.id)
      if (watched !== undefined && !collection.saturated) this.#inspect(collection, watched)
    }
    for (const id of this.#watched.keys()) if (!alive.has(id)) this.#watched.delete(id)
  }

  #inspect(collection: Collection, watched: Watched): void {
    const { digests, suspects } = watched
    const sample = this.#sampleOf(collection, watched)
    const clean = cleanOf(collection, [...suspects, ...sample])
    const changed = (key: Key): boolean => {
      const digest = this.#digest(collection, key)
      const known = digests.get(key)
      // The codec may have come for it, too.
      if (known === undefined || known === digest || collection.dropped) return false
      if (known.startsWith(prefixOf(watched))) return true
      setIn(digests, key, digest)
      return false
    }
    const differs = (key: Key): boolean => {
      // The codec may drop the collection.
      if (collection.dropped || !clean.has(key) || collection.significance?.waits(key) === true) return false
      if (collection.live.has(key)) return changed(key)
      // Cold entries have nobody who could change them, unless somebody holds them.
      if (collection.cold?.held.peek(key) === undefined) digests.delete(key)
      return false
    }
    for (const key of suspects) {
      const isChanged = digests.has(key) && differs(key)
      const digest = isChanged ? this.#digest(collection, key) : ''
      if (collection.dropped) return
      if (!isChanged) continue
      setIn(digests, key, digest)
      this.#found({ collection: collection.name, key })
    }
    if (collection.dropped) return
    const found: Key[] = []
    for (const key of sample) {
      if (differs(key)) found.push(key)
      if (collection.dropped) return
    }
    watched.suspects = found
  }

  /** The next in turn. */
  #sampleOf({ live }: Collection, watched: Watched): Key[] {
    const { digests } = watched
    const sample: Key[] = []
    // What left the heap is no part of the sample: it is passed over, faster than it comes.
    const left = Math.min(Math.max(0, digests.size - live.size), PASSED_MAX * this.#sample)
    let looked = 0
    for (let steps = Math.min(this.#sample + left, digests.size); steps > 0 && looked < this.#sample; steps--) {
      watched.turn ??= digests.keys()
      const { done, value } = watched.turn.next()
      if (done === true) {
        watched.turn = undefined
        continue
      }
      sample.push(value)
      if (live.has(value)) looked++
    }
    return sample
  }

  /** Encoding runs code of the user (a codec, a proxy): what it reads of a stored collection may come back in here. */
  #digest(collection: Collection, key: Key): string {
    const inner = this.#encoding
    const watched = this.#of(collection.id)
    const writer = inner ? new ByteWriter() : this.#scratch
    writer.reset()
    this.#encoding = true
    try {
      appendPut(writer, collection.id, key, collection.live.get(key), collection.codec)
    } catch {
      return `${prefixOf(watched)}${NO_RECORD}`
    } finally {
      this.#encoding = inner
    }
    return digestOf(watched, writer.view())
  }

  #of(incarnation: number): Watched {
    let watched = this.#watched.get(incarnation)
    if (watched === undefined) {
      watched = new Watched()
      this.#watched.set(incarnation, watched)
    }
    return watched
  }
}

/** Those of them that nobody wrote. All that was written is walked over; a table of it would take many times as long. */
function cleanOf(collection: Collection, keys: readonly Key[]): ReadonlySet<Key> {
  const clean = new Set(keys)
  for (const group of collection.written()) {
    for (const key of keysIn(group)) if (key !== undefined) clean.delete(key)
    if (clean.size === 0) break
  }
  return clean
}

function prefixOf({ codecs }: Watched): string {
  return `${codecs} `
}

function digestOf(watched: Watched, record: Uint8Array): string {
  return `${prefixOf(watched)}${createHash('sha256').update(record).digest('base64')}`
}
