/**
 * The manifest as bytes: one header line and canonical JSON. Byte table: docs/format/manifest.md.
 *
 * Invariants: there is one byte sequence for a manifest: what decodes encodes to the same bytes, so unknown, missing or doubled fields
 * and other spellings of a number are refused by one comparison; a manifest of a later format is never mistaken for damage.
 */
import { createHash } from 'node:crypto'
import { TidemarkError } from '../base/errors.ts'
import { COLLECTIONS_MAX, LOG_FILES_MAX, MANIFEST_BYTES_MAX } from '../base/limits.ts'
import { type CatalogueEntry, GENESIS_DIGEST } from './commit.ts'

export const MANIFEST_FORMAT = 1
/** The format of the store: what a reader must understand beyond this file. */
export const STORE_FORMAT = 1
const MAGIC = 'tidemark-manifest'
const HEADER_BYTES_MAX = 128
/** Forks of one history; each is an operator's act. */
const LINEAGE_MAX = 65_536
const NUMBER_MAX = 0xffff_ffff

/** A place in the log behind a commit: nothing of the file beyond `bytes` counts. */
export interface LogEnd {
  readonly bytes: number
  readonly epoch: number
  readonly digest: string
}

export interface LogEntry {
  /** Relative to the store: `log/<token>-<sequence>.log`. */
  readonly file: string
  /** `null`: the file is open, its end is found by reading it. Only the last one may be. */
  readonly end: LogEnd | null
}

/** The end of the accepted log: the last epoch that counts and where it ends; no file before the first one. */
export interface LogPosition {
  readonly file: string | null
  readonly bytes: number
  readonly epoch: number
  readonly digest: string
}

export const GENESIS: LogPosition = { file: null, bytes: 0, epoch: 0, digest: GENESIS_DIGEST }

export interface LineageEntry {
  /** 32 hex digits. */
  readonly id: string
  /** The last epoch taken over from the lineage before; 0 for the first. */
  readonly forkEpoch: number
}

export interface Manifest {
  readonly number: number
  readonly storeId: string
  readonly lineage: readonly LineageEntry[]
  readonly token: number
  /** Random, one per opening: tells a manifest of one's own from that of a rival with the same idea. 32 hex digits. */
  readonly writer: string
  readonly format: number
  readonly createdBy: string
  readonly log: readonly LogEntry[]
  /** Of the last commit known when this was written; for people, never relied upon. */
  readonly catalogue: { readonly epoch: number; readonly collections: readonly CatalogueEntry[] } | null
}

export function encodeManifest(manifest: Manifest): Buffer {
  const body = Buffer.from(canonical(manifest))
  return Buffer.concat([Buffer.from(`${MAGIC} ${MANIFEST_FORMAT} ${sum(String(MANIFEST_FORMAT), body)} ${body.length}\n`), body])
}

/** Throws TIDEMARK_MANIFEST_DAMAGED or TIDEMARK_FORMAT_NEWER. */
export function decodeManifest(bytes: Buffer, file: string): Manifest {
  const line = bytes.indexOf(10)
  if (bytes.length > MANIFEST_BYTES_MAX || line < 0 || line > HEADER_BYTES_MAX) throw damaged(file, 'no header line')
  const header = /^tidemark-manifest ([1-9]\d{0,8}) ([0-9a-f]{64}) (\d{1,15})$/.exec(bytes.toString('latin1', 0, line))
  if (header === null) throw damaged(file, 'its header line is not one')
  const body = bytes.subarray(line + 1)
  // The sum covers the version and comes first: a flipped bit in the version is damage, not a newer format.
  if (header[3] !== String(body.length) || sum(header[1] as string, body) !== header[2]) throw damaged(file, 'its checksum does not match')
  if (Number(header[1]) !== MANIFEST_FORMAT) throw newer(file, Number(header[1]), body)
  let value: unknown
  try {
    value = JSON.parse(body.toString())
  } catch (error) {
    throw damaged(file, 'its content is not JSON', error)
  }
  const format = isObject(value) ? value['format'] : undefined
  if (typeof format === 'number' && Number.isSafeInteger(format) && format > STORE_FORMAT) throw newer(file, format, body)
  const manifest = validate(value, file)
  if (canonical(manifest) !== body.toString()) throw damaged(file, 'it is not in canonical form')
  return manifest
}

function canonical(manifest: Manifest): string {
  const { number, storeId, lineage, token, writer, format, createdBy, log, catalogue } = manifest
  return `${JSON.stringify({
    number,
    storeId,
    lineage: lineage.map(({ id, forkEpoch }) => ({ id, forkEpoch })),
    token,
    writer,
    format,
    createdBy,
    log: log.map(({ file, end }) => ({ file, end: end === null ? null : { bytes: end.bytes, epoch: end.epoch, digest: end.digest } })),
    catalogue: catalogue === null ? null : { epoch: catalogue.epoch, collections: catalogue.collections.map(plainEntry) },
  })}\n`
}

function plainEntry({ id, kind, name, codec, entries, bytes }: CatalogueEntry): CatalogueEntry {
  return { id, kind, name, codec, entries, bytes }
}

function validate(value: unknown, file: string): Manifest {
  const check = (condition: boolean, what: string): void => {
    if (!condition) throw damaged(file, `${what} is impossible`)
  }
  const object = (from: unknown, what: string): Record<string, unknown> => {
    check(isObject(from), what)
    return from as Record<string, unknown>
  }
  const list = (from: unknown, most: number, what: string): readonly unknown[] => {
    check(Array.isArray(from) && from.length <= most, what)
    return from as readonly unknown[]
  }
  const count = (from: unknown, what: string, least = 0, most = Number.MAX_SAFE_INTEGER): number => {
    check(typeof from === 'number' && Number.isSafeInteger(from) && from >= least && from <= most && !Object.is(from, -0), what)
    return from as number
  }
  const text = (from: unknown, pattern: RegExp, what: string): string => {
    check(typeof from === 'string' && pattern.test(from), what)
    return from as string
  }
  const root = object(value, 'the content')
  const manifest: Manifest = {
    number: count(root['number'], 'the number', 1, NUMBER_MAX),
    storeId: text(root['storeId'], HEX_16, 'the store id'),
    lineage: list(root['lineage'], LINEAGE_MAX, 'the lineage').map(one => {
      const entry = object(one, 'a lineage entry')
      return { id: text(entry['id'], HEX_16, 'a lineage id'), forkEpoch: count(entry['forkEpoch'], 'a fork epoch') }
    }),
    token: count(root['token'], 'the token', 1, NUMBER_MAX),
    writer: text(root['writer'], HEX_16, 'the writer'),
    format: count(root['format'], 'the format', STORE_FORMAT, STORE_FORMAT),
    createdBy: text(root['createdBy'], /^[\x20-\x7e]{1,100}$/, 'the creator'),
    log: list(root['log'], LOG_FILES_MAX, 'the log').map(one => {
      const entry = object(one, 'a log entry')
      const file = text(entry['file'], LOG_FILE, 'a log file name')
      if (entry['end'] === null) return { file, end: null }
      const end = object(entry['end'], 'an end')
      return {
        file,
        end: {
          bytes: count(end['bytes'], 'an end'),
          epoch: count(end['epoch'], 'an end epoch'),
          digest: text(end['digest'], HEX_32, 'an end digest'),
        },
      }
    }),
    catalogue: root['catalogue'] === null ? null : catalogueOf(object(root['catalogue'], 'the catalogue')),
  }
  check(manifest.lineage.length > 0, 'the lineage')
  let epoch = 0
  const files = new Set<string>()
  for (const [index, entry] of manifest.log.entries()) {
    check(!files.has(entry.file), 'a log file named twice')
    files.add(entry.file)
    check(Number.parseInt(entry.file.slice(4, 12), 16) <= manifest.token, 'the token of a log file')
    if (entry.end === null) check(index === manifest.log.length - 1, 'an open file before the last')
    else check(entry.end.epoch >= epoch, 'the order of epochs')
    epoch = entry.end?.epoch ?? epoch
  }
  return manifest

  function catalogueOf(from: Record<string, unknown>): NonNullable<Manifest['catalogue']> {
    return {
      epoch: count(from['epoch'], 'the epoch of the catalogue'),
      collections: list(from['collections'], COLLECTIONS_MAX, 'the collections').map(one => {
        const entry = object(one, 'a collection')
        return {
          id: count(entry['id'], 'a collection id', 0, NUMBER_MAX),
          kind: text(entry['kind'], /^(map|value)$/, 'a collection kind') as 'map' | 'value',
          name: text(entry['name'], ANY, 'a collection name'),
          codec: text(entry['codec'], ANY, 'a codec name'),
          entries: count(entry['entries'], 'a number of entries'),
          bytes: count(entry['bytes'], 'a number of bytes'),
        }
      }),
    }
  }
}

const HEX_16 = /^[0-9a-f]{32}$/
const HEX_32 = /^[0-9a-f]{64}$/
const LOG_FILE = /^log\/[0-9a-f]{8}-[0-9a-f]{8}\.log$/
const ANY = /^/

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function sum(version: string, body: Uint8Array): string {
  return createHash('sha256').update(`${MAGIC} ${version} ${body.length}\n`).update(body).digest('hex')
}

function damaged(file: string, what: string, cause?: unknown): TidemarkError {
  return new TidemarkError('TIDEMARK_MANIFEST_DAMAGED', `${file}: ${what}`, { file, ...(cause === undefined ? {} : { cause }) })
}

function newer(file: string, format: number, body: Buffer): TidemarkError {
  const by = /"createdBy":"([\x20-\x7e]{1,100}?)"/.exec(body.toString('latin1', 0, 4096))?.[1]
  return new TidemarkError('TIDEMARK_FORMAT_NEWER', `${file} has format ${format}, this is version ${MANIFEST_FORMAT}`, {
    file,
    hint: `open this store with the version that wrote it${by === undefined ? '' : ` (${by})`}`,
    info: { format },
  })
}
