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
import type { Space } from '../capture/index.ts'
import {
  decodeTouchOrder,
  encodeTouchOrder,
  ORDER_FILE_BYTES_MAX,
  ORDER_FOLDER,
  orderName,
  orderNumbers,
  type TouchedPlace,
} from '../format/index.ts'
import type { Storage } from '../storage/index.ts'

export interface TouchOrderParts {
  readonly storage: Storage
  readonly clock: Clock
  readonly space: Space
  /** Of this opening; undefined: it reads only. */
  readonly token: number | undefined
  /** Whether a restart would have anything to bring home. */
  readonly useful: () => boolean
  /** Is told how long it held the turn. */
  readonly stalled: (ms: number) => void
}

/** Newest files tried before there is no order. */
const TRIES = 2

export class TouchOrder {
  readonly #parts: TouchOrderParts
  #before: readonly TouchedPlace[] = []
  #sequence = 0
  #written = 0
  #writtenAt: number | undefined
  #writing: Promise<void> | undefined

  constructor(parts: TouchOrderParts) {
    this.#parts = parts
    if (parts.token !== undefined) parts.space.openWindow(ORDER_PLACES_MAX)
  }

  /** What the last run touched, or nothing; never rejects. */
  async load(): Promise<readonly TouchedPlace[]> {
    try {
      const files = (await this.#files()).slice(-TRIES).reverse()
      for (const file of files) {
        const places = await this.#read(file).catch(() => undefined)
        if (places === undefined) continue
        this.#before = places
        return places
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

  /** Writes what is new. Resolves when no write is under way any more; never rejects. */
  async stop(): Promise<void> {
    const { token, space } = this.#parts
    await this.#writing
    if (token !== undefined && space.touches.count > this.#written) this.#write()
    await this.#writing
  }

  #write(): void {
    const { space, clock, token, useful, stalled } = this.#parts
    if (this.#writing !== undefined || token === undefined || !useful()) return
    const begin = clock.monotonic()
    this.#written = space.touches.count
    this.#writtenAt = begin
    const places = [...space.touches.places(), ...this.#before].slice(0, ORDER_PLACES_MAX)
    const bytes = encodeTouchOrder(places)
    stalled(clock.monotonic() - begin)
    const name = orderName(token, ++this.#sequence)
    this.#writing = this.#put(name, bytes)
      .catch(() => {})
      .then(() => {
        this.#writing = undefined
      })
  }

  async #put(name: string, bytes: Buffer): Promise<void> {
    const { storage } = this.#parts
    await storage.makeFolder(ORDER_FOLDER)
    await storage.createIfAbsent(name, bytes)
    for (const file of await this.#files()) if (file < name) await storage.remove(file)
  }

  /** The later last. */
  async #files(): Promise<string[]> {
    const names = await this.#parts.storage.list(ORDER_FOLDER)
    return names.filter(name => orderNumbers(name) !== undefined).map(name => `${ORDER_FOLDER}/${name}`)
  }

  async #read(name: string): Promise<readonly TouchedPlace[]> {
    const file = await this.#parts.storage.open(name, 'read')
    try {
      return decodeTouchOrder(await file.read(0, ORDER_FILE_BYTES_MAX + 1))
    } finally {
      await file.close()
    }
  }
}
