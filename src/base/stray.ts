/** Promises that were given where none is taken. Owns nothing. */
import { types } from 'node:util'

/**
 * True for a promise, or what acts as one, where a plain value is wanted: the caller refuses it. Then nobody waits for it, and its failure
 * must not end the process as one that nobody handles. What only acts as one is not touched: it may be work that begins when it is waited for.
 */
export function isStray(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || typeof (value as { then?: unknown }).then !== 'function') return false
  if (types.isPromise(value)) Promise.prototype.then.call(value, undefined, () => {})
  return true
}
