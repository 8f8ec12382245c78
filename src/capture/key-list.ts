/**
 * Keys as bytes, for the writer to look up: each as its length (u32, little-endian) and its bytes.
 *
 * Owns: the layout. Does not own: what is asked about the keys. The list never reaches a disk.
 */
import { ByteWriter } from '../base/bytes.ts'
import { encodeKeyInto, type Key } from '../codec/index.ts'

export interface KeyList {
  readonly count: number
  readonly bytes: Uint8Array
}

/**
 * What the writer has to look up for one incarnation, so that the entries of a commit can be counted.
 * `unresolved`: keys whose existence in the state before the epoch is asked. `refused`: keys whose value was refused in this epoch, and
 * whose existence in the state after it is asked.
 */
export interface Census {
  readonly id: number
  readonly unresolved: KeyList
  readonly refused: KeyList
}

const BUFFER_BYTES = 1024
const NOTHING: KeyList = { count: 0, bytes: new Uint8Array(0) }

export class KeyListWriter {
  count = 0
  #writer: ByteWriter | undefined

  add(key: Key): void {
    this.#writer ??= new ByteWriter(BUFFER_BYTES)
    const writer = this.#writer
    const start = writer.length
    writer.u32(0)
    encodeKeyInto(writer, key)
    writer.bytes.writeUInt32LE(writer.length - start - 4, start)
    this.count++
  }

  /** Nothing may be added afterwards: the memory may be transferred. */
  list(): KeyList {
    return this.#writer === undefined ? NOTHING : { count: this.count, bytes: this.#writer.view() }
  }
}

/** The encoded keys of a list, as views. */
export function* keysOf({ bytes }: KeyList): Generator<Buffer> {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  for (let at = 0; at < buffer.length; ) {
    const end = at + 4 + buffer.readUInt32LE(at)
    yield buffer.subarray(at + 4, end)
    at = end
  }
}
