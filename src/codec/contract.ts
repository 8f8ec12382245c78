/** What the engine asks of a codec. No user code runs here; see `user.ts` for the wrapping of what a user supplies. */
import type { ByteWriter } from '../base/bytes.ts'

/** A key of a map. `1`, `'1'` and `1n` differ; `0` and `-0` are one key; `NaN` is a key. */
export type Key = string | number | bigint

/**
 * A user's own encoding of the values of one collection: of anything but functions, which are refused with every codec.
 *
 * @example
 * const json: Codec = { name: 'json', encode: value => Buffer.from(JSON.stringify(value)), decode: bytes => JSON.parse(String(bytes)) }
 */
export interface Codec<V = unknown> {
  /** Stored with the collection; opening it with a codec of another name is refused. */
  readonly name: string
  /** The bytes are copied before the next call, so one buffer may be used again and again. */
  encode(value: V): Uint8Array
  /**
   * Synchronous. The bytes are a copy of this value's own, to keep or to change. It must not return a function or a promise, nor get the entry it
   * decodes, nor set it in a transaction.
   */
  decode(bytes: Uint8Array): V
}

/** How the engine writes and reads one value. */
export interface ValueCodec {
  readonly name: string
  /** It stands for one that was not given yet, and throws TIDEMARK_CODEC_MISMATCH. */
  readonly absent?: boolean
  /** Appends one value. Throws TIDEMARK_VALUE_REFUSED or TIDEMARK_CODEC, or what want of memory did; the caller then puts the writer's length back. */
  encodeInto(writer: ByteWriter, value: unknown): void
  /** The same as encoding and decoding, where it can be had for less; undefined: encode it. */
  copy?(value: object): object | undefined
  /** Reads the value that fills `[start, end)` exactly. Throws TIDEMARK_VALUE_DAMAGED. The result shares no memory with `bytes`. */
  decode(bytes: Buffer, start: number, end: number): unknown
}
