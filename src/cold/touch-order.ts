/**
 * The order of hydration: which places the last run touched, kept in a small file.
 *
 * What: reads the file of the run before; opens a window of notes at the start and at each commit; writes what was noted, at most once in
 * ORDER_WRITE_MS, and at the end. What a short run did not note itself is taken over from the run before.
 * Owns: the files of the folder `order`. Does not own: the notes (capture/touches.ts), what is done with them (hydration.ts).
 * Invariants: no part of trust: a file that is missing, damaged, stale or of another store costs the order and nothing else; nothing waits for
 * a write, no failure gets out, and files of later writers are left alone.
 */
import type { Clock } from '../base/clock.ts'
import { ORDER_PLACES_MAX, ORDER_WINDOW, ORDER_WRITE_MS, ORDER_WRITE_NOTES } from '../base/limits.ts'
import type { Scheduler } from '../base/scheduler.ts'
import { placeOf, type Space } from '../capture/index.ts'
import {
  decodeTouchOrder,
  ORDER_FILE_BYTES_MAX,
  ORDER_FOLDER,
  orderName,
  orderNumbers,
  type TouchedPlace,
  TouchOrderEncoder,
} from '../format/index.ts'
import { makeFolderInPlace } from '../manifest/index.ts'
import type { Storage } from '../storage/index.ts'

export interface TouchOrderParts {
  readonly storage: Storage
  readonly clock: Clock
  readonly scheduler: Scheduler
  readonly stallMsMax: number
  readonly space: Space
  /** Of this opening; undefined: it reads only. */
  readonly token: number | undefined
  /** Whether a restart would have anything to bring home. */
  readonly useful: () => boolean
  /** Is told how long each slice took. */
  readonly stalled: (ms: number) => void
}

/** A slice takes this share of the stall budget. */
const SLICE_SHARE = 0.35
/** A close waits no longer: only an order is lost. */
const ORDER_STOP_MS = 1000
/** Newest files tried before there is no order. */
const TRIES = 2

export class TouchOrder {
  readonly #parts: TouchOrderParts
  #before: Promise<Iterable<TouchedPlace>> | undefined
  #sequence = 0
  #written = 0
  #writtenAt: number | undefined
  #writing: Promise<void> | undefined

  constructor(parts: TouchOrderParts) {
    this.#parts = parts
    if (parts.token !== undefined) parts.space.openWindow(ORDER_PLACES_MAX)
  }

  /** What the last run touched, or nothing; looked up once. Never rejects. */
  load(): Promise<Iterable<TouchedPlace>> {
    this.#before ??= this.#load()
    return this.#before
  }

  async #load(): Promise<Iterable<TouchedPlace>> {
    try {
      const files = (await this.#files()).slice(-TRIES).reverse()
      for (const file of files) {
        const places = await this.#read(file).catch(() => undefined)
        if (places !== undefined) return places
      }
    } catch {
      // Without a list there is no order.
    }
    return []
  }

  /** An epoch is durable. */
  committed(): void {
    const { space, clock, token } = this.#parts
    if (token === undefined) return
    const { touches } = space
    if (touches.left < ORDER_WINDOW) space.openWindow(ORDER_WINDOW)
    const rested = this.#writtenAt === undefined || clock.monotonic() - this.#writtenAt >= ORDER_WRITE_MS
    if (rested && touches.count - this.#written >= ORDER_WRITE_NOTES) this.#write()
  }

  /** Writes what is new. Resolves when no write is under way any more, or after ORDER_STOP_MS; never rejects. */
  async stop(): Promise<void> {
    const { token, space, scheduler } = this.#parts
    const written = async (): Promise<void> => {
      await this.#writing
      if (token !== undefined && space.touches.count > this.#written) this.#write()
      await this.#writing
    }
    let cancel = (): void => {}
    const late = new Promise<void>(resolve => {
      cancel = scheduler.after(ORDER_STOP_MS, resolve, true)
    })
    await Promise.race([written(), late])
    cancel()
  }

  #write(): void {
    const { space, clock, token, useful } = this.#parts
    if (this.#writing !== undefined || token === undefined || !useful()) return
    const written = this.#written
    this.#written = space.touches.count
    this.#writtenAt = clock.monotonic()
    const name = orderName(token, ++this.#sequence)
    this.#writing = this.#encode()
      .then(bytes => this.#put(name, bytes))
      .catch(() => {
        // They are still to be written: when it is time again, or at the end.
        this.#written = written
      })
      .then(() => {
        this.#writing = undefined
      })
  }

  /** In slices: it is done so seldom that its code is never fast. */
  async #encode(): Promise<Buffer> {
    const { clock, scheduler, stallMsMax, stalled, space } = this.#parts
    const encoder = new TouchOrderEncoder()
    // A run in which nobody asked for it, or that ended before, hands it on all the same.
    const before = await this.load()
    const places = chain(space.touches.notes(), before)
    for (let done = false; !done; ) {
      await new Promise<void>(resolve => void scheduler.immediate(resolve))
      const begin = clock.monotonic()
      while (!done && clock.monotonic() - begin < stallMsMax * SLICE_SHARE) {
        const { value, done: end } = encoder.full ? { value: undefined, done: true } : places.next()
        if (value !== undefined) encoder.add(value)
        done = end === true
      }
      stalled(clock.monotonic() - begin)
    }
    return encoder.end()
  }

  async #put(name: string, bytes: Buffer): Promise<void> {
    const { storage } = this.#parts
    await makeFolderInPlace(storage, ORDER_FOLDER)
    await storage.createIfAbsent(name, bytes)
    // One that cannot be removed keeps no other.
    for (const file of await this.#files()) if (file < name) await storage.remove(file).catch(() => {})
  }

  /** The later last. */
  async #files(): Promise<string[]> {
    const names = await this.#parts.storage.list(ORDER_FOLDER)
    return names.filter(name => orderNumbers(name) !== undefined).map(name => `${ORDER_FOLDER}/${name}`)
  }

  async #read(name: string): Promise<Iterable<TouchedPlace>> {
    const file = await this.#parts.storage.open(name, 'read')
    try {
      return decodeTouchOrder(await file.read(0, ORDER_FILE_BYTES_MAX + 1))
    } finally {
      await file.close()
    }
  }
}

function* chain(notes: ReturnType<Space['touches']['notes']>, before: Iterable<TouchedPlace>): Generator<TouchedPlace, undefined> {
  for (const note of notes) yield placeOf(note)
  yield* before
  return undefined
}
