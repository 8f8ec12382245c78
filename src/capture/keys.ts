/** Checks keys and names when they first appear, so that the hot path need not. */
import { TidemarkError } from '../base/errors.ts'
import { describe } from '../base/given.ts'
import { COLLECTION_NAME_BYTES_MAX, KEY_BYTES_MAX, RESERVED_NAME_PREFIX } from '../base/limits.ts'
import { BIGINT_KEY_HEAD_BYTES } from '../codec/index.ts'

/** Bytes of an encoded key beside those of its text: the tag. */
const STRING_HEAD_BYTES = 1
const BIGINT_BITS_MAX = (KEY_BYTES_MAX - BIGINT_KEY_HEAD_BYTES) * 8
const SHORT_CHARACTERS = 1024

/** True for most keys, and only for what is one. */
export function isShort(key: unknown): boolean {
  return typeof key === 'string' ? key.length < SHORT_CHARACTERS : typeof key === 'number'
}

export function checkKey(collection: string, key: unknown): void {
  switch (typeof key) {
    case 'number':
      return
    case 'string':
      if (key.length * 3 + STRING_HEAD_BYTES <= KEY_BYTES_MAX || Buffer.byteLength(key) + STRING_HEAD_BYTES <= KEY_BYTES_MAX) return
      break
    case 'bigint':
      if (BigInt.asIntN(64, key) === key || isShortEnough(key < 0n ? -key : key)) return
      break
    default:
      throw new TidemarkError('TIDEMARK_KEY', `'${collection}': a key must be a string, a number or a bigint, not ${describe(key)}`, {
        collection,
        key,
        hint: 'use an identifier as the key and put the object into the value',
      })
  }
  throw new TidemarkError('TIDEMARK_KEY', `'${collection}': the key is longer than ${KEY_BYTES_MAX} bytes`, {
    collection,
    hint: 'use a digest of it as the key',
  })
}

function isShortEnough(magnitude: bigint): boolean {
  return BigInt.asUintN(BIGINT_BITS_MAX, magnitude) === magnitude
}

export function checkName(name: unknown): asserts name is string {
  const fail = (what: string, hint: string): never => {
    throw new TidemarkError('TIDEMARK_NAME', `a collection's name ${what}`, {
      hint,
      ...(typeof name === 'string' ? { collection: name.slice(0, 100) } : {}),
    })
  }
  if (typeof name !== 'string') fail(`must be a string, not ${describe(name)}`, 'give a string')
  const text = name as string
  if (text.length === 0) fail('must not be empty', 'give at least one character')
  if (Buffer.byteLength(text) > COLLECTION_NAME_BYTES_MAX)
    fail(`must not exceed ${COLLECTION_NAME_BYTES_MAX} bytes of UTF-8`, 'use a shorter name')
  if (text.startsWith(RESERVED_NAME_PREFIX))
    fail(`must not begin with '${RESERVED_NAME_PREFIX}', which is reserved for the engine`, 'choose another name')
  if (!text.isWellFormed()) fail('must not hold a lone surrogate', 'use well-formed Unicode')
}
