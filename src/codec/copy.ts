/**
 * Copies of values in the heap, for a transaction that may have to put them back: a copy takes half the time of bytes and less.
 *
 * Owns: what is simple enough to copy: plain objects, short arrays, primitives. Invariants: what is copied comes back as encoding and decoding it
 * would give it; no getter, setter or method of a value is called; a value that cannot be stored is not copied, or its copy cannot be stored
 * either. Not seen, because looking costs as much as the rest: a property of an object that is hidden and has a symbol as its name.
 */
const { getOwnPropertyDescriptor, getOwnPropertyNames, getOwnPropertySymbols, getPrototypeOf } = Object
const objectPrototype = Object.prototype
const arrayPrototype = Array.prototype
/** Of all questions about an accessor that do not call it, the cheapest; allocates nothing. */
const lookupGetter = (Object.prototype as unknown as { __lookupGetter__(this: object, key: PropertyKey): unknown }).__lookupGetter__
/** Deeper ones, and those that contain themselves, are not copied. */
const DEPTH_MAX = 16
/** What properties an array has is told by their names, one for each element. */
const ELEMENTS_MAX = 32
/** Properties and elements of one copy: objects that are shared unfold, and bytes are bounded. A copy of so many takes some ten milliseconds. */
const NODES_MAX = 100_000

/** What the copy under way may still have. */
let nodesLeft = 0

/** A copy that shares no object with `value`; undefined where that takes bytes. */
export function copyPlain(value: object): object | undefined {
  // A proxy's trap may come back in here.
  const nodesLeftBefore = nodesLeft
  nodesLeft = NODES_MAX
  try {
    return copied(value, DEPTH_MAX)
  } catch {
    // A proxy threw.
    return undefined
  } finally {
    nodesLeft = nodesLeftBefore
  }
}

function copied(value: object, depth: number): object | undefined {
  if (depth === 0) return undefined
  const prototype = getPrototypeOf(value)
  if (prototype === objectPrototype) return copiedObject(value as Record<string, unknown>, depth)
  return prototype === arrayPrototype && Array.isArray(value) ? copiedArray(value, depth) : undefined
}

function copiedObject(value: Record<string, unknown>, depth: number): object | undefined {
  let seen = 0
  for (const key in value) {
    // Setting it in a copy would set the prototype.
    if (key === '__proto__' || lookupGetter.call(value, key) !== undefined) return undefined
    seen++
  }
  // Something hidden, or inherited.
  if (getOwnPropertyNames(value).length !== seen) return undefined
  nodesLeft -= seen
  if (nodesLeft < 0) return undefined
  const copy = { ...value }
  for (const key in copy) {
    const child = copyOfChild(value, key, copy[key], depth)
    if (child === UNCOPIED) return undefined
    if (child !== copy[key]) copy[key] = child
  }
  return copy
}

function copiedArray(value: readonly unknown[], depth: number): unknown[] | undefined {
  // All that it has, and its length.
  if (value.length > ELEMENTS_MAX || getOwnPropertyNames(value).length !== value.length + 1) return undefined
  // An object's enumerable ones are copied, and refused in the copy; here they would be lost.
  if (getOwnPropertySymbols(value).length !== 0) return undefined
  nodesLeft -= value.length
  if (nodesLeft < 0) return undefined
  const copy: unknown[] = []
  for (let index = 0; index < value.length; index++) {
    if (lookupGetter.call(value, index) !== undefined) return undefined
    const child = copyOfChild(value, index, value[index], depth)
    if (child === UNCOPIED) return undefined
    copy.push(child)
  }
  return copy
}

const UNCOPIED = Symbol('uncopied')

function copyOfChild(of: object, key: PropertyKey, child: unknown, depth: number): unknown {
  switch (typeof child) {
    case 'object':
      return child === null ? null : (copied(child, depth - 1) ?? UNCOPIED)
    case 'undefined':
      // Also what a setter without a getter gives, and a hole.
      return getOwnPropertyDescriptor(of, key)?.writable === undefined ? UNCOPIED : undefined
    case 'function':
    case 'symbol':
      return UNCOPIED
    default:
      return child
  }
}
