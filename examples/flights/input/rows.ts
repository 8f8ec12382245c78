/**
 * The flights as rows of 12 bytes, one after the other, so that any position of the input is one read away.
 * Little-endian: minute since 1970 u32, delay in minutes i16, distance in miles u16, origin u16, destination u16 (places in `airports`).
 * Beside it `rows.json` holds the airports and the number of rows. This is input, no part of the service's state.
 */
import { type FileHandle, open, readFile } from 'node:fs/promises'
import { join } from 'node:path'

export const ROW_BYTES = 12
export const ROWS_FILE = 'rows.bin'
export const ROWS_HEAD_FILE = 'rows.json'
const MINUTE_MS = 60_000
/** Rows of one read: about 200 KB. */
const CHUNK_ROWS = 16_384

export interface Flight {
  /** Scheduled departure, local time of the airport, in ms as if it were UTC. */
  readonly time: number
  /** Minutes; negative when early. */
  readonly delay: number
  /** Miles. */
  readonly distance: number
  readonly origin: string
  readonly destination: string
}

export interface RowsHead {
  readonly rows: number
  readonly airports: readonly string[]
}

export class RowReader {
  readonly count: number
  readonly #airports: readonly string[]
  readonly #file: FileHandle
  readonly #bytes = Buffer.alloc(CHUNK_ROWS * ROW_BYTES)
  #first = 0
  #last = 0

  static async open(folder: string): Promise<RowReader> {
    const head = JSON.parse(await readFile(join(folder, ROWS_HEAD_FILE), 'utf8')) as RowsHead
    return new RowReader(head, await open(join(folder, ROWS_FILE), 'r'))
  }

  private constructor(head: RowsHead, file: FileHandle) {
    this.count = head.rows
    this.#airports = head.airports
    this.#file = file
  }

  /** The flights from position `from` up to, not including, `to`; fewer at the end of the input. */
  async read(from: number, to: number): Promise<Flight[]> {
    const end = Math.min(to, this.count)
    if (end - from > CHUNK_ROWS) throw new RangeError(`at most ${CHUNK_ROWS} flights at once, not ${end - from}`)
    if (from < this.#first || end > this.#last) await this.#load(from)
    if (end > this.#last) throw new Error(`${ROWS_FILE} is shorter than ${ROWS_HEAD_FILE} says: delete .data and start again`)
    const flights: Flight[] = []
    for (let position = from; position < end; position++) flights.push(this.#flight((position - this.#first) * ROW_BYTES))
    return flights
  }

  async close(): Promise<void> {
    await this.#file.close()
  }

  async #load(from: number): Promise<void> {
    const { length } = this.#bytes
    let there = 0
    // One read may give less than there is.
    for (let more = 1; more > 0 && there < length; there += more) {
      more = (await this.#file.read(this.#bytes, there, length - there, from * ROW_BYTES + there)).bytesRead
    }
    this.#first = from
    this.#last = from + Math.floor(there / ROW_BYTES)
  }

  #flight(offset: number): Flight {
    const bytes = this.#bytes
    return {
      time: bytes.readUInt32LE(offset) * MINUTE_MS,
      delay: bytes.readInt16LE(offset + 4),
      distance: bytes.readUInt16LE(offset + 6),
      origin: this.#airports[bytes.readUInt16LE(offset + 8)] as string,
      destination: this.#airports[bytes.readUInt16LE(offset + 10)] as string,
    }
  }
}
