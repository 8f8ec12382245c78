/**
 * Small zstd frames decoded by code of our own (RFC 8878), in WebAssembly: zstd-tables.wat and what follows it.
 *
 * What for: a cold `get` decodes one block of some kilobytes, and the addon makes a decoder with large buffers for each call, and a buffer that has to
 * be finalized.
 * Owns: the memory it works in, one for each thread that has something to decode, made with the first such call. Does not own: who is asked where it
 * refuses.
 * Invariants: it gives the whole content of a frame that is valid throughout, or refuses; nothing a frame says makes it read or write elsewhere, or go on
 * for longer than its content takes. It refuses some frames that are valid: larger than what encoders make, with a checksum, and windows that are smaller
 * than the content, or from 128 MiB on.
 */
import { withWasm } from '../base/wasm.ts'
import { ZSTD_BLOCK } from './zstd-block-code.ts'

/** Content of the largest frame, one block of zstd. */
export const ZSTD_OWN_BYTES_MAX = 128 * 1024

/** The largest frame: encoders make none of that content as large. */
export const ZSTD_OWN_STORED_BYTES_MAX = 0x20f00

/** `damaged`: no frame, or not of that content; `other`: it may be a valid one, for other decoders. */
export type ZstdRefusal = 'damaged' | 'other'

/** As zstd-tables.wat lays it out. */
const STORED_AT = 0x31000
const RAW_AT = 0x52000
const OTHER = 1

interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer }
  decode(storedBytes: number, rawBytes: number): number
}

interface Decoder {
  readonly memory: Uint8Array
  readonly decode: Exports['decode']
}

/** Null: there is none here. */
let decoder: Decoder | null | undefined

function opened(): Decoder | null {
  // Where there is none that stays so: each try may cost collections of garbage, in which V8 looks for address space.
  if (decoder === undefined)
    decoder =
      withWasm(wasm => {
        const { memory, decode } = new wasm.Instance(new wasm.Module(Buffer.from(ZSTD_BLOCK, 'base64')), {}).exports as Exports
        return { memory: new Uint8Array(memory.buffer), decode }
      }) ?? null
  return decoder
}

/** Whether this runtime can run it. */
export function hasZstdBlock(): boolean {
  return opened() !== null
}

/** The `rawLength` bytes of the only frame in `stored`, which names that length; or why not. @throws RangeError where the stack ends in it */
export function decodeZstdBlock(stored: Uint8Array, rawLength: number): Buffer | ZstdRefusal {
  if (rawLength > ZSTD_OWN_BYTES_MAX || stored.length > ZSTD_OWN_STORED_BYTES_MAX) return 'other'
  const own = opened()
  if (own === null) return 'other'
  own.memory.set(stored, STORED_AT)
  let refused: number
  try {
    refused = own.decode(stored.length, rawLength)
  } catch (error) {
    // The stack ended in it: that says nothing of the frame.
    if ((error as Error).name !== 'RuntimeError') throw error
    // It left its memory: nothing that is valid makes it do so.
    return 'damaged'
  }
  if (refused !== 0) return refused === OTHER ? 'other' : 'damaged'
  const raw = Buffer.allocUnsafeSlow(rawLength)
  raw.set(own.memory.subarray(RAW_AT, RAW_AT + rawLength))
  return raw
}
