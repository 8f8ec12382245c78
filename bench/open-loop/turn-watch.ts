/**
 * Times what an engine does in turns of the event loop of its own: its immediates, timers and messages from threads.
 *
 * What: wraps the ways into the event loop, from outside, so that the engine's own figures are not taken on trust. Install it before the
 * engine is imported, which keeps the timers that it finds then; the benchmark itself schedules through `untimed`. A turn is the callback and all microtasks that follow from it.
 * Owns: the spans. Does not own: engine time inside calls of the benchmark; what runs behind a read of a file before the engine yields.
 * Invariant: spans are in order of time; two in one turn of the event loop with nothing between them are one.
 */
import { EventEmitter } from 'node:events'
import { syncBuiltinESMExports } from 'node:module'
import timers from 'node:timers'
import { Worker } from 'node:worker_threads'

/** The event loop without a watch. */
export const untimed = { immediate: setImmediate, after: setTimeout, repeat: setInterval }

/** Spans of one turn this close together, in ms, are one: nothing else fits between. */
const GAP_MS = 0.005
const SPANS_MAX = 4_000_000

type Callback = (...args: unknown[]) => unknown

export class TurnWatch {
  #starts = new Float64Array(4096)
  #ends = new Float64Array(4096)
  #count = 0
  #scheduled = 0
  #active = false
  /** A span is under way: what is called within is part of it. */
  #open = false
  /** Something else had a turn since the last span. */
  #apart = true

  install(): void {
    const timed = (fn: Callback): Callback => this.#timed(fn)
    const scheduled = (fn: Callback): Callback => this.#timed(fn, 1)
    const wrapped = {
      setImmediate: (fn: Callback, ...args: unknown[]) => untimed.immediate(scheduled(fn), ...args),
      setTimeout: (fn: Callback, ms?: number, ...args: unknown[]) => untimed.after(scheduled(fn), ms, ...args),
      setInterval: (fn: Callback, ms?: number, ...args: unknown[]) => untimed.repeat(scheduled(fn), ms, ...args),
    }
    Object.assign(globalThis, wrapped)
    Object.assign(timers, wrapped)
    // What is imported from the module by name is a copy.
    syncBuiltinESMExports()
    const worker = Worker.prototype as unknown as Record<string, unknown>
    for (const method of ['on', 'once', 'addListener'] as const) {
      const original = EventEmitter.prototype[method] as (event: string, listener: Callback) => unknown
      worker[method] = function (this: Worker, event: string, listener: Callback): unknown {
        return original.call(this, event, event === 'message' ? timed(listener) : listener)
      }
    }
  }

  start(): void {
    this.#count = 0
    this.#scheduled = 0
    this.#active = true
  }

  stop(): void {
    this.#active = false
  }

  /** The benchmark has its own turn: once in each round of the event loop. */
  tick(): void {
    this.#apart = true
  }

  /** Counts engine time that the benchmark itself called for, such as a barrier: the call alone. */
  run<T>(fn: () => T): T {
    if (!this.#active || this.#open) return fn()
    const start = this.#begin()
    try {
      return fn()
    } finally {
      this.#end(start)
    }
  }

  /** Turns that were an immediate or a timer: none, and the watch sees nothing of what the engine schedules. */
  get scheduled(): number {
    return this.#scheduled
  }

  get spans(): readonly { readonly startMs: number; readonly endMs: number }[] {
    return Array.from({ length: this.#count }, (_, at) => ({ startMs: this.#starts[at] as number, endMs: this.#ends[at] as number }))
  }

  #timed(fn: Callback, scheduled = 0): Callback {
    const watch = this
    return function (this: unknown, ...args) {
      if (!watch.#active || watch.#open) return fn.apply(this, args)
      watch.#scheduled += scheduled
      const start = watch.#begin()
      try {
        return fn.apply(this, args)
      } finally {
        // Who awaits the event loop does its work in the microtasks behind the callback: the next tick comes when none of them is left.
        queueMicrotask(() => process.nextTick(() => watch.#end(start)))
      }
    }
  }

  #begin(): number {
    this.#open = true
    return performance.now()
  }

  #end(start: number): void {
    this.#open = false
    this.#add(start, performance.now())
  }

  #add(start: number, end: number): void {
    const last = this.#count - 1
    if (last >= 0 && !this.#apart && start - (this.#ends[last] as number) < GAP_MS) {
      this.#ends[last] = end
      return
    }
    this.#apart = false
    if (this.#count === this.#starts.length) {
      if (this.#count >= SPANS_MAX) throw new Error('more turns than a run can have')
      this.#starts = grown(this.#starts)
      this.#ends = grown(this.#ends)
    }
    this.#starts[this.#count] = start
    this.#ends[this.#count++] = end
  }
}

function grown(from: Float64Array): Float64Array<ArrayBuffer> {
  const to = new Float64Array(from.length * 2)
  to.set(from)
  return to
}
