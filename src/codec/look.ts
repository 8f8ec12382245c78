/** Looking at arrays without reading or naming their elements. */
import { inspect, types } from 'node:util'

const hasOwn = Object.prototype.hasOwnProperty

/** Beyond this many elements their names are not listed to find out whether an array has other properties. */
export const LISTED_ELEMENTS_MAX = 128

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
