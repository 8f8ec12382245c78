/**
 * The control: a plain Map and, beside the load, idle turns as many and as long as those an engine took, evenly over the time. Whatever
 * its turns suffer, the machine and V8 did to them. It goes through the same doors into the event loop as an engine, and is timed the same.
 */
import type { Engine } from '../engines/index.ts'
import { median } from './stats.ts'

/** Turns as many and as long as those of an engine. */
export interface ControlRate {
  readonly longPerSecond: number
  readonly longMs: number
  readonly shortPerSecond: number
  readonly shortMs: number
}

/** The turns that an engine took in one run. */
export interface TurnsTaken {
  readonly turns: number
  /** Those that did more than take in a message, beyond `LONG_MS_MIN`. */
  readonly longTurns: number
  readonly longTotalMs: number
  readonly seconds: number
}

const LONG_MS_MIN = 0.1
/** A slice of the engine ends after this share of `stallMsMax`, whose default is 1 ms. */
const LONG_MS = 0.35
const SHORT_MS = 0.02
/** Taken where the engine has not run. */
const RATE_FIRST: ControlRate = { longPerSecond: 30, longMs: LONG_MS, shortPerSecond: 50, shortMs: SHORT_MS }

export function turnsTaken(turnsMs: readonly number[], seconds: number): TurnsTaken {
  const long = turnsMs.filter(ms => ms > LONG_MS_MIN)
  return { turns: turnsMs.length, longTurns: long.length, longTotalMs: long.reduce((sum, ms) => sum + ms, 0), seconds }
}

/** As many turns as the engine took, the long ones together as long as the engine's, each as long as a slice should be. */
export function rateOf(runs: readonly TurnsTaken[]): ControlRate {
  if (runs.length === 0) return RATE_FIRST
  const of = (pick: (run: TurnsTaken) => number): number => median(runs.map(run => pick(run) / run.seconds))
  return {
    longPerSecond: of(run => run.longTotalMs) / LONG_MS,
    longMs: LONG_MS,
    shortPerSecond: of(run => run.turns - run.longTurns),
    shortMs: SHORT_MS,
  }
}

/** It waits no longer for the next turn that it owes. */
const WAIT_MS_MAX = 1000

export function openControl<V>(rate: ControlRate): Engine<V> {
  const map = new Map<string, V>()
  let last = performance.now()
  let owedLong = 0
  let owedShort = 0
  let closed = false
  const spin = (ms: number): void => {
    const end = performance.now() + ms
    while (performance.now() < end);
  }
  const owe = (): void => {
    const now = performance.now()
    // A second at most, so that it does not make up for what came before the load.
    const seconds = Math.min(1, (now - last) / 1000)
    last = now
    owedLong += seconds * rate.longPerSecond
    owedShort += seconds * rate.shortPerSecond
  }
  // One that only looked whether there is anything to do would be a turn more than the engine took.
  const untilOwedMs = (): number => {
    const seconds = Math.min((1 - owedLong) / rate.longPerSecond, (1 - owedShort) / rate.shortPerSecond)
    // A timer counts from when its round of the event loop began, and may be up to a millisecond early.
    return Math.min(WAIT_MS_MAX, 1 + Math.ceil(seconds * 1000))
  }
  const slice = (): void => {
    owe()
    if (owedLong >= 1) {
      owedLong--
      spin(rate.longMs)
    } else if (owedShort >= 1) {
      owedShort--
      spin(rate.shortMs)
    }
    next()
  }
  const next = (): void => {
    if (closed) return
    if (owedLong >= 1 || owedShort >= 1) setImmediate(slice)
    else setTimeout(slice, untilOwedMs())
  }
  next()
  return {
    get: key => map.get(key),
    set: (key, value) => void map.set(key, value),
    delete: key => void map.delete(key),
    checkpoint: async () => {},
    close: async () => {
      closed = true
    },
  }
}
