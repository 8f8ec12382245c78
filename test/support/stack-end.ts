/**
 * Calls at the end of the stack, for tests. Owns nothing.
 *
 * What: recursion that ends with the stack, however long that is, with a step in each of its last calls, so that the end falls at every place of
 * the step that has a call.
 */

/** Of the calls of the recursion, those in which there is a step. */
const LAST_CALLS = 150
/** Of eight bytes each: more than a call of the recursion takes, so that a step begins at every distance from the end. */
const SHIFTS = 24

/** V8 compiles a function at its first call, which takes more stack than all of these. */
const FIRST_STEPS = 100

/** What is thrown in a step is caught there. */
export function atStackEnd(step: () => void, shifts = SHIFTS): void {
  for (let left = FIRST_STEPS; left > 0; left--) {
    try {
      step()
    } catch {}
  }
  for (let shift = 0; shift < shifts; shift++) {
    let deepest = 0
    let first = Number.POSITIVE_INFINITY
    const dive = (level: number): void => {
      deepest = level
      if (level > first) {
        try {
          step()
        } catch {}
      }
      dive(level + 1)
    }
    for (let round = 0; round < 2; round++) {
      try {
        Reflect.apply(dive, undefined, new Array(shift + 1).fill(0))
      } catch {}
      first = deepest - LAST_CALLS
    }
  }
}
