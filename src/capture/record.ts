/**
 * One record into the outbox: the state of a key as it is now.
 *
 * Owns nothing. Invariants: a value that is refused leaves nothing of its record, and the outbox goes on; what is thrown says nothing of the value:
 * records of the outbox may be lost, and the attempt with them.
 */
import type { ByteWriter } from '../base/bytes.ts'
import { GIANT_BYTES } from '../base/limits.ts'
import type { Key, ValueCodec } from '../codec/index.ts'
import { appendPut, appendTombstone } from '../format/index.ts'
import { shortageError } from '../storage/index.ts'
import type { Outbox } from './outbox.ts'
import type { Redundancy } from './redundant.ts'
import type { Space } from './space.ts'

/** Records, their bytes, and steps that give none, between two looks at the clock. */
export const STRIDE = 8
export const STRIDE_BYTES = 8192
export const STRIDE_STEPS = 64

/** An incarnation whose entries are recorded. */
export interface Recorded {
  readonly id: number
  readonly name: string
  readonly live: ReadonlyMap<Key, unknown>
  readonly codec: ValueCodec
  readonly redundancy: Redundancy
  readonly space: Space
}

/** The key's value cannot be stored. */
export interface Refused {
  /** What its codec threw, be it an error or not. */
  readonly error: unknown
}

/**
 * Returns its bytes; below 0 when so many were made and not written, because they are those of the key's last record.
 * @throws what the outbox does, or want of memory: TIDEMARK_STORAGE
 */
export function record(outbox: Outbox, of: Recorded, key: Key): number | Refused {
  try {
    return recorded(outbox, of, key)
  } catch (error) {
    throw shortageError('taking a record', error)
  }
}

function recorded(outbox: Outbox, of: Recorded, key: Key): number | Refused {
  const writer = outbox.begin()
  const start = writer.length
  const { begun } = outbox
  const value = of.live.get(key)
  const there = value !== undefined || of.live.has(key)
  let bytes = 0
  let isWritten = false
  try {
    if (!there) appendTombstone(writer, of.id, key)
    else {
      const refused = refusal(writer, of, key, value)
      if (refused !== undefined) return refused
    }
    bytes = writer.length - start
    isWritten = note(outbox, begun, of, key, writer, start, there)
    return isWritten ? bytes : -bytes
  } finally {
    if (!isWritten) writer.length = start
    outbox.end(writer, isWritten ? bytes : 0)
  }
}

function refusal(writer: ByteWriter, { id, codec }: Recorded, key: Key, value: unknown): Refused | undefined {
  try {
    appendPut(writer, id, key, value, codec)
    return undefined
  } catch (error) {
    return { error }
  }
}

/** What is remembered of the record that `writer` has from `start` on. False: it need not be written. */
function note(outbox: Outbox, begun: number, of: Recorded, key: Key, writer: ByteWriter, start: number, there: boolean): boolean {
  const bytes = writer.length - start
  const { untracked, rewrites, giants, recent } = of.space
  if (untracked !== undefined) {
    if (there) untracked.recorded(of.id, key, writer.bytes.subarray(start, writer.length))
    else untracked.removed(of.id, key)
  }
  if (bytes >= GIANT_BYTES) giants.recorded(of.id, of.name, key, bytes)
  else if (giants.has(of.id, key)) giants.forget(of.id, key)
  if (!there || !outbox.alone(begun)) of.redundancy.passed(recent, of.id, key)
  else if (of.redundancy.spares(recent, of.id, key, writer.bytes, start, writer.length)) return false
  rewrites.recorded(of.id, key, bytes)
  return true
}
