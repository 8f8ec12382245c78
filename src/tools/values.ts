/**
 * Keys and values as JSON that can be read back exactly: as they are when JSON says them, otherwise `{"$": "<base64>"}` of the default
 * codec's bytes. Owns no state. Invariant: `unsay(JSON.parse(JSON.stringify(say(x))))` is `x` again, identity of shared objects included.
 */
import type { Codec } from 'tidemark'

export const TAG = '$'
/** JSON.stringify and JSON.parse go as deep as this for certain. */
const DEPTH_MAX = 100

export function say(codec: Codec, value: unknown): unknown {
  return plain(value, new Set(), 0) ? value : { [TAG]: Buffer.from(codec.encode(value)).toString('base64') }
}

/** @throws TIDEMARK_VALUE_DAMAGED, SyntaxError for an object with the tag that holds no base64 */
export function unsay(codec: Codec, said: unknown): unknown {
  if (typeof said !== 'object' || said === null || !Object.hasOwn(said, TAG)) return said
  const { [TAG]: text, ...rest } = said as Record<string, unknown>
  if (typeof text !== 'string' || Object.keys(rest).length > 0)
    throw new SyntaxError(`an object with '${TAG}' holds base64 and nothing else`)
  return codec.decode(Buffer.from(text, 'base64'))
}

/** Whether JSON says all of it: no value of another type, nothing shared, no object of a class, no key that is the tag. */
function plain(value: unknown, seen: Set<object>, depth: number): boolean {
  if (typeof value === 'string' || typeof value === 'boolean' || value === null) return true
  if (typeof value === 'number') return Number.isFinite(value) && !Object.is(value, -0)
  if (typeof value !== 'object' || seen.has(value) || depth > DEPTH_MAX) return false
  seen.add(value)
  if (Object.getOwnPropertySymbols(value).length > 0) return false
  const isArray = Array.isArray(value)
  if (Object.getPrototypeOf(value) !== (isArray ? Array.prototype : Object.prototype) || !Object.isExtensible(value)) return false
  const keys = Object.keys(value)
  // An array with holes has fewer, one with properties of its own more.
  if (isArray && (keys.length !== value.length || keys.some((key, at) => key !== String(at)))) return false
  return keys.every(key => key !== TAG && key !== '__proto__' && plain((value as Record<string, unknown>)[key], seen, depth + 1))
}
