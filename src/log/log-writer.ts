/**
 * Writing one log file: blocks early, then a commit in one append, one data sync and one read-back. Header and blocks are read back too.
 *
 * Owns: the open file, its length, the digest of the epoch under way. Does not own: which file is next, manifests, acknowledgements.
 * Invariants: bytes are appended in epoch order and nothing is appended after an error; `position` moves only when a commit was synced
 * and read back; a seal is written only behind such a commit.
 */
import { assert, TidemarkError } from '../base/errors.ts'
import type { Failpoint } from '../base/failpoint.ts'
import { EARLY_SYNC_BYTES, EARLY_SYNC_BYTES_MAX, EARLY_SYNC_MS, EARLY_SYNC_SHARE } from '../base/limits.ts'
import {
  ChainDigest,
  COMPRESSION_NONE,
  type CommitFacts,
  type Compress,
  countRecords,
  encodeCommit,
  encodeFrameHeader,
  encodeLogHeader,
  encodeSeal,
  FRAME_BLOCK,
  FRAME_COMMIT,
  FRAME_ECHO,
  FRAME_HEADER_BYTES,
  FRAME_SEAL,
  type FrameKind,
  LOG_FOLDER,
  LOG_HEADER_BYTES,
  type LogPosition,
  logName,
} from '../format/index.ts'
import type { Storage, StorageFile } from '../storage/index.ts'

export interface LogWriterStart {
  readonly storage: Storage
  readonly storeId: string
  readonly token: number
  readonly sequence: number
  /** What the file goes on from. */
  readonly base: LogPosition
  readonly salt: number
  readonly compress: Compress
  readonly monotonic: () => number
  readonly failpoint: Failpoint
  /** A commit has come already: its sync is soon, and an early one would only delay it. */
  readonly commitWaits: () => boolean
}

export interface CommitResult {
  readonly position: LogPosition
  readonly blocks: number
  readonly records: number
  readonly rawBytes: number
  /** Bytes this epoch takes in the file. */
  readonly logBytes: number
  /** Of the one sync of the commit; early ones are not in it. */
  readonly syncMs: number
  /** From the commit's append to its read-back. */
  readonly commitMs: number
}

export class LogWriter {
  readonly file: string
  /** Behind the last commit that is on the device. */
  position: LogPosition
  readonly #start: LogWriterStart
  readonly #handle: StorageFile
  #length = LOG_HEADER_BYTES
  #unsynced = 0
  /** When the oldest of them was appended; when the last sync ended, and how long it took. */
  #unsyncedSince = 0
  #syncedAt = 0
  #lastSyncMs = 0
  #chain: ChainDigest
  /** Where the epoch under way begins. */
  #epochStart = LOG_HEADER_BYTES
  #blocks = 0
  #records = 0
  #rawBytes = 0
  /** Where the commit that was being written would end; 0 while none is. */
  #commitEnd = 0

  private constructor(start: LogWriterStart, handle: StorageFile) {
    this.#start = start
    this.#handle = handle
    this.file = handle.path
    this.position = { file: handle.path, bytes: LOG_HEADER_BYTES, epoch: start.base.epoch, digest: start.base.digest }
    this.#chain = new ChainDigest(start.base.digest)
  }

  /** A new file with its header, content and name durable; no manifest names it yet. */
  static async create(start: LogWriterStart): Promise<LogWriter> {
    const { storage, failpoint, storeId, token, sequence, base, salt } = start
    await failpoint('roll.create')
    const handle = await storage.open(logName(token, sequence), 'create')
    try {
      await failpoint('roll.header')
      const header = encodeLogHeader({ storeId, token, sequence, baseEpoch: base.epoch, baseDigest: base.digest, salt })
      await handle.append([header])
      await failpoint('roll.sync')
      await handle.sync()
      await readBack(handle, 0, [header])
      await failpoint('roll.sync-folder')
      await storage.syncFolder(LOG_FOLDER)
    } catch (error) {
      await handle.close().catch(() => {})
      // We have just made it, and no manifest names it. Where it stays it is collected.
      await storage.remove(handle.path).catch(() => {})
      throw error
    }
    return new LogWriter(start, handle)
  }

  /** Bytes in the file. */
  get length(): number {
    return this.#length
  }

  /** Nothing of an epoch was written since the last commit. */
  get atBoundary(): boolean {
    return this.#blocks === 0
  }

  /** Appends one block; `records` is what the sender counted. Gives how long it took, and how much of that was work. */
  async block(bytes: Uint8Array, records: number): Promise<{ readonly ms: number; readonly workMs: number }> {
    const { monotonic } = this.#start
    const at = this.#length
    const begin = monotonic()
    const parts = this.#frameBlock(bytes, records)
    const workMs = monotonic() - begin
    await this.#start.failpoint('block.append')
    await this.#append(parts)
    await readBack(this.#handle, at, parts)
    if (this.#wantsSync()) {
      await this.#start.failpoint('block.sync')
      await this.#sync()
    }
    return { ms: monotonic() - begin, workMs }
  }

  /** Ends the epoch; when it resolves the epoch is on the device. `bytes` is the last block and may be empty. */
  async commit(
    facts: Pick<CommitFacts, 'epoch' | 'timeMs' | 'refused' | 'catalogue'>,
    bytes: Uint8Array,
    records: number,
  ): Promise<CommitResult> {
    assert(facts.epoch > this.position.epoch, 'epochs rise')
    const { failpoint, monotonic } = this.#start
    const begin = monotonic()
    const appendAt = this.#length
    const parts = bytes.length > 0 || records > 0 ? this.#frameBlock(bytes, records) : []
    const blockBytes = this.#length + total(parts) - this.#epochStart
    const counts = { blocks: this.#blocks, records: this.#records, rawBytes: this.#rawBytes }
    const { payload, digest } = encodeCommit({ ...facts, ...counts, blockBytes }, this.#chain)
    const commitAt = this.#length + total(parts)
    const echoAt = commitAt + FRAME_HEADER_BYTES + payload.length
    parts.push(this.#header(FRAME_COMMIT, payload, commitAt), payload, this.#header(FRAME_ECHO, payload, echoAt), payload)
    this.#commitEnd = echoAt
    await failpoint('commit.append')
    await this.#append(parts)
    await failpoint('commit.sync')
    await this.#sync()
    await failpoint('commit.read-back')
    await readBack(this.#handle, appendAt, parts)
    this.position = { file: this.file, bytes: this.#length, epoch: facts.epoch, digest }
    const result: CommitResult = {
      position: this.position,
      ...counts,
      logBytes: this.#length - this.#epochStart,
      syncMs: this.#lastSyncMs,
      commitMs: monotonic() - begin,
    }
    this.#beginEpoch(digest)
    return result
  }

  /** Leaves the sign that the last commit was whole. Not synced: its absence proves nothing. */
  async seal(): Promise<void> {
    const { epoch, digest } = this.position
    const payload = encodeSeal({ epoch, digest })
    await this.#append([this.#header(FRAME_SEAL, payload, this.#length), payload])
    this.#epochStart = this.#length
  }

  /**
   * Whether a reader would take the epoch that failed for committed: its commit frame is whole in the file. What failed may have come after the
   * commit: then the file goes on beyond what was accepted.
   */
  async tailCounts(accepted: LogPosition): Promise<boolean> {
    if (this.position.epoch > accepted.epoch) return true
    return this.#commitEnd > 0 && (await this.#start.storage.size(this.file)) >= this.#commitEnd
  }

  /**
   * Gives the space of an epoch that failed back; only where no reader takes the tail for committed. Nobody relies on it. The sign that the last
   * epoch was whole stays: its seal, or the header of the frame that came after it.
   */
  async truncateTail(accepted: LogPosition): Promise<void> {
    let end = accepted.file === this.file ? accepted.bytes : LOG_HEADER_BYTES
    if (accepted.file === this.file && accepted.epoch === this.position.epoch)
      end = this.#epochStart > end ? this.#epochStart : end + FRAME_HEADER_BYTES
    if ((await this.#start.storage.size(this.file)) <= end) return
    const handle = await this.#start.storage.open(this.file, 'append')
    try {
      await handle.truncate(end)
    } finally {
      await handle.close()
    }
  }

  async sync(): Promise<void> {
    await this.#handle.sync()
  }

  async close(): Promise<void> {
    await this.#handle.close()
  }

  #beginEpoch(digest: string): void {
    this.#chain = new ChainDigest(digest)
    this.#epochStart = this.#length
    this.#blocks = this.#records = this.#rawBytes = this.#commitEnd = 0
  }

  #frameBlock(bytes: Uint8Array, records: number): Uint8Array[] {
    const raw = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const counted = countRecords(raw)
    assert(counted === records, `a batch of ${records} records has ${counted}`)
    const { id, payload } = this.#start.compress(raw)
    const header = encodeFrameHeader(FRAME_BLOCK, id, raw.length, payload, this.#start.salt, this.#length)
    this.#chain.block(header, payload)
    this.#blocks++
    this.#records += records
    this.#rawBytes += raw.length
    return [header, payload]
  }

  #header(kind: FrameKind, payload: Uint8Array, offset: number): Buffer {
    return encodeFrameHeader(kind, COMPRESSION_NONE, payload.length, payload, this.#start.salt, offset)
  }

  async #append(parts: readonly Uint8Array[]): Promise<void> {
    await this.#handle.append(parts)
    const bytes = total(parts)
    this.#length += bytes
    if (this.#unsynced === 0) this.#unsyncedSince = this.#start.monotonic()
    this.#unsynced += bytes
  }

  #wantsSync(): boolean {
    const now = this.#start.monotonic()
    if (this.#unsynced <= EARLY_SYNC_BYTES && now - this.#unsyncedSince < EARLY_SYNC_MS) return false
    if (this.#unsynced > EARLY_SYNC_BYTES_MAX) return true
    return now - this.#syncedAt >= (EARLY_SYNC_SHARE - 1) * this.#lastSyncMs && !this.#start.commitWaits()
  }

  async #sync(): Promise<void> {
    const begin = this.#start.monotonic()
    await this.#handle.sync()
    this.#unsynced = 0
    this.#syncedAt = this.#start.monotonic()
    this.#lastSyncMs = this.#syncedAt - begin
  }
}

/** One read, of all that was appended: a write that says it was whole may not have been. */
async function readBack(handle: StorageFile, offset: number, parts: readonly Uint8Array[]): Promise<void> {
  const read = await handle.read(offset, total(parts))
  let at = 0
  for (const part of parts) {
    if (!read.subarray(at, at + part.length).equals(part)) {
      throw new TidemarkError('TIDEMARK_STORAGE', `${handle.path} does not read back as it was written`, {
        file: handle.path,
        info: { operation: 'read-back', offset: offset + at },
        hint: 'what it held is written again to a new file; check the device',
      })
    }
    at += part.length
  }
}

function total(parts: readonly Uint8Array[]): number {
  let bytes = 0
  for (const part of parts) bytes += part.length
  return bytes
}
