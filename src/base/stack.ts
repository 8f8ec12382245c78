/** Owns nothing. Holds: what has to be done whole begins where there is stack for it, wherever the service's own recursion has got to. */

/** Far more than any work of the engine has inside of another, but for the nesting of a value. */
const CALLS = 100

/** @throws RangeError as any call does that finds no stack, before anything was done */
export function assertStack(calls = CALLS): number {
  // Not a tail of its own: each call has to be there.
  return calls === 0 ? 0 : assertStack(calls - 1) + 1
}
