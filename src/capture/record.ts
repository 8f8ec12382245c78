/**
 * One record into the outbox: the state of a key as it is now.
 *
 * Owns nothing. Invariant: after an error nothing of the record is left, and the outbox goes on.
 */
import { GIANT_BYTES } from '../base/limits.ts'
import type { Key, ValueCodec } from '../codec/index.ts'
import { appendPut, appendTombstone } from '../format/index.ts'
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

/** Returns its bytes; below 0 when so many were made and not written, because they are those of the key's last record. @throws what the codec throws */
export function record(outbox: Outbox, of: Recorded, key: Key): number {
  const writer = outbox.begin()
  const start = writer.length
  const { begun } = outbox
  const value = of.live.get(key)
  const there = value !== undefined || of.live.has(key)
  try {
    if (there) appendPut(writer, of.id, key, value, of.codec)
    else appendTombstone(writer, of.id, key)
  } catch (error) {
    writer.length = start
    outbox.end(writer, 0)
    throw error
  }
  const bytes = writer.length - start
  const { untracked, rewrites, giants, recent } = of.space
  if (untracked !== undefined) {
    if (there) untracked.recorded(of.id, key, writer.bytes.subarray(start, writer.length))
    else untracked.removed(of.id, key)
  }
  if (bytes >= GIANT_BYTES) giants.recorded(of.id, of.name, key, bytes)
  else if (giants.has(of.id, key)) giants.forget(of.id, key)
  if (!there || !outbox.alone(begun)) of.redundancy.passed(recent, of.id, key)
  else if (of.redundancy.spares(recent, of.id, key, writer.bytes, start, writer.length)) {
    writer.length = start
    outbox.end(writer, 0)
    return -bytes
  }
  rewrites.recorded(of.id, key, bytes)
  outbox.end(writer, bytes)
  return bytes
}
