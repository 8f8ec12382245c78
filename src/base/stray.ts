/** Promises and generators that were given where none is taken. Owns nothing. */
import { types } from 'node:util'

const AsyncFunction = constructorOf(async () => {})
const Generator = constructorOf(function* () {})
const AsyncGenerator = constructorOf(async function* () {})

/** That of every promise that an async function gives: the global class may be another's, as with zone.js, and know nothing of those. */
const { then } = Object.getPrototypeOf((async () => {})()) as Promise<unknown>

/** As `promise.then`, whatever the global class is, and whatever hangs on the promise. */
export function follow(promise: Promise<unknown>, failed: (error: unknown) => void): void {
  void then.call(promise, undefined, failed)
}

function constructorOf(fn: () => unknown): new () => unknown {
  return Object.getPrototypeOf(fn).constructor
}

/** Written as async, and no generator. */
export function isAsyncFunction(fn: unknown): boolean {
  return fn instanceof AsyncFunction
}

/** `function*`, async or not: a call of it does nothing yet, the work is done by whoever walks what it gives. */
export function isGenerator(fn: unknown): boolean {
  return fn instanceof Generator || fn instanceof AsyncGenerator
}

/**
 * True for a promise, or what acts as one, and for what a generator gives, where a plain value is wanted: the caller refuses it. Then nobody
 * waits for it, and its failure must not end the process as one that nobody handles. What only acts as a promise is not touched: it may be work
 * that begins when it is waited for.
 */
export function isStray(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  if (typeof thenOf(value) !== 'function') return types.isGeneratorObject(value)
  if (types.isPromise(value)) follow(value, () => {})
  return true
}

/** A proxy may throw for a property that it has not: whoever waited for it would get that, and no value. */
function thenOf(value: object): unknown {
  try {
    return (value as { then?: unknown }).then
  } catch {
    return undefined
  }
}
