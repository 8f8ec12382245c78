/** Drives log, manifest and writer without the rest of the engine: epochs of records in, epochs of records out. */
import { createHash } from 'node:crypto'
import { ByteWriter } from '../../src/base/bytes.ts'
import type { Failpoint } from '../../src/base/failpoint.ts'
import type { Random } from '../../src/base/random.ts'
import {
  appendRecord,
  type CatalogueEntry,
  type CompressionPreference,
  type LogPosition,
  type Manifest,
  RECORD_PUT,
  RecordCursor,
} from '../../src/format/index.ts'
import { LogScan, type ScanOptions, type ScanReport } from '../../src/log/index.ts'
import { type OpenedStore, openForReading, openForWriting } from '../../src/restore/index.ts'
import type { Storage } from '../../src/storage/index.ts'
import { type FromWriter, fromErrorData, InlineHost, type WriterFacts, type WriterHost } from '../../src/writer/index.ts'

export type Block = readonly (readonly [key: string, value: string | undefined])[]

export interface Epoch {
  readonly epoch: number
  readonly blocks: readonly Block[]
}

/** Of a log that holds nothing. */
export const NOWHERE: LogPosition = { file: null, bytes: 0, epoch: 0, digest: '00'.repeat(32) }

/** The same bytes in every run: `name` seeds it. */
export function pseudoRandom(name: string): Random {
  let count = 0
  const make = (bytes: number): Buffer => {
    const parts: Buffer[] = []
    for (let have = 0; have < bytes; have += 32) parts.push(createHash('sha256').update(`${name} ${count++}`).digest())
    return Buffer.concat(parts).subarray(0, bytes)
  }
  return { bytes: make }
}

export function blockBytes(block: Block): Buffer {
  const writer = new ByteWriter(64)
  for (const [key, value] of block) appendRecord(writer, 1, Buffer.from(key), value === undefined ? undefined : Buffer.from(value))
  return Buffer.from(writer.view())
}

export function blockOf(bytes: Buffer): Block {
  const block: [string, string | undefined][] = []
  const cursor = new RecordCursor(bytes)
  while (cursor.next()) {
    const value = cursor.kind === RECORD_PUT ? bytes.toString('utf8', cursor.valueStart, cursor.valueEnd) : undefined
    block.push([bytes.toString('utf8', cursor.keyStart, cursor.keyEnd), value])
  }
  return block
}

export function catalogue(bytes = 0): CatalogueEntry[] {
  return [{ id: 1, kind: 'map', name: 'things', codec: 'tide', entries: 0, bytes }]
}

export interface ReadResult {
  readonly epochs: readonly Epoch[]
  readonly report: ScanReport
}

export async function scanAll(options: ScanOptions): Promise<ReadResult> {
  const scan = new LogScan(options)
  const epochs: Epoch[] = []
  let blocks: Block[] = []
  for await (const item of scan) {
    if (item.type === 'block') blocks.push(blockOf(item.bytes))
    else {
      epochs.push({ epoch: item.commit.epoch, blocks })
      blocks = []
    }
  }
  return { epochs, report: scan.report }
}

/** What a reader finds, without writing anything. */
export async function readAll(storage: Storage, more: Partial<ScanOptions> = {}): Promise<ReadResult & { opened: OpenedStore }> {
  const opened = await openForReading(storage)
  const { storeId, log } = opened.manifest
  return { ...(await scanAll({ storage, storeId, log, ...more })), opened }
}

export interface LifeOptions {
  readonly storage: Storage
  readonly name?: string
  readonly failpoint?: Failpoint
  readonly fileBytesMax?: number
  readonly compression?: CompressionPreference
  readonly onDamage?: 'refuse' | 'fall-back'
  readonly host?: (facts: Pick<WriterFacts, 'manifest' | 'acceptedEnd' | 'unproven'>) => WriterHost
}

/** One opening of a store for writing. */
export class Life {
  readonly host: WriterHost
  readonly manifest: Manifest
  /** What was there when it opened. */
  readonly found: ReadResult
  readonly acknowledged: number[] = []
  readonly messages: FromWriter[] = []
  attempt = 1
  epoch: number
  #waiting: ((message: FromWriter) => void) | undefined

  private constructor(host: WriterHost, manifest: Manifest, found: ReadResult) {
    this.host = host
    this.manifest = manifest
    this.found = found
    this.epoch = found.report.end.epoch
    host.onMessage(message => {
      this.messages.push(message)
      if (message.type === 'committed') this.acknowledged.push(message.epoch)
      if (message.type === 'credit') return
      this.#waiting?.(message)
    })
  }

  static async open(options: LifeOptions): Promise<Life> {
    const { storage, failpoint, fileBytesMax, compression = 'deflate', onDamage } = options
    const random = pseudoRandom(options.name ?? 'life')
    const facts = { createdBy: 'tidemark test', random, onDamage, ...(failpoint === undefined ? {} : { failpoint }) }
    const opened = await openForWriting(storage, facts)
    const { manifest } = opened
    const found = await scanAll({ storage, storeId: manifest.storeId, log: manifest.log, onDamage })
    const { end, unproven } = found.report
    const writerFacts = { manifest, acceptedEnd: end, unproven, compression }
    const host =
      options.host?.(writerFacts) ??
      new InlineHost({
        storage,
        facts: writerFacts,
        clock: { monotonic: () => 0 },
        random,
        ...(failpoint === undefined ? {} : { failpoint }),
        ...(fileBytesMax === undefined ? {} : { fileBytesMax }),
      })
    return new Life(host, manifest, found)
  }

  /** Posts an epoch and waits for the answer; the last block goes with the commit. */
  async commit(blocks: readonly Block[], epoch = this.epoch + 1): Promise<FromWriter> {
    const { attempt } = this
    const answer = new Promise<FromWriter>(resolve => {
      this.#waiting = resolve
    })
    for (const block of blocks.slice(0, -1)) this.host.post({ type: 'batch', attempt, bytes: blockBytes(block), records: block.length })
    const last = blocks.at(-1) ?? []
    const bytes = blockBytes(last)
    this.host.post({
      type: 'commit',
      attempt,
      epoch,
      timeMs: 1000 + epoch,
      bytes,
      records: last.length,
      catalogue: catalogue(),
      refused: 0,
    })
    const message = await answer
    if (message.type === 'committed') this.epoch = epoch
    if (message.type === 'failed') this.host.post({ type: 'reset', attempt: ++this.attempt })
    return message
  }

  /** As `commit`, and throws what went wrong. */
  async mustCommit(blocks: readonly Block[]): Promise<FromWriter & { type: 'committed' }> {
    const message = await this.commit(blocks)
    if (message.type === 'committed') return message
    if (message.type === 'failed' || message.type === 'fenced') throw fromErrorData(message.error)
    throw new Error(`the writer said ${message.type}`)
  }

  close(): Promise<void> {
    return this.host.close()
  }
}
