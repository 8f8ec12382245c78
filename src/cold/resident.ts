/**
 * What the live entries of one collection take in the heap, by a sample of them.
 *
 * What: the mean of the entries that were drawn, times the entries there are. A drawn entry is looked at after it came, or was
 * written, and in turn again, since it may be changed in place; it is forgotten when it is deleted or leaves the heap. Where the sample became
 * poor, as when most entries left, or some entered that nobody told of, or a clear was rolled back, another is drawn in a walk over the live Map,
 * piece by piece, which is told of what enters meanwhile, and takes its place.
 * Owns: the sample, that walk. Does not own: the entries, how one is drawn (sample.ts), what one of them takes (heap-size.ts).
 * Invariants: the estimate does not depend on when or in which order entries came, nor on which of them are written, leave or are deleted: what
 * goes counts at once, also in a rollback, what is written, or put back by one, with the next looks, and what is changed in place within a round.
 * None of these looks waits for the others, nor for a walk, however little time there is; and a walk ends, however many come and go.
 * While all that entered was drawn it is exact, and without entries nothing.
 * It knows nothing of what came before the entries that are there, so that it neither drifts nor swings.
 * Precision: of n drawn, one part in the square root of n, times how far values differ: of a tenth that is large, and all the rest small, three times.
 * The sample grows with what the collection takes, and takes a twentieth of that at most beyond ROOM_MIN keys.
 */
import { type Collection, Eviction } from '../capture/index.ts'
import { type Key, tideCodec } from '../codec/index.ts'
import { KEY_KEPT_BYTES, mapHeapBytes, mapRoom } from './heap-size.ts'
import { SAMPLED_BYTES, Sample } from './sample.ts'

/** Keys in the sample at most: one for so many bytes that the collection takes, within bounds. */
const BYTES_EACH = 1024
const ROOM_MIN = 128
const ROOM_MAX = 2048
/** Below this share of its room it is poor, unless it has all entries. Between that and the half that is left of a full one nothing happens. */
const POOR_SHARE = 1 / 4
/** Entries passed in one step of a walk: between two of them the clock is asked. */
const WALKED = 256

interface Redrawing {
  readonly sample: Sample
  readonly hand: Iterator<Key>
  /** Entries that were live when it began, and were not passed: at most. The sample was told of all others. */
  most: number
  /** At least: those that went count as not passed. */
  least: number
}

export class Resident {
  readonly collection: Collection
  readonly eviction: Eviction
  /** What the sum of all holds of it. */
  counted = 0
  #live: ReadonlyMap<Key, unknown>
  #seed: number
  #sample: Sample
  /** Whose turn it is to be looked at again. */
  #hand: Iterator<Key> | undefined
  /** Otherwise it was the hand's, or the walk's. */
  #duesTurn = false
  /** The sample that is to take the place of a poor one. */
  #redrawing: Redrawing | undefined
  /** There may be entries of which the sample was not told: it stands for nothing. */
  #untold = false
  #meanBytes = 0
  /** Entries the live Map has room for. */
  #room = 0

  constructor(collection: Collection) {
    this.collection = collection
    this.eviction = new Eviction(collection, key => this.#leaves(key))
    this.#live = collection.live
    // Collections that are alike draw differently.
    this.#seed = collection.id
    this.#sample = new Sample(this.#seed, 0)
  }

  /** Estimated bytes, with what the engine keeps for keys that were written, older values included. Weak references to what left go with the garbage, as it does. */
  get bytes(): number {
    const { live, cold, dropped, significance } = this.collection
    if (dropped || cold === undefined) return 0
    this.#follow()
    const waiting = significance?.size ?? 0
    // A Map of its own each has, whatever leaves; a store of thousands that this run never uses would have no room for entries.
    if (live.size === 0 && waiting === 0 && cold.keysKept === 0) {
      this.#room = 0
      return 0
    }
    this.#room = mapRoom(live.size, this.#room)
    const values = live.size + waiting + cold.valuesKept
    const kept = (waiting + cold.keysKept) * KEY_KEPT_BYTES + (this.#sample.size + (this.#redrawing?.sample.size ?? 0)) * SAMPLED_BYTES
    return values * this.#mean() + mapHeapBytes(this.#room) + kept
  }

  /** An entry enters; it is live already, or will be directly behind this. */
  enters(key: Key, value: unknown): void {
    this.#follow(key)
    // The first one again.
    if (!this.#sample.isWhole && this.#sample.size === 0 && !this.#hasOthers(key)) this.#restart()
    this.#enter(this.#sample, key, value)
    if (this.#redrawing !== undefined) this.#enter(this.#redrawing.sample, key, value)
  }

  /** An entry was written, or deleted. */
  changed(key: Key): void {
    this.#follow()
    this.#change(this.#sample, key)
    if (this.#redrawing === undefined) return
    this.#change(this.#redrawing.sample, key)
    if (!this.#live.has(key)) this.#redrawing.least--
  }

  /** Until `expired`, or there is nothing more: looks at what was written, and in turn with that at so many of the sample, or walks on. */
  look(count: number, expired: () => boolean): void {
    this.#follow()
    const { cold } = this.collection
    if (cold?.untold === true) {
      cold.untold = false
      this.#untold = true
      this.#redrawing = undefined
    }
    if (this.#redrawing === undefined && this.#isPoor()) this.#redraw()
    let left = Math.min(count, this.#sample.size)
    const goOn = (): boolean => (this.#redrawing === undefined ? left-- > 0 && this.#lookAgain() : this.#walk(this.#redrawing))
    do {
      // From look to look, too: there may be time for one alone.
      this.#duesTurn = !this.#duesTurn
      if (!(this.#duesTurn ? this.#lookAtDue() || goOn() : goOn() || this.#lookAtDue())) return
    } while (!expired())
  }

  #enter(sample: Sample, key: Key, value: unknown): void {
    if (sample.enters(key, value)) this.#bound(sample)
  }

  #bound(sample: Sample): void {
    if (sample.size > this.#sampleRoom()) sample.halve()
  }

  #change(sample: Sample, key: Key): void {
    if (!sample.has(key)) return
    if (this.#live.has(key)) sample.changed(key)
    else sample.drop(key)
  }

  /** A codec of the service's own may make objects whose state shows to nobody: they take what its values have as bytes, once some were read. */
  #mean(): number {
    const { codec, cold } = this.collection
    const sample = this.#shown
    // Of none that is left it is what it was.
    if (sample.size > 0) this.#meanBytes = sample.bytes / sample.size
    return codec === tideCodec ? this.#meanBytes : Math.max(this.#meanBytes, cold?.cold.meanBytes ?? 0)
  }

  /** The sample that stands for all. */
  get #shown(): Sample {
    const next = this.#redrawing?.sample
    return next !== undefined && (this.#untold || this.#sample.size === 0) ? next : this.#sample
  }

  #sampleRoom(): number {
    return Math.min(ROOM_MAX, Math.max(ROOM_MIN, this.bytes / BYTES_EACH))
  }

  #isPoor(): boolean {
    const { size } = this.#sample
    return this.#untold || (size < this.#live.size && size < this.#sampleRoom() * POOR_SHARE)
  }

  #redraw(): void {
    const room = this.#sampleRoom()
    let halvings = 0
    while (this.#live.size / 2 ** halvings > room) halvings++
    const { size } = this.#live
    this.#redrawing = { sample: new Sample(++this.#seed, halvings), hand: this.#live.keys(), most: size, least: size }
  }

  /**
   * Passes some entries, until one is drawn. What enters meanwhile is behind all others, and the sample is told of it. Where entries went ahead of the
   * hand it may come to some of those: it ends at the first that was drawn, so that about one more of them is drawn than should be.
   */
  #walk(redrawing: Redrawing): boolean {
    const { sample, hand } = redrawing
    for (let left = WALKED; left > 0; left--) {
      const next = redrawing.most-- > 0 ? hand.next() : undefined
      if (next === undefined || next.done === true || (--redrawing.least < 0 && sample.has(next.value))) {
        this.#redrawing = undefined
        this.#sample = sample
        this.#hand = undefined
        this.#untold = false
        return true
      }
      if (sample.meets(next.value, this.#live)) {
        this.#bound(sample)
        return true
      }
    }
    return true
  }

  /** False when nothing is to be looked at. */
  #lookAtDue(): boolean {
    const sample = this.#shown
    for (const key of sample.due()) {
      this.#lookAt(sample, key)
      return true
    }
    return false
  }

  #lookAgain(): boolean {
    this.#hand ??= this.#sample.keys()
    const next = this.#hand.next()
    if (next.done === true) this.#hand = undefined
    else this.#lookAt(this.#sample, next.value)
    return true
  }

  #lookAt(sample: Sample, key: Key): void {
    const value = this.#live.get(key)
    if (value === undefined && !this.#live.has(key)) sample.drop(key)
    else sample.put(key, value)
  }

  #leaves(key: Key): void {
    this.#sample.drop(key)
    if (this.#redrawing === undefined) return
    this.#redrawing.sample.drop(key)
    this.#redrawing.least--
  }

  /** Another Map has other entries, as after a clear that was rolled back: but for one that enters no sample was told of them. */
  #follow(entering?: Key): void {
    if (this.#live === this.collection.live) return
    this.#live = this.collection.live
    this.#restart()
    this.#untold = this.#hasOthers(entering)
  }

  #hasOthers(key: Key | undefined): boolean {
    return this.#live.size > (key !== undefined && this.#live.has(key) ? 1 : 0)
  }

  #restart(): void {
    this.#sample = new Sample(++this.#seed, 0)
    this.#hand = undefined
    this.#redrawing = undefined
    this.#untold = false
  }
}
