/**
 * One record into the outbox: the state of a key as it is now.
 *
 * Owns nothing. Invariant: after an error nothing of the record is left, and the outbox goes on.
 */
import { GIANT_BYTES } from '../base/limits.ts'
import type { Key, ValueCodec } from '../codec/index.ts'
import { appendPut, appendTombstone } from '../format/index.ts'
import type { Outbox } from './outbox.ts'
import type { Space } from './space.ts'

/** An incarnation whose entries are recorded. */
export interface Recorded {
  readonly id: number
  readonly name: string
  readonly live: ReadonlyMap<Key, unknown>
  readonly codec: ValueCodec
  readonly space: Space
}

/** Returns its bytes. @throws what the codec throws */
export function record(outbox: Outbox, of: Recorded, key: Key): number {
  const writer = outbox.begin()
  const start = writer.length
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
  const { untracked, rewrites, giants } = of.space
  if (untracked !== undefined) {
    if (there) untracked.recorded(of.id, key, writer.bytes.subarray(start, writer.length))
    else untracked.removed(of.id, key)
  }
  rewrites.recorded(of.id, key, bytes)
  if (bytes >= GIANT_BYTES) giants.recorded(of.id, of.name, key, bytes)
  else if (giants.has(of.id, key)) giants.forget(of.id, key)
  outbox.end(writer, bytes)
  return bytes
}
