/**
 * Keys and values as JSON that can be read back exactly: as they are when JSON says them and they are not huge, otherwise `{"$": "<base64>"}` of the
 * default codec's bytes. Owns no state. Invariant: `unsay(JSON.parse(JSON.stringify(say(x))))` is `x` again, identity of shared objects included.
 */
import type { Codec } from 'tidemark'

export const TAG = '$'
/** JSON.stringify and JSON.parse go as deep as this for certain. */
const DEPTH_MAX = 100
/** Objects in a value, and elements in an array of it: a Set takes 16 times as many, and to look at an array takes a text for each of its indices. */
const PARTS_MAX = 1_048_576

/** `partsMax`: tests take less. */
export function say(codec: Codec, value: unknown, partsMax = PARTS_MAX): unknown {
  return plain(value, new Set(), 0, partsMax) ? value : { [TAG]: Buffer.from(codec.encode(value)).toString('base64') }
}

/** @throws TIDEMARK_VALUE_DAMAGED, SyntaxError for an object with the tag that holds no base64 */
export function unsay(codec: Codec, said: unknown): unknown {
  if (typeof said !== 'object' || said === null || !Object.hasOwn(said, TAG)) return said
  const { [TAG]: text, ...rest } = said as Record<string, unknown>
  if (typeof text !== 'string' || Object.keys(rest).length > 0)
    throw new SyntaxError(`an object with '${TAG}' holds base64 and nothing else`)
  return codec.decode(Buffer.from(text, 'base64'))
}

/** Whether JSON says all of it: no value of another type, nothing shared, no object of a class, no key that is the tag; not too much of it. */
function plain(value: unknown, seen: Set<object>, depth: number, partsMax: number): boolean {
  if (typeof value === 'string' || typeof value === 'boolean' || value === null) return true
  if (typeof value === 'number') return Number.isFinite(value) && !Object.is(value, -0)
  if (typeof value !== 'object' || seen.has(value) || depth > DEPTH_MAX || seen.size >= partsMax) return false
  seen.add(value)
  if (Object.getOwnPropertySymbols(value).length > 0) return false
  const isArray = Array.isArray(value)
  if (Object.getPrototypeOf(value) !== (isArray ? Array.prototype : Object.prototype) || !Object.isExtensible(value)) return false
  if (isArray && value.length > partsMax) return false
  const keys = Object.keys(value)
  // An array with holes has fewer, one with properties of its own more.
  if (isArray && (keys.length !== value.length || keys.some((key, at) => key !== String(at)))) return false
  const partOf = (key: string): unknown => (value as Record<string, unknown>)[key]
  return keys.every(key => key !== TAG && key !== '__proto__' && plain(partOf(key), seen, depth + 1, partsMax))
}
