/**
 * Virtual time: a clock and a scheduler of which nothing passes but by `run`.
 *
 * Owns: the time and the tasks that wait for it. Does not own: promises; between two tasks the real event loop drains them.
 * Invariants: a task runs at its time, never before, never inside the call that made it; tasks of one time run in an order drawn from the
 * seed, so one seed is one interleaving; the wall clock may be made to jump and moves no task.
 * What is simulated must wait by nothing but this scheduler and promises: real I/O and real timers finish in an order no seed decides.
 */
import type { Clock } from '../base/clock.ts'
import { type Cancel, type Scheduler, systemScheduler } from '../base/scheduler.ts'
import { SeededRandom } from './random.ts'

/** 2026-01-01, so that a simulated time looks like one. */
const START_MS = 1767225600000

interface Task {
  readonly at: number
  /** Breaks ties between tasks of one time. */
  readonly lot: number
  readonly number: number
  run: (() => void) | undefined
}

export class SimulatedClock implements Clock {
  #elapsedMs = 0
  #wallOffsetMs: number

  constructor(startMs = START_MS) {
    this.#wallOffsetMs = startMs
  }

  now(): number {
    return Math.floor(this.#wallOffsetMs + this.#elapsedMs)
  }

  monotonic(): number {
    return this.#elapsedMs
  }

  /** Lets time pass; the scheduler does this. */
  advance(ms: number): void {
    if (!(ms >= 0)) throw new RangeError(`time does not go by ${ms} ms`)
    this.#elapsedMs += ms
  }

  /** Sets the wall clock forward or back, as an administrator or NTP does; `monotonic` does not notice. */
  jump(ms: number): void {
    this.#wallOffsetMs += ms
  }
}

export interface SimulatedSchedulerOptions {
  readonly seed?: number
  readonly clock?: SimulatedClock
  /** Tasks after which `run` gives up: something goes round in circles. Default 1,000,000. */
  readonly tasksMax?: number
}

export class SimulatedScheduler implements Scheduler {
  readonly clock: SimulatedClock
  readonly #random: SeededRandom
  readonly #tasksMax: number
  readonly #heap: Task[] = []
  #made = 0
  #ran = 0

  constructor(options: SimulatedSchedulerOptions = {}) {
    this.clock = options.clock ?? new SimulatedClock()
    this.#random = new SeededRandom(options.seed ?? 1)
    this.#tasksMax = options.tasksMax ?? 1_000_000
  }

  immediate(fn: () => void): Cancel {
    return this.#add(0, fn)
  }

  after(ms: number, fn: () => void): Cancel {
    return this.#add(Math.max(0, ms), fn)
  }

  /** A promise for later, in virtual time. */
  sleep(ms: number): Promise<void> {
    return new Promise(resolve => {
      this.after(ms, resolve)
    })
  }

  /** Tasks waiting, cancelled ones included until their time. */
  get waiting(): number {
    return this.#heap.length
  }

  /** Tasks run so far: with the seed, the place in a simulated life. */
  get ran(): number {
    return this.#ran
  }

  /**
   * Runs tasks in order of time until `until`: a virtual time in monotonic milliseconds (which it then is), a promise that settles (its
   * value is given back, its error thrown), or, by default, until no task is left. Rejects when the promise waits and no task is left.
   */
  async run(): Promise<void>
  async run(until: number): Promise<void>
  async run<T>(until: Promise<T>): Promise<T>
  async run(until?: number | Promise<unknown>): Promise<unknown> {
    if (until instanceof Promise) return this.#runUntilSettled(until)
    const end = until ?? Number.POSITIVE_INFINITY
    await settle()
    while (this.#heap.length > 0 && (this.#heap[0] as Task).at <= end) await this.#step()
    if (until !== undefined) this.clock.advance(Math.max(0, until - this.clock.monotonic()))
    return undefined
  }

  async #runUntilSettled<T>(promise: Promise<T>): Promise<T> {
    let settled = false
    const mark = (): void => {
      settled = true
    }
    promise.then(mark, mark)
    await settle()
    while (!settled) {
      if (this.#heap.length === 0) throw new Error(`deadlock: nothing is scheduled at ${this.clock.monotonic()} ms, yet the promise waits`)
      await this.#step()
    }
    return promise
  }

  async #step(): Promise<void> {
    const task = this.#pop()
    if (task.run === undefined) return
    if (++this.#ran > this.#tasksMax) throw new Error(`livelock: ${this.#tasksMax} tasks ran`)
    this.clock.advance(Math.max(0, task.at - this.clock.monotonic()))
    const { run } = task
    task.run = undefined
    run()
    await settle()
  }

  #add(ms: number, fn: () => void): Cancel {
    const task: Task = { at: this.clock.monotonic() + ms, lot: this.#random.u32(), number: this.#made++, run: fn }
    const heap = this.#heap
    let at = heap.push(task) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!before(task, heap[parent] as Task)) break
      heap[at] = heap[parent] as Task
      at = parent
    }
    heap[at] = task
    return () => {
      task.run = undefined
    }
  }

  #pop(): Task {
    const heap = this.#heap
    const first = heap[0] as Task
    const last = heap.pop() as Task
    if (heap.length === 0) return first
    let at = 0
    for (;;) {
      let child = at * 2 + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && before(heap[child + 1] as Task, heap[child] as Task)) child++
      if (!before(heap[child] as Task, last)) break
      heap[at] = heap[child] as Task
      at = child
    }
    heap[at] = last
    return first
  }
}

function before(a: Task, b: Task): boolean {
  if (a.at !== b.at) return a.at < b.at
  return a.lot === b.lot ? a.number < b.number : a.lot < b.lot
}

/** Lets every promise that can go on do so: a turn of the real event loop comes after all microtasks. */
function settle(): Promise<void> {
  return new Promise(resolve => {
    systemScheduler.immediate(resolve)
  })
}
