/**
 * Where record bytes wait for the writer: one block being filled, and the count of bytes handed over and not yet taken in.
 *
 * Owns: the block being filled, the bytes in flight. Does not own: the channel (a `send` function) nor what the bytes mean.
 * Invariants: a block holds whole records; `inFlight` is what was sent less what was credited; whoever gets an error of it, has to `reset` it: records may be lost.
 */
import { ByteWriter } from '../base/bytes.ts'
import { BLOCK_AGE_MS, BLOCK_EARLY_BYTES, BLOCK_RAW_BYTES, IN_FLIGHT_BYTES_MAX } from '../base/limits.ts'
import { shortageError } from '../storage/index.ts'

export interface Block {
  readonly bytes: Uint8Array
  readonly records: number
}

/** Spare room behind the target of a block, so that the record that fills it rarely makes the buffer grow. */
const SPARE_BYTES = 8192
const BUFFER_BYTES = BLOCK_RAW_BYTES + SPARE_BYTES
/** A buffer that grew beyond this for a record that was not written is let go of; below, making a new one would cost more. */
const KEPT_BYTES_MAX = 4 * BUFFER_BYTES

const NOTHING: Block = { bytes: new Uint8Array(0), records: 0 }

export class Outbox {
  #writer = new ByteWriter(BUFFER_BYTES)
  /** Records being written: encoding runs code of the user (a codec, a proxy), which may read and write collections. */
  #open = 0
  /** Records begun so far. */
  begun = 0
  /** Records written while another one was being written. */
  #aside: Uint8Array[] = []
  inFlight = 0
  /** When the block being filled was first looked at. */
  #since: number | undefined
  /** Bytes in it that are whole records. */
  #whole = 0
  rawBytes = 0
  /** A block was taken to be sent, and it is not known that it was. */
  lost = false
  #records = 0
  readonly #send: (block: Block) => void

  constructor(send: (block: Block) => void) {
    this.#send = send
  }

  /** The slices of a capture wait while this is true; reads and writes of the user do not. */
  get full(): boolean {
    return this.inFlight >= IN_FLIGHT_BYTES_MAX
  }

  /** A record is being written: whoever calls is code of the user that encodes it. */
  get encoding(): boolean {
    return this.#open > 0
  }

  /** Where to write a record; `end` follows, whatever happens. */
  begin(): ByteWriter {
    const writer = this.#open === 0 ? this.#writer : new ByteWriter(256)
    this.begun++
    this.#open++
    return writer
  }

  /** Nobody wrote a record while the one that is the last to be begun, of so many, was being written. */
  alone(begun: number): boolean {
    return this.#open === 1 && this.begun === begun
  }

  /** The record that was begun with this writer has so many bytes; 0 when there is none. */
  end(writer: ByteWriter, bytes: number): void {
    this.#open--
    if (writer !== this.#writer) {
      if (bytes > 0) this.#aside.push(writer.view())
    } else if (bytes > 0) this.#recorded(bytes)
    else this.#letGo()
    if (this.#open > 0 || this.#aside.length === 0) return
    const aside = this.#aside
    this.#aside = []
    for (const record of aside) {
      this.#writer.raw(record)
      this.#recorded(record.length)
    }
  }

  /** Hands the block being filled over before it is full when it is some time old, so that bytes leave evenly. */
  sendEarly(nowMs: number): void {
    if (this.#records === 0 || this.#open > 0) return
    this.#since ??= nowMs
    if (nowMs - this.#since >= BLOCK_AGE_MS && this.#writer.length >= BLOCK_EARLY_BYTES) this.#handOver()
  }

  /** The block being filled, possibly empty; a new one is begun. @throws TIDEMARK_STORAGE: there is no memory for that */
  take(): Block {
    this.#since = undefined
    // Never a view of the buffer that goes on to be filled: the memory of a block may be transferred.
    if (this.#records === 0) return NOTHING
    const block = { bytes: this.#writer.view(), records: this.#records }
    try {
      this.#writer = new ByteWriter(BUFFER_BYTES)
    } catch (error) {
      throw shortageError('beginning a block', error)
    }
    this.inFlight += block.bytes.length
    this.#records = this.#whole = 0
    return block
  }

  credit(bytes: number): void {
    this.inFlight = Math.max(0, this.inFlight - bytes)
  }

  /** Forgets what was not handed over; the writer forgets the rest. */
  reset(): void {
    this.#writer.reset()
    this.#aside = []
    if (this.#open === 0) this.#letGo()
    this.#since = undefined
    this.#records = this.#whole = 0
    this.inFlight = 0
    this.rawBytes = 0
    this.lost = false
  }

  /** Nobody writes a record now: those that were begun and have no end never get one, for the stack ended in them. */
  mend(): void {
    this.#open = 0
    this.#aside = []
    this.#writer.length = this.#whole
  }

  /** Nothing will be handed over any more. */
  stop(): void {
    this.#writer = new ByteWriter(0)
    this.#aside = []
    this.#records = 0
  }

  /** What a large value grew the buffer to, where the buffer holds nothing. */
  #letGo(): void {
    const { bytes, length } = this.#writer
    if (length > 0 || bytes.length <= KEPT_BYTES_MAX) return
    try {
      this.#writer = new ByteWriter(BUFFER_BYTES)
    } catch {
      // There is no memory for another one: it stays.
    }
  }

  #recorded(bytes: number): void {
    this.#records++
    this.#whole = this.#writer.length
    this.rawBytes += bytes
    if (this.#writer.length >= BLOCK_RAW_BYTES) this.#handOver()
  }

  #handOver(): void {
    const block = this.take()
    // Not in the catch alone: the stack may end there, too.
    this.lost = true
    try {
      this.#send(block)
      this.lost = false
    } catch (error) {
      // No credit comes for it: where it is large, whoever has to throw this would wait for one.
      this.credit(block.bytes.length)
      throw error
    }
  }
}
