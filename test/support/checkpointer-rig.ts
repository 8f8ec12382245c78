/** The checkpointer alone, before a writer that says what the test wants, in a time that passes by hand. */
import { Histogram } from '../../src/base/histogram.ts'
import type { Cancel, Scheduler } from '../../src/base/scheduler.ts'
import { Collection, Space } from '../../src/capture/index.ts'
import { Checkpointer, type CheckpointerEvents, type StallInfo } from '../../src/checkpoint/index.ts'
import { tideCodec } from '../../src/codec/index.ts'
import { type RECORD_PUT, RecordCursor } from '../../src/format/index.ts'
import { Cadence, type CadenceParts, type CadenceSettings } from '../../src/schedule/index.ts'
import type { FromWriter, ToWriter, WriterHost } from '../../src/writer/index.ts'
import { SETTINGS } from './cadence-world.ts'

/** Runs nothing by itself. */
export class ManualScheduler implements Scheduler {
  nowMs = 0
  /** In the order in which they were given. */
  readonly #tasks = new Set<{ at: number; fn: () => void }>()

  immediate(fn: () => void): Cancel {
    return this.after(0, fn)
  }

  after(ms: number, fn: () => void): Cancel {
    const task = { at: this.nowMs + ms, fn }
    this.#tasks.add(task)
    return () => void this.#tasks.delete(task)
  }

  /** Everything due until then, in order. */
  pass(ms: number): void {
    const end = this.nowMs + ms
    while (this.step(end));
    this.nowMs = Math.max(this.nowMs, end)
  }

  /** One turn; false when nothing is due. */
  step(end = this.nowMs): boolean {
    let next: { at: number; fn: () => void } | undefined
    for (const task of this.#tasks) if (task.at <= end && (next === undefined || task.at < next.at)) next = task
    if (next === undefined) return false
    this.#tasks.delete(next)
    this.nowMs = Math.max(this.nowMs, next.at)
    next.fn()
    return true
  }
}

export class FakeHost implements WriterHost {
  readonly posted: ToWriter[] = []
  #listener: (message: FromWriter) => void = () => {}

  post(message: ToWriter): void {
    this.posted.push(message)
  }
  onMessage(listener: (message: FromWriter) => void): void {
    this.#listener = listener
  }
  say(message: FromWriter): void {
    this.#listener(message)
  }
  async close(): Promise<void> {}
  terminate(): void {}
  keepAlive(): void {}

  fail(attempt: number, fatal = false): void {
    this.say({ type: 'failed', attempt, fatal, error: { code: 'TIDEMARK_STORAGE', message: 'no space' } })
  }

  get commits(): Extract<ToWriter, { type: 'commit' }>[] {
    return this.posted.filter(message => message.type === 'commit')
  }

  /** Acknowledges the newest commit, or this one. */
  commit({ attempt, epoch } = this.commits.at(-1) as Extract<ToWriter, { type: 'commit' }>): void {
    const none = { records: 0, blocks: 0, rawBytes: 0, logBytes: 0, fileBytes: 0, rolled: false, syncMs: 0, commitMs: 0, totalMs: 0 }
    this.say({ type: 'committed', attempt, epoch, position: { file: '', bytes: 0, epoch, digest: '' }, ...none })
  }

  /** Values in all records posted, or in those of one attempt. */
  keys(attempt?: number): number {
    let count = 0
    for (const message of this.posted) {
      if ((message.type !== 'batch' && message.type !== 'commit') || (attempt ?? message.attempt) !== message.attempt) continue
      const cursor = new RecordCursor(Buffer.from(message.bytes.slice()))
      while (cursor.next()) count += cursor.kind === (1 satisfies typeof RECORD_PUT) ? 1 : 0
    }
    return count
  }
}

/** `restless`: every look at the clock takes a millisecond, so that a slice ends at its first. */
/** `decided`: is told of decisions, in the middle of whatever makes them. `pressed`: as the checkpointer's. `load`: of the loop, always. */
export function alone(
  intervalMs = 0,
  restless = false,
  given: Partial<CadenceSettings> = {},
  decided: CadenceParts['decided'] = () => {},
  pressed?: () => boolean,
  load = 0,
) {
  const scheduler = new ManualScheduler()
  const host = new FakeHost()
  const monotonic = (): number => (restless ? scheduler.nowMs++ : scheduler.nowMs)
  const clock = { now: () => scheduler.nowMs, monotonic }
  const space = new Space(new Histogram(), clock.monotonic)
  const collections = new Map<string, Collection>()
  const seen: string[] = []
  const stalls: StallInfo[] = []
  const note =
    (name: string) =>
    (info?: unknown): void => {
      seen.push(name === 'barrier' ? `barrier ${(info as { epoch: number }).epoch}` : name)
    }
  const events: CheckpointerEvents = {
    checkpoint: note('checkpoint'),
    degraded: note('degraded'),
    recovered: note('recovered'),
    failed: note('failed'),
    refused: note('refused'),
    voided: note('voided'),
    holdBroken: note('holdBroken'),
    stall: info => stalls.push(info),
    barrier: note('barrier'),
    upkeep: note('upkeep'),
    looked: () => {},
  }
  const settings = { ...SETTINGS, intervalMs, intervalMsMin: intervalMs / 4, intervalMsMax: 4 * intervalMs, ...given }
  const cadence = new Cadence({ clock, loopLoad: () => load, settings, decided })
  const parts = { space, collections, host, clock, scheduler, events, cadence, stallMsMax: 1, epoch: 0, pressed }
  const checkpointer = new Checkpointer(parts)
  const map = new Collection(space, 'map', 'map', tideCodec, space.nextId++)
  collections.set('map', map)
  return { scheduler, clock, host, space, collections, seen, stalls, checkpointer, cadence, map }
}

export const quiet = (promise: Promise<unknown>): void => void promise.catch(() => {})
