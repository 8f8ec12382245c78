/**
 * Keeps what the scheduler learned from one run to the next, in a small file of its own that nothing stands on.
 *
 * Does: reads the newest file that verifies, in the background after `open`; writes a new one at most once in SCHEDULE_SAVE_MS and at the end,
 * whole under a new name, then removes those before the last two.
 * Owns: the files. Does not own: what is in them. Invariants: nothing thrown gets out, nobody waits for it but `stop`; a
 * record too old to be of use is none; one read or write is under way at most; a write that failed is made again when the next may be, and so is a read,
 * READS_MAX times in all: before that nothing is written over what the device did not give back for a moment, but at the end, where it will not pass by
 * itself; the newest of it outlives one write in any case.
 */
import type { Clock } from '../base/clock.ts'
import { hasCode } from '../base/errors.ts'
import { SCHEDULE_BYTES_MAX, SCHEDULE_SAVE_MS } from '../base/limits.ts'
import { decodeSchedule, encodeSchedule, SCHEDULE_FOLDER, type ScheduleRecord, scheduleName, scheduleNumber } from '../format/index.ts'
import { makeFolderInPlace } from '../manifest/index.ts'
import { passesByItself, type Storage } from '../storage/index.ts'

const KEPT = 2
/** What the device did not give back so often, in minutes, it will not give back. */
const READS_MAX = 5
/** Of what was learned so long ago little is true today. */
const STALE_MS = 30 * 86_400_000
/** 2020-01-01: a clock that says an earlier time was not set yet. */
const SET_MS = 1_577_836_800_000

export interface KeeperParts {
  readonly storage: Storage
  readonly clock: Clock
  /** What is to be kept. */
  readonly record: () => ScheduleRecord
  readonly remember: (record: ScheduleRecord) => void
}

export class Keeper {
  readonly #parts: KeeperParts
  #under: Promise<void>
  #busy = true
  /** 0: what was kept is known, or given up. */
  #readsLeft = READS_MAX
  /** The number of the newest file that the device did not give back at the last read, until something is written. */
  #unread: number | undefined
  #savedAt: number
  /** What was taken over was as of then: nothing that is written while the clock is not set says that it is older. */
  #tookMs = Number.NEGATIVE_INFINITY
  /** Seen at the last look, and written. */
  #changes = 0
  #kept = 0

  constructor(parts: KeeperParts) {
    this.#parts = parts
    this.#savedAt = parts.clock.monotonic()
    this.#under = this.#run(() => this.#read())
  }

  /** `changes` rises when there is more to keep. It is written when it is time. */
  look(changes: number): void {
    this.#changes = changes
    if ((changes === this.#kept && this.#readsLeft === 0) || this.#busy) return
    if (this.#parts.clock.monotonic() - this.#savedAt < SCHEDULE_SAVE_MS) return
    this.#under = this.#run(() => this.#save())
  }

  /** Writes what is left to keep; nothing is under way afterwards. `changes`: as of now, by default as of the last look. */
  async stop(changes = this.#changes): Promise<void> {
    await this.#under
    this.#changes = changes
    if (this.#changes !== this.#kept) await this.#run(() => this.#save(true))
  }

  async #run(work: () => Promise<void>): Promise<void> {
    this.#busy = true
    this.#savedAt = this.#parts.clock.monotonic()
    try {
      await work()
    } catch {
      // It is learned again.
    }
    this.#busy = false
  }

  async #read(): Promise<void> {
    const { storage, clock, remember } = this.#parts
    this.#readsLeft--
    const { record, unread } = await readNewest(storage)
    this.#unread = unread?.number
    if (record === undefined && unread !== undefined) throw unread.error
    this.#readsLeft = 0
    if (record === undefined || clock.now() - record.savedMs > STALE_MS) return
    this.#tookMs = record.savedMs
    remember(record)
  }

  #record(): ScheduleRecord {
    const record = this.#parts.record()
    // Once it is set it is believed: what a clock wrote that was ahead would stay true for ever.
    return record.savedMs >= SET_MS ? record : { ...record, savedMs: Math.max(record.savedMs, this.#tookMs) }
  }

  async #save(isLast = false): Promise<void> {
    try {
      if (this.#readsLeft > 0) await this.#read()
    } catch (error) {
      // Runs that are over before it is given up would never keep anything.
      if (!isLast || passesByItself(error)) throw error
    }
    if (this.#changes !== this.#kept) await this.#write()
  }

  async #write(): Promise<void> {
    const { storage } = this.#parts
    const changes = this.#changes
    await makeFolderInPlace(storage, SCHEDULE_FOLDER)
    const numbers = await numbersOf(storage)
    await storage.createIfAbsent(scheduleName((numbers[0] ?? 0) + 1), encodeSchedule(this.#record()))
    this.#kept = changes
    const unread = this.#unread
    this.#unread = undefined
    for (const number of numbers.slice(KEPT - 1)) if (number !== unread) await storage.remove(scheduleName(number))
  }
}

/** Undefined: none verifies. @throws TIDEMARK_STORAGE when the folder cannot be listed, or one cannot be read and no other verifies */
export async function newestRecord(storage: Storage): Promise<ScheduleRecord | undefined> {
  const { record, unread } = await readNewest(storage)
  if (record === undefined && unread !== undefined) throw unread.error
  return record
}

interface Newest {
  readonly record?: ScheduleRecord
  /** The newest file that the device did not give back, of those that were looked at, and why; where one of them passes by itself, that. */
  readonly unread: { readonly number: number; readonly error: unknown } | undefined
}

/** @throws TIDEMARK_STORAGE when the folder cannot be listed */
async function readNewest(storage: Storage): Promise<Newest> {
  let unread: Newest['unread']
  for (const number of (await numbersOf(storage)).slice(0, KEPT + 1)) {
    try {
      const record = await readOne(storage, scheduleName(number))
      if (record !== undefined) return { record, unread }
    } catch (error) {
      if (!hasCode(error, 'TIDEMARK_STORAGE')) continue
      if (unread === undefined || passesByItself(error)) unread = { number: unread?.number ?? number, error }
    }
  }
  return { unread }
}

async function readOne(storage: Storage, name: string): Promise<ScheduleRecord | undefined> {
  const file = await storage.open(name, 'read')
  try {
    const bytes = await file.size()
    return bytes > SCHEDULE_BYTES_MAX ? undefined : decodeSchedule(await file.read(0, bytes))
  } finally {
    await file.close()
  }
}

/** Highest first. */
async function numbersOf(storage: Storage): Promise<number[]> {
  return (await storage.list(SCHEDULE_FOLDER)).flatMap(name => scheduleNumber(name) ?? []).sort((a, b) => b - a)
}
