/**
 * The one door to the event loop; a simulation brings its own.
 * Invariant: `fn` never runs inside the call that schedules it, runs at most once, and never after its `Cancel` was called.
 */
import timers from 'node:timers'

/** As they are when this is loaded, and not the globals: what fakes timers in a test of the service replaces those, and then no time passes for it. */
const { setImmediate, setTimeout, clearTimeout } = timers

/** Takes the call back; harmless when it has run or was cancelled before. */
export type Cancel = () => void

export interface Scheduler {
  /** Runs `fn` after the events that are ready now; keeps the process alive until then. */
  immediate(fn: () => void): Cancel
  /** Runs `fn` about `ms` milliseconds from now, not earlier; keeps the process alive until then only if `keepAlive`. */
  after(ms: number, fn: () => void, keepAlive?: boolean): Cancel
}

export const systemScheduler: Scheduler = {
  immediate(fn) {
    // It stays in the queue: where the one before it threw, and who catches that cancels this one, Node.js would throw in every turn from then on.
    let wanted: (() => void) | undefined = fn
    setImmediate(() => wanted?.())
    return () => {
      wanted = undefined
    }
  },
  after(ms, fn, keepAlive = false) {
    const handle = setTimeout(fn, ms)
    if (!keepAlive) handle.unref()
    return () => clearTimeout(handle)
  },
}
