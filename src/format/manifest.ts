/**
 * The manifest as bytes: one header line and canonical JSON. Byte table: docs/format/manifest.md.
 *
 * Invariants: there is one byte sequence for a manifest: what decodes encodes to the same bytes, so unknown, missing or doubled fields
 * and other spellings of a number are refused by one comparison; a manifest of a later format is never mistaken for damage; none is encoded
 * that is longer than a reader allows.
 */
import { isUtf8 } from 'node:buffer'
import { createHash } from 'node:crypto'
import { TidemarkError } from '../base/errors.ts'
import { MANIFEST_BYTES_MAX } from '../base/limits.ts'
import type { CatalogueEntry } from './commit.ts'
import { damagedManifest, isObject, manifestFull } from './manifest-errors.ts'
import { readFields, tooLong } from './manifest-fields.ts'
import {
  FOLDED_FORMAT,
  type FoldPoint,
  type Manifest,
  type Place,
  type SegmentEnd,
  type SegmentEntry,
  STORE_FORMAT,
} from './manifest-types.ts'

export const MANIFEST_FORMAT = 1
const MAGIC = 'tidemark-manifest'
const HEADER_BYTES_MAX = 128

/** @throws TIDEMARK_MANIFEST_FULL where no reader would take it: the store goes on from the one before. */
export function encodeManifest(manifest: Manifest): Buffer {
  const long = tooLong(manifest)
  if (long !== undefined) throw manifestFull(long)
  const body = Buffer.from(canonical(manifest))
  const header = Buffer.from(`${MAGIC} ${MANIFEST_FORMAT} ${sum(String(MANIFEST_FORMAT), body)} ${body.length}\n`)
  const length = header.length + body.length
  if (length > MANIFEST_BYTES_MAX) throw manifestFull(`${length} bytes`)
  return Buffer.concat([header, body])
}

/** The first line of what was encoded. It has the sum of all the rest, so that no other manifest has the same. */
export function firstLine(encoded: Buffer): Buffer {
  return encoded.subarray(0, encoded.indexOf(10) + 1)
}

/** `newest`: the highest store format the caller understands. Throws TIDEMARK_MANIFEST_DAMAGED or TIDEMARK_FORMAT_NEWER. */
export function decodeManifest(bytes: Buffer, file: string, newest = STORE_FORMAT): Manifest {
  const line = bytes.indexOf(10)
  if (bytes.length > MANIFEST_BYTES_MAX || line < 0 || line > HEADER_BYTES_MAX) throw damagedManifest(file, 'no header line')
  const header = /^tidemark-manifest ([1-9]\d{0,8}) ([0-9a-f]{64}) (\d{1,15})$/.exec(bytes.toString('latin1', 0, line))
  if (header === null) throw damagedManifest(file, 'its header line is not one')
  const body = bytes.subarray(line + 1)
  // The sum covers the version and comes first: a flipped bit in the version is damage, not a newer format.
  if (header[3] !== String(body.length) || sum(header[1] as string, body) !== header[2])
    throw damagedManifest(file, 'its checksum does not match')
  if (Number(header[1]) !== MANIFEST_FORMAT) throw newer(file, Number(header[1]), body)
  let value: unknown
  try {
    value = JSON.parse(body.toString())
  } catch (error) {
    throw damagedManifest(file, 'its content is not JSON', error)
  }
  const format = isObject(value) ? value['format'] : undefined
  if (typeof format === 'number' && Number.isSafeInteger(format) && format > newest) throw newer(file, format, body)
  const manifest = readFields(value, file, newest)
  // What is not UTF-8 would be compared as what it reads as.
  if (!isUtf8(body) || canonical(manifest) !== body.toString()) throw damagedManifest(file, 'it is not in canonical form')
  return manifest
}

function canonical(manifest: Manifest): string {
  const { number, storeId, lineage, token, writer, format, createdBy, log, catalogue, fold, young, base, retained } = manifest
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
    ...(format < FOLDED_FORMAT
      ? {}
      : {
          fold: fold === null ? null : plainFold(fold),
          young: young.map(plainSegment),
          base: base.map(({ start, through, segment }) => ({
            start: plainPlace(start),
            through,
            segment: segment === null ? null : plainSegment(segment),
          })),
          retained: retained.map(point => ({ number: point.number, epoch: point.epoch, timeMs: point.timeMs })),
        }),
  })}\n`
}

function plainFold({ file, bytes, epoch, digest, timeMs, nextId, catalogue, refused }: FoldPoint): FoldPoint {
  const plain = { file, bytes, epoch, digest, timeMs, nextId, catalogue: catalogue.map(plainEntry) }
  return refused === undefined ? plain : { ...plain, refused }
}

function plainPlace({ collection, key }: Place): Place {
  return { collection, key }
}

function plainEnd({ collection, key, cut }: SegmentEnd): SegmentEnd {
  return cut === undefined ? { collection, key } : { collection, key, cut }
}

function plainSegment(entry: SegmentEntry): SegmentEntry {
  const { file, bytes, sha256, describedAt, from, through, records, tombstones, rawBytes, first, last } = entry
  return {
    file,
    bytes,
    sha256,
    describedAt,
    from,
    through,
    records,
    tombstones,
    rawBytes,
    first: plainEnd(first),
    last: plainEnd(last),
  }
}

function plainEntry({ id, kind, name, codec, entries, bytes, asOf }: CatalogueEntry): CatalogueEntry {
  const plain = { id, kind, name, codec, entries, bytes }
  return asOf === undefined ? plain : { ...plain, asOf }
}

function sum(version: string, body: Uint8Array): string {
  return createHash('sha256').update(`${MAGIC} ${version} ${body.length}\n`).update(body).digest('hex')
}

function newer(file: string, format: number, body: Buffer): TidemarkError {
  const by = /"createdBy":"([\x20-\x7e]{1,100}?)"/.exec(body.toString('latin1', 0, 4096))?.[1]
  return new TidemarkError('TIDEMARK_FORMAT_NEWER', `${file} has format ${format}, this is version ${MANIFEST_FORMAT}`, {
    file,
    hint: `open this store with the version that wrote it${by === undefined ? '' : ` (${by})`}`,
    info: { format },
  })
}
