/**
 * What all collections of one store share on the main thread: whether a barrier's capture or a transaction is under way.
 *
 * Owns: the flag that sends reads and writes the slow way, and the reasons for it. Does not own: when a barrier falls.
 * Invariant: `guarded` is true exactly while a capture has unfinished parts, a transaction runs, writing is forbidden, accesses are noted, or what
 * listeners of a barrier write to is.
 */
import { ByteWriter } from '../base/bytes.ts'
import { TidemarkError } from '../base/errors.ts'
import type { Histogram } from '../base/histogram.ts'
import { COLLECTION_ID_MAX, JOURNAL_SLACK_KEYS, JOURNAL_SLACK_KEYS_MIN, MAP_ENTRIES_MAX, REDUNDANT_RING_BYTES } from '../base/limits.ts'
import type { Key, ValueCodec } from '../codec/index.ts'
import type { Capture } from './capture.ts'
import type { ColdStart } from './cold-side.ts'
import type { Collection } from './collection.ts'
import { Giants } from './giants.ts'
import { Leftovers } from './leftovers.ts'
import { Links } from './links.ts'
import { RecordMemory } from './redundant.ts'
import { Rewrites } from './rewrites.ts'
import type { SignificantFailure } from './significance.ts'
import { Touches } from './touches.ts'
import type { Transaction } from './transaction.ts'
import type { Untracked } from './untracked.ts'

const REMEMBERED_SHARE = 1 / 16
const REMEMBERED_BYTES_MIN = 65_536
/** Room for what a transaction may have to put back. */
const IMAGES_BYTES = 4096
const IMAGES_BYTES_KEPT = 1024 * 1024

const readAndHandOut = (collection: Collection, key: Key): unknown => collection.getAndHandOut(key)

const readAndNote = (collection: Collection, key: Key): unknown => {
  collection.space.touched(collection.id, key)
  return collection.getAndHandOut(key)
}

/** Another function for V8, which is all that it is for. */
const readAndNoteToo = (collection: Collection, key: Key): unknown => readAndNote(collection, key)

/** Why writing is forbidden; undefined while it is allowed. */
export type Forbidden = 'closed' | 'readOnly'

export class Space {
  guarded = false
  /**
   * How `get` reads while guarded: functions that take turns, from the first window on, so that V8 calls them. One that was always the same it
   * would put into every loop that reads, whose own work then finds no registers left: a tenth more time for each `get`.
   */
  read: (collection: Collection, key: Key) => unknown = readAndHandOut
  /** The capture whose cut is still being taken; undefined once every part of it is finished. */
  capture: Capture | undefined
  transaction: Transaction | undefined
  forbidden: Forbidden | undefined
  /** In debug mode only. */
  untracked: Untracked | undefined
  readonly links = new Links()
  readonly leftovers = new Leftovers()
  /** Collections that were given a `significant` or an `rpoMs`: few of very many. */
  readonly treated = new Set<Collection>()
  /** There are, or were, rebuildable collections. */
  rebuildable = false
  /** The last records of keys. */
  readonly recent: RecordMemory
  readonly rewrites = new Rewrites()
  readonly giants = new Giants()
  /** Engine time inside calls of the user. */
  readonly access: Histogram
  /** All of it, ms. */
  accessMs = 0
  readonly now: () => number
  /** Identifier for the next incarnation of a collection. */
  nextId = 1
  /** The cold side of an incarnation that is new, where entries may leave the heap. */
  coldOf: ((id: number, codec: ValueCodec) => ColdStart) | undefined
  /** Is told of a `significant` that threw. */
  significantFailed: ((failure: SignificantFailure) => void) | undefined
  /** Is told of a key that is deleted and leaves nothing to write (`leftNothing`). */
  cameAndWent: ((incarnation: number, key: Key) => void) | undefined
  /** Is told of a collection that is no more, which was to be followed by a barrier within this time. */
  droppedCritical: ((collection: Collection) => void) | undefined
  /** The caller is in a hold that the barrier waits for. */
  inHold: () => boolean = () => false
  /** Keys of an incarnation whose values are refused. */
  refusedKeys: (incarnation: number) => number = () => 0
  readonly touches = new Touches()
  /** Entries of one Map; tests take less. */
  mapEntriesMax = MAP_ENTRIES_MAX
  /**
   * Where entries may leave the heap: one enters it, and `came` when it is stored and clean. Called before it is live, or when it may not leave
   * any more, so that it is not the one to go.
   */
  enters: ((collection: Collection, key: Key, value: unknown, came: boolean) => void) | undefined
  /** Where entries may leave the heap: one was overwritten, or deleted. */
  changed: ((collection: Collection, key: Key) => void) | undefined
  /** Where entries may leave the heap: is told of a collection that is no more. */
  left: ((collection: Collection) => void) | undefined
  /** Room for the one transaction that runs. */
  images = new ByteWriter(IMAGES_BYTES)
  /** Keys that a journal may list beyond twice the entries; collections that are many have less each. */
  journalSlackKeys = JOURNAL_SLACK_KEYS
  /** What listeners of the barrier that falls wrote to, or left as it was to be. */
  readonly letInto = new Set<Collection>()
  #collections = 0
  #letsIn = false
  /** Set when collections were made, dropped or emptied since the last barrier. */
  catalogueChanged = false

  /** `memoryBytesMax`: what live entries may take, of which records that are remembered take a sixteenth at most. */
  constructor(access: Histogram, now: () => number, memoryBytesMax = Number.POSITIVE_INFINITY) {
    this.access = access
    this.now = now
    const bytes = 2 ** Math.floor(Math.log2(Math.max(REMEMBERED_BYTES_MIN, memoryBytesMax * REMEMBERED_SHARE)))
    this.recent = new RecordMemory(Math.min(bytes, REDUNDANT_RING_BYTES))
  }

  /** For a new incarnation of this collection. @throws TIDEMARK_IDS_SPENT */
  takeId(name: string): number {
    if (this.nextId <= COLLECTION_ID_MAX) return this.nextId++
    throw new TidemarkError('TIDEMARK_IDS_SPENT', `'${name}' needs a new id, and all ${COLLECTION_ID_MAX} of this store were given`, {
      collection: name,
      hint: 'delete entries one by one, and use the collections there are; a store made by tidemark export and import has all ids again',
    })
  }

  /** For what a collection is once it was emptied: the same while it is on no disk and in no record, so that ids last. @throws TIDEMARK_IDS_SPENT */
  idBehind({ id, cutId, recorded, name }: Collection): number {
    return recorded || id === cutId ? this.takeId(name) : id
  }

  /** It is there no more. */
  dropped(collection: Collection): void {
    this.treated.delete(collection)
    if (collection.rpoMs !== undefined) this.droppedCritical?.(collection)
    this.left?.(collection)
    this.counted(-1)
  }

  /** There are so many collections more, or fewer. */
  counted(more: number): void {
    this.#collections += more
    this.journalSlackKeys = Math.max(JOURNAL_SLACK_KEYS_MIN, JOURNAL_SLACK_KEYS / Math.max(1, this.#collections))
  }

  /** The key is deleted, and no record of it counts. */
  leftNothing(incarnation: number, key: Key): void {
    this.giants.forget(incarnation, key)
    this.cameAndWent?.(incarnation, key)
  }

  /** A call of the user took so long for the engine's sake. */
  accessed(ms: number): void {
    this.access.record(ms)
    this.accessMs += ms
  }

  refresh(): void {
    const noted = this.touches.left > 0 || (this.#letsIn && this.rebuildable)
    this.guarded = this.capture !== undefined || this.transaction !== undefined || this.forbidden !== undefined || noted
    this.read = this.touches.left > 0 ? readAndNote : readAndHandOut
  }

  /** So many accesses from now on are noted. */
  openWindow(accesses: number): void {
    this.touches.left = accesses
    this.refresh()
  }

  /** An access, while a window is open. */
  touched(collection: number, key: Key): void {
    this.touches.note(collection, key)
    if (this.touches.left <= 0) this.refresh()
    else this.read = this.read === readAndNote ? readAndNoteToo : readAndNote
  }

  /** The transaction is over; what a large one needed is not kept. */
  endTransaction(): void {
    this.transaction = undefined
    if (this.images.bytes.length > IMAGES_BYTES_KEPT) this.images = new ByteWriter(IMAGES_BYTES)
    this.refresh()
  }

  /** A listener of a barrier may write: it is in the epoch, be it the last one of a store that closes. */
  get letsIn(): boolean {
    return this.#letsIn
  }

  /** Tells the listeners of a barrier. */
  letIn(tell: () => void): void {
    this.#letsIn = true
    this.refresh()
    try {
      tell()
    } finally {
      this.#letsIn = false
      this.refresh()
    }
  }

  /** It is about to be written to, or is to be as it is. */
  writes(collection: Collection): void {
    if (this.#letsIn) this.letInto.add(collection)
  }

  /** Set was what is there, deleted or emptied what is not. */
  leavesAsIs(collection: Collection): void {
    this.writes(collection)
    this.transaction?.leavesAsIs(collection)
  }

  /** No cut is being taken any more. */
  endCapture(): void {
    this.capture = undefined
    this.refresh()
  }

  /** No barrier will fall any more: what was kept for one is let go of. */
  end(): void {
    this.leftovers.clear()
    this.rewrites.endEpoch()
    this.recent.end()
    this.images = new ByteWriter(IMAGES_BYTES)
    this.untracked = undefined
    this.endCapture()
  }

  /** Of a store that closes: the caller may write all the same, for its last barrier has not fallen, and waits for it. */
  get writesOn(): boolean {
    return this.#letsIn || this.inHold()
  }

  assertWritable(name: string): void {
    if (this.forbidden === 'closed' && !this.writesOn) {
      throw new TidemarkError('TIDEMARK_CLOSED', `the store is closed; '${name}' cannot change`, {
        collection: name,
        hint: 'open the store again',
      })
    }
    if (this.forbidden === 'readOnly') {
      throw new TidemarkError('TIDEMARK_READ_ONLY', `the store is open read-only; '${name}' cannot change`, {
        collection: name,
        hint: 'open it without readOnly to write',
      })
    }
  }
}
