/**
 * What the scheduler learned, as bytes: one header line and JSON. Byte table: docs/format/schedule.md.
 *
 * Invariants: nothing stands on it: bytes that do not verify, and those of a later version, are no record, and what they held is learned
 * again; names, keys and values of the store are not in it; every number read is finite and within its bounds.
 */
import { createHash } from 'node:crypto'
import { DECISIONS_KEPT, SCHEDULE_BYTES_MAX, TIME_MS_MAX } from '../base/limits.ts'
import { isObject } from './manifest-errors.ts'

const MAGIC = 'tidemark-schedule'
const VERSION = 1
const HEADER_BYTES_MAX = 128
/** Parts of the cycle. */
export const SCHEDULE_PARTS = 96
const NUMBERS_MAX = 16
const WORD = /^[a-z][a-z-]{0,31}$/
const NAME = /^[a-zA-Z][a-zA-Z0-9]{0,31}$/

export interface StoredDecision {
  /** ms since 1970. */
  readonly time: number
  readonly type: string
  readonly reason: string
  /** What it was decided on, the last time. */
  readonly numbers: Readonly<Record<string, number>>
  /** So often in a row, the last time at `until`. */
  readonly times: number
  readonly until: number
}

export interface ScheduleRecord {
  readonly savedMs: number
  /** Length of the pattern; its parts are of equal length and begin at 1970. */
  readonly cycleMs: number
  /** Of each part: event-loop utilisation 0 to 1, keys written a second, cycles seen. */
  readonly load: readonly number[]
  readonly rate: readonly number[]
  readonly weight: readonly number[]
  /** Newest last. */
  readonly decisions: readonly StoredDecision[]
}

export function encodeSchedule({ savedMs, cycleMs, load, rate, weight, decisions }: ScheduleRecord): Buffer {
  const content = {
    savedMs,
    cycleMs,
    load: load.map(short),
    rate: rate.map(short),
    weight: weight.map(short),
    decisions: decisions.slice(-DECISIONS_KEPT).map(({ time, type, reason, numbers, times, until }) => {
      const kept = Object.entries(numbers).filter(([, value]) => Number.isFinite(value))
      return { time, type, reason, numbers: Object.fromEntries(kept.map(([name, value]) => [name, short(value)])), times, until }
    }),
  }
  const body = Buffer.from(`${JSON.stringify(content)}\n`)
  return Buffer.concat([Buffer.from(`${MAGIC} ${VERSION} ${sum(body)} ${body.length}\n`), body])
}

/** Undefined: there is nothing to be learned from it. Never throws. */
export function decodeSchedule(bytes: Buffer): ScheduleRecord | undefined {
  const line = bytes.indexOf(10)
  if (bytes.length > SCHEDULE_BYTES_MAX || line < 0 || line > HEADER_BYTES_MAX) return undefined
  const header = /^tidemark-schedule (\d{1,9}) ([0-9a-f]{64}) (\d{1,15})$/.exec(bytes.toString('latin1', 0, line))
  const body = bytes.subarray(line + 1)
  if (header === null || header[1] !== String(VERSION) || header[3] !== String(body.length) || header[2] !== sum(body)) return undefined
  try {
    return readRecord(JSON.parse(body.toString()))
  } catch {
    return undefined
  }
}

function readRecord(value: unknown): ScheduleRecord | undefined {
  if (!isObject(value)) return undefined
  const { savedMs, cycleMs, load, rate, weight, decisions } = value
  if (!isNumber(savedMs, -TIME_MS_MAX, TIME_MS_MAX) || !isNumber(cycleMs, 1, TIME_MS_MAX)) return undefined
  if (!isParts(load, 1) || !isParts(rate, 1e15) || !isParts(weight, 1e6)) return undefined
  if (!Array.isArray(decisions) || decisions.length > DECISIONS_KEPT) return undefined
  const read = decisions.map(readDecision)
  if (!read.every(decision => decision !== undefined)) return undefined
  return { savedMs, cycleMs, load, rate, weight, decisions: read }
}

function readDecision(value: unknown): StoredDecision | undefined {
  if (!isObject(value)) return undefined
  const { time, type, reason, numbers, times, until } = value
  if (!isNumber(time, -TIME_MS_MAX, TIME_MS_MAX) || !isNumber(until, -TIME_MS_MAX, TIME_MS_MAX)) return undefined
  if (!isNumber(times, 1, Number.MAX_SAFE_INTEGER) || !isWord(type) || !isWord(reason) || !isObject(numbers)) return undefined
  const entries = Object.entries(numbers)
  if (entries.length > NUMBERS_MAX) return undefined
  const read: [string, number][] = []
  for (const [name, number] of entries) {
    if (!NAME.test(name) || !isNumber(number, -Number.MAX_VALUE, Number.MAX_VALUE)) return undefined
    read.push([name, number])
  }
  return { time, type, reason, numbers: Object.fromEntries(read), times, until }
}

function isNumber(value: unknown, min: number, max: number): value is number {
  return typeof value === 'number' && value >= min && value <= max
}

function isWord(value: unknown): value is string {
  return typeof value === 'string' && WORD.test(value)
}

function isParts(value: unknown, max: number): value is number[] {
  return Array.isArray(value) && value.length === SCHEDULE_PARTS && value.every(part => isNumber(part, 0, max))
}

/** Four digits say all there is to say, unless it is a whole number. */
function short(value: number): number {
  return Number.isInteger(value) ? value : Number(value.toPrecision(4))
}

function sum(body: Uint8Array): string {
  return createHash('sha256').update(`${MAGIC} ${VERSION} ${body.length}\n`).update(body).digest('hex')
}
