/** A user's codec as the engine's: whatever it throws or returns becomes a value, bytes, or one of our errors with the cause kept. */
import { types } from 'node:util'
import type { ByteWriter } from '../base/bytes.ts'
import { hasCode, isError, TidemarkError } from '../base/errors.ts'
import { VALUE_BYTES_MAX } from '../base/limits.ts'
import { isAllocationFailure } from '../base/out-of-memory.ts'
import { isStray } from '../base/stray.ts'
import type { Codec, ValueCodec } from './contract.ts'
import { isWellFormed } from './text.ts'
import { plainTideCodec, tideCodec } from './tide.ts'

const HINT_FUNCTION = 'store an object that says what it does, and look the function up by it'

/** One and the same for a codec that is given again: what it has read need not be read anew. */
const wrapped = new WeakMap<object, ValueCodec>()

/** Throws TIDEMARK_CODEC when this is no codec, or has a name that would not name it when the store is opened again. */
export function wrapCodec<V>(codec: Codec<V>): ValueCodec {
  if ((codec as unknown) === plainTideCodec) return tideCodec
  const name: unknown = codec?.name
  if (
    typeof name !== 'string' ||
    name === '' ||
    name.length > 64 ||
    typeof codec.encode !== 'function' ||
    typeof codec.decode !== 'function'
  ) {
    throw new TidemarkError('TIDEMARK_CODEC', 'a codec has a name of 1 to 64 characters and the functions encode and decode', {
      hint: 'for example { name: "json", encode: value => Buffer.from(JSON.stringify(value)), decode: bytes => JSON.parse(String(bytes)) }',
    })
  }
  if (name === tideCodec.name) {
    throw new TidemarkError('TIDEMARK_CODEC', `the name "${name}" is the default codec's`, {
      hint: 'choose another name, or give what defaultCodec() gives',
    })
  }
  if (!isWellFormed(name)) {
    throw new TidemarkError('TIDEMARK_CODEC', "a codec's name must not hold a lone surrogate", { hint: 'use well-formed Unicode' })
  }
  const known = wrapped.get(codec)
  if (known?.name === name) return known
  const own: ValueCodec = {
    name,
    encodeInto(writer: ByteWriter, value: unknown): void {
      const bytes = encoded(codec, name, value)
      writer.raw(bytes)
    },
    decode(bytes: Buffer, start: number, end: number): unknown {
      let value: unknown
      try {
        value = codec.decode(Uint8Array.prototype.slice.call(bytes, start, end))
      } catch (cause) {
        // It came back for what it was decoding.
        if (hasCode(cause, 'TIDEMARK_CODEC')) throw cause
        throw new TidemarkError('TIDEMARK_VALUE_DAMAGED', `the codec "${name}" could not decode a value: ${messageOf(cause)}`, {
          hint: 'see the cause; the codec must read all that earlier versions of it wrote',
          cause,
        })
      }
      if (typeof value === 'function') {
        throw new TidemarkError('TIDEMARK_CODEC', `the codec "${name}" must not return a function from decode`, { hint: HINT_FUNCTION })
      }
      if (isStray(value)) {
        throw new TidemarkError(
          'TIDEMARK_CODEC',
          `the codec "${name}" must return the value from decode, not a promise of it or a generator`,
          {
            hint: 'decode must be synchronous',
          },
        )
      }
      return value
    },
  }
  wrapped.set(codec, own)
  return own
}

function encoded<V>(codec: Codec<V>, name: string, value: unknown): Uint8Array {
  // It can be changed as an object can, and the engine takes every value that is no object for one that cannot.
  if (typeof value === 'function') {
    throw new TidemarkError('TIDEMARK_VALUE_REFUSED', 'a function cannot be stored with any codec', { hint: HINT_FUNCTION })
  }
  let bytes: unknown
  try {
    bytes = codec.encode(value as V)
  } catch (cause) {
    if (isAllocationFailure(cause)) throw cause
    throw new TidemarkError('TIDEMARK_VALUE_REFUSED', `the codec "${name}" could not encode a value: ${messageOf(cause)}`, {
      hint: 'see the cause',
      cause,
    })
  }
  if (!types.isUint8Array(bytes)) {
    throw new TidemarkError('TIDEMARK_CODEC', `the codec "${name}" must return a Uint8Array from encode`, {
      hint: isStray(bytes) ? 'encode must be synchronous' : 'return a Uint8Array or a Buffer',
    })
  }
  if (bytes.length > VALUE_BYTES_MAX) {
    throw new TidemarkError('TIDEMARK_VALUE_REFUSED', `the codec "${name}" made more than ${VALUE_BYTES_MAX} bytes of a value`, {
      hint: 'store it in parts',
    })
  }
  return bytes
}

function messageOf(error: unknown): string {
  return isError(error) ? error.message : typeof error === 'string' ? error : 'it threw'
}
