/**
 * The payload of a commit frame, and the digest that chains epochs. Byte table: docs/format/commit.md.
 *
 * Invariants: the digest covers the previous commit's digest, every block of the epoch and all of this payload but itself, and nothing
 * of where they lie; the catalogue is in the order of ids, and no id and no name is there twice; decoding takes every byte or fails.
 */
import { createHash, type Hash } from 'node:crypto'
import { ByteReader, ByteWriter } from '../base/bytes.ts'
import { TidemarkError } from '../base/errors.ts'
import { COLLECTIONS_MAX, TIME_MS_MAX } from '../base/limits.ts'
import { FRAME_DIGEST_BYTES } from './frame.ts'

export const DIGEST_BYTES = 32
/** In the byte of a collection's kind: the epoch left it out. */
const LEFT_OUT = 0x80
/** The digest before the first commit of a store. */
export const GENESIS_DIGEST = '00'.repeat(DIGEST_BYTES)

export interface CatalogueEntry {
  readonly id: number
  readonly kind: 'map' | 'value'
  readonly name: string
  readonly codec: string
  /** Live entries after the epoch. */
  readonly entries: number
  /** Record bytes of this epoch. */
  readonly bytes: number
  /** Set where the epoch left the collection out: the earlier epoch whose state of it stands, `entries` included. */
  readonly asOf?: number
}

/** A collection that an epoch left out, and the earlier epoch whose state of it stands. */
export interface Lagging {
  readonly collection: string
  readonly epoch: number
}

export function laggingIn(catalogue: readonly Omit<CatalogueEntry, 'bytes'>[]): Lagging[] {
  return catalogue.flatMap(({ name, asOf }) => (asOf === undefined ? [] : [{ collection: name, epoch: asOf }]))
}

export interface CommitFacts {
  readonly epoch: number
  readonly timeMs: number
  readonly blocks: number
  readonly records: number
  /** Record bytes before compression. */
  readonly rawBytes: number
  /** Bytes of the block frames of this epoch. */
  readonly blockBytes: number
  /** Entries that could not be encoded and kept their last good value. */
  readonly refused: number
  readonly catalogue: readonly CatalogueEntry[]
}

export interface Commit extends CommitFacts {
  readonly digest: string
}

/** The digest of one epoch, made as its blocks pass by. */
export class ChainDigest {
  readonly #hash: Hash = createHash('sha256')

  constructor(previous: string) {
    this.#hash.update(previous, 'hex')
  }

  /** `header` may be longer: only the part without checksums counts. */
  block(header: Uint8Array, payload: Uint8Array): void {
    this.blockHeader(header)
    this.payload(payload)
  }

  blockHeader(header: Uint8Array): void {
    this.#hash.update(header.subarray(0, FRAME_DIGEST_BYTES))
  }

  payload(part: Uint8Array): void {
    this.#hash.update(part)
  }

  /** `body` is the commit's payload without the digest. Ends the chain link. */
  finish(body: Uint8Array): Buffer {
    return this.#hash.update(body).digest()
  }
}

/** The payload; finishes `chain`. */
export function encodeCommit(facts: CommitFacts, chain: ChainDigest): { readonly payload: Buffer; readonly digest: string } {
  const writer = new ByteWriter(256)
  writer.u64(facts.epoch)
  writer.u64(facts.timeMs)
  writer.u32(facts.blocks)
  writer.u64(facts.records)
  writer.u64(facts.rawBytes)
  writer.u64(facts.blockBytes)
  writer.u32(facts.refused)
  writer.u32(facts.catalogue.length)
  for (const entry of facts.catalogue.toSorted((a, b) => a.id - b.id)) {
    writer.u32(entry.id)
    writer.u8((entry.kind === 'map' ? 1 : 2) | (entry.asOf === undefined ? 0 : LEFT_OUT))
    text(writer, entry.name)
    text(writer, entry.codec)
    writer.u64(entry.entries)
    writer.u64(entry.bytes)
    if (entry.asOf !== undefined) writer.u64(entry.asOf)
  }
  const digest = chain.finish(writer.view())
  writer.raw(digest)
  return { payload: writer.view(), digest: digest.toString('hex') }
}

/** Everything but the digest. */
export function commitBody(payload: Buffer): Buffer {
  return payload.subarray(0, payload.length - DIGEST_BYTES)
}

/** Throws TIDEMARK_VALUE_DAMAGED for anything encodeCommit does not write. */
export function decodeCommit(payload: Buffer): Commit {
  const reader = new ByteReader(payload)
  const epoch = reader.u64()
  const timeMs = reader.u64()
  const blocks = reader.u32()
  const records = reader.u64()
  const rawBytes = reader.u64()
  const blockBytes = reader.u64()
  const refused = reader.u32()
  const count = reader.u32()
  if (epoch === 0) throw damaged('epoch 0')
  if (timeMs > TIME_MS_MAX) throw damaged(`time ${timeMs}`)
  if (count > COLLECTIONS_MAX) throw damaged(`${count} collections`)
  const catalogue: CatalogueEntry[] = []
  const names = new Set<string>()
  let last = -1
  for (let index = 0; index < count; index++) {
    const id = reader.u32()
    if (id <= last) throw damaged('collections out of order')
    last = id
    const flags = reader.u8()
    const kind = flags & ~LEFT_OUT
    if (kind !== 1 && kind !== 2) throw damaged(`collection kind ${kind}`)
    const name = readText(reader)
    if (names.has(name)) throw damaged(`two collections named '${name}'`)
    names.add(name)
    const codec = readText(reader)
    const entry: CatalogueEntry = { id, kind: kind === 1 ? 'map' : 'value', name, codec, entries: reader.u64(), bytes: reader.u64() }
    catalogue.push(flags === kind ? entry : { ...entry, asOf: readAsOf(reader, entry, epoch) })
  }
  const digest = reader.raw(DIGEST_BYTES).toString('hex')
  if (reader.left !== 0) throw damaged(`${reader.left} bytes behind the digest`)
  return { epoch, timeMs, blocks, records, rawBytes, blockBytes, refused, catalogue, digest }
}

function readAsOf(reader: ByteReader, { name, bytes }: CatalogueEntry, epoch: number): number {
  const asOf = reader.u64()
  if (asOf === 0 || asOf >= epoch || bytes !== 0) throw damaged(`'${name}' as of epoch ${asOf}, with ${bytes} bytes`)
  return asOf
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function text(writer: ByteWriter, value: string): void {
  const bytes = Buffer.from(value)
  if (bytes.length > 0xffff) throw new TidemarkError('TIDEMARK_NAME', 'a name in the catalogue is too long')
  writer.u16(bytes.length)
  writer.raw(bytes)
}

function readText(reader: ByteReader): string {
  const bytes = reader.raw(reader.u16())
  try {
    return decoder.decode(bytes)
  } catch {
    throw damaged('a name is not UTF-8')
  }
}

function damaged(what: string): TidemarkError {
  return new TidemarkError('TIDEMARK_VALUE_DAMAGED', `impossible commit: ${what}`)
}
