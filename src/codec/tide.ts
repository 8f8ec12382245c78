/** The default codec: every kind of value the contract lists, exactly, without a schema. */
import { ByteWriter } from '../base/bytes.ts'
import type { Codec, ValueCodec } from './contract.ts'
import { copyPlain } from './copy.ts'
import { Decoder } from './decode.ts'
import { Encoder } from './encode.ts'
import { ReadShapes } from './shapes.ts'

let encoder = new Encoder()
let shapes = new ReadShapes()

/** Values as docs/format/value.md has them. One for the whole process: what it remembers is bounded, and costs or saves time only. */
export const tideCodec: ValueCodec = {
  name: 'tide1',
  encodeInto(writer: ByteWriter, value: unknown): void {
    // A proxy's trap may come back in here.
    const free = encoder.busy ? new Encoder() : encoder
    free.encode(writer, value)
  },
  copy: copyPlain,
  decode(bytes: Buffer, start: number, end: number): unknown {
    return new Decoder(shapes, bytes, start, end).whole()
  },
}

/** Forgets every shape, for tests and measurements. */
export function forgetShapes(): void {
  encoder = new Encoder()
  shapes = new ReadShapes()
}

/** The default codec in the shape of a user's own: the same bytes. @throws TIDEMARK_VALUE_REFUSED; TIDEMARK_VALUE_DAMAGED */
export const plainTideCodec: Codec = {
  name: tideCodec.name,
  encode(value: unknown): Uint8Array {
    const writer = new ByteWriter()
    tideCodec.encodeInto(writer, value)
    return Uint8Array.prototype.slice.call(writer.bytes, 0, writer.length)
  },
  decode(bytes: Uint8Array): unknown {
    return tideCodec.decode(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), 0, bytes.byteLength)
  },
}
