/**
 * The cold side of a collection: entries that are stored and not in the heap. The contract that capture needs; cold/ keeps it.
 *
 * A cold side knows the stored state of one incarnation and nothing of what was written since: the collection hides what it deleted and
 * asks for no key that is in its live Map. All calls are synchronous. Damage throws TIDEMARK_SEGMENT_DAMAGED.
 */
import { hasCode } from '../base/errors.ts'
import type { Key, ValueCodec } from '../codec/index.ts'

export interface Cold {
  /** Values are decoded with it; a better one may be given. */
  codec: ValueCodec
  /** Decodes the value of a stored key; ABSENT when there is none. Each call gives a new object. */
  read(key: Key): unknown
  /** Whether the key is stored; reads a block where a filter does not settle it. */
  has(key: Key): boolean
  /** False: not stored, for certain, without touching the disk. */
  mayHave(key: Key): boolean
  /** True when `mayHave` is exact and cheap: every block is in memory. */
  readonly atHome: boolean
  /** Of the values that were decoded so far, about; 0: none was. */
  readonly meanBytes?: number
  /** Rises when the stored state was exchanged for a later one: keys that were read before may read differently. */
  readonly version: number
  /** Stored keys in the order of their bytes, from `from` on, or `behind` it; stops being good when `version` changes. */
  keys(from?: Key, behind?: boolean): ColdCursor
}

export interface ColdCursor {
  /** The next key; undefined at the end. */
  next(): Key | undefined
  /** The same for who ends his turn in time: NONE_YET where so many deleted entries lie before the next key that it takes another step. */
  step(): Key | typeof NONE_YET | undefined
  /** Decodes the value of the key given last. */
  read(): unknown
}

export const ABSENT: unique symbol = Symbol('absent')
export const NONE_YET: unique symbol = Symbol('none yet')

const UNREAD = ['TIDEMARK_SEGMENT_DAMAGED', 'TIDEMARK_STORAGE', 'TIDEMARK_COMPRESSION_UNAVAILABLE'] as const

/** What is stored cannot be read, for now or for good. */
export function isUnread(error: unknown): boolean {
  return UNREAD.some(code => hasCode(error, code))
}
