/** Looking at arrays without reading or naming their elements. */
import { inspect, types } from 'node:util'

const hasOwn = Object.prototype.hasOwnProperty

/** Beyond this many elements their names are not listed to find out whether an array has other properties. */
export const LISTED_ELEMENTS_MAX = 128

/** Places of a long array that are looked at, spread over it, to tell whether its elements are worth counting. */
const PROBES = 1024
/** Where fewer than one place in so many is taken, V8 keeps the elements by number: there are not so many then that listing them does harm. */
const THIN = 16
/** Of what steps so far round a circle, no two come close to each other, whatever rhythm the holes have. */
const GOLDEN = 0.6180339887498949

/** All that decides what is shown, whatever the defaults of the process are. */
const OPTIONS = {
  showHidden: false,
  depth: 0,
  colors: false,
  customInspect: false,
  showProxy: false,
  maxArrayLength: 0,
  breakLength: Infinity,
  compact: 3,
  sorted: false,
  getters: false,
} as const

/** What `inspect` reads by name, beside symbols: of one's own these may be accessors, or a class that has some. */
function hasReadNames(value: object): boolean {
  return hasOwn.call(value, 'constructor') || (!Array.isArray(value) && hasOwn.call(value, 'length'))
}

/**
 * True when an array or typed array of `count` elements, which has no symbols for properties, has no further enumerable properties, in time
 * that does not grow with them: `inspect` shows those beside the count of elements it left out. Should its words change, false: the names
 * are listed then, which is slow but right. Calls no code of the value.
 */
export function showsElementsOnly(value: object, count: number): boolean {
  // Of a proxy `inspect` shows the target, whatever the traps show.
  if (types.isProxy(value) || hasReadNames(value)) return false
  const shown = inspect(value, OPTIONS)
  const expected = `[ ... ${count} more items ]`
  return shown.endsWith(expected) && /^(\w+\(\d+\) (\[Uint8Array\] )?)?$/.test(shown.slice(0, -expected.length))
}

/** True when such an array, which is no proxy, shows further properties; false also where that cannot be told. Calls no code of the value. */
export function showsFurther(value: readonly unknown[], count: number): boolean {
  if (hasReadNames(value)) return false
  return new RegExp(`^\\[\\s+\\.\\.\\. ${count} more items,\\s`).test(inspect(value, OPTIONS))
}

/** The first place below `count` that has no element; `count` when there is none. */
export function firstHole(value: readonly unknown[], count: number): number {
  let index = 0
  while (index < count && hasOwn.call(value, index)) index++
  return index
}

/**
 * True when more than `most` of the places below `count` have an element, counted one by one. False also where they are thin: an
 * array with a length of billions may have ten.
 */
export function hasMoreElements(value: readonly unknown[], count: number, most: number): boolean {
  let met = 0
  for (let probe = 0; probe < PROBES; probe++) if (hasOwn.call(value, Math.floor(((probe * GOLDEN) % 1) * count))) met++
  if (met * THIN < PROBES) return false
  let left = most
  for (let index = 0; index < count; index++) if (hasOwn.call(value, index) && left-- === 0) return true
  return false
}
