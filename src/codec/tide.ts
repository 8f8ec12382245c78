/** The default codec: every kind of value the contract lists, exactly, without a schema. */
import type { ByteWriter } from '../base/bytes.ts'
import type { ValueCodec } from './contract.ts'
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
  decode(bytes: Buffer, start: number, end: number): unknown {
    return new Decoder(shapes, bytes, start, end).whole()
  },
}

/** Forgets every shape, for tests and measurements. */
export function forgetShapes(): void {
  encoder = new Encoder()
  shapes = new ReadShapes()
}
