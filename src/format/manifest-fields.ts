/**
 * The content of a manifest, field by field: from JSON to what the engine may believe.
 * Invariant: every number and list is bounded and every name has its form before anything uses it; what must hold between parts is
 * checked here too, whoever wrote them.
 */
import { COLLECTIONS_MAX, KEY_BYTES_MAX, LINEAGE_MAX, LOG_FILES_MAX, MANIFESTS_MAX, SEGMENTS_MAX, TIME_MS_MAX } from '../base/limits.ts'
import type { CatalogueEntry } from './commit.ts'
import { damagedManifest, isObject } from './manifest-errors.ts'
import { segmentsOf } from './manifest-sums.ts'
import {
  type BaseRange,
  comparePlaces,
  EMPTY_BASE,
  FIRST_PLACE,
  FOLDED_FORMAT,
  type FoldPoint,
  type Manifest,
  type Place,
  type RetainedPoint,
  type SegmentEnd,
  type SegmentEntry,
} from './manifest-types.ts'

const NUMBER_MAX = 0xffff_ffff

export function readFields(value: unknown, file: string, newest: number): Manifest {
  const check = (condition: boolean, what: string): void => {
    if (!condition) throw damagedManifest(file, `${what} is impossible`)
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
  const format = count(root['format'], 'the format', 1, newest)
  const manifest: Manifest = {
    number: count(root['number'], 'the number', 1, NUMBER_MAX),
    storeId: text(root['storeId'], HEX_16, 'the store id'),
    lineage: list(root['lineage'], LINEAGE_MAX, 'the lineage').map(one => {
      const entry = object(one, 'a lineage entry')
      return { id: text(entry['id'], HEX_16, 'a lineage id'), forkEpoch: count(entry['forkEpoch'], 'a fork epoch') }
    }),
    token: count(root['token'], 'the token', 1, NUMBER_MAX),
    writer: text(root['writer'], HEX_16, 'the writer'),
    format,
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
    fold: format < FOLDED_FORMAT || root['fold'] === null ? null : foldOf(object(root['fold'], 'the fold point')),
    young: format < FOLDED_FORMAT ? [] : list(root['young'], SEGMENTS_MAX, 'the young segments').map(segmentOf),
    base: format < FOLDED_FORMAT ? EMPTY_BASE : list(root['base'], SEGMENTS_MAX, 'the base').map(rangeOf),
    retained: format < FOLDED_FORMAT ? [] : list(root['retained'], MANIFESTS_MAX, 'the retained points').map(retainedOf),
  }
  checkImage(manifest, check)
  check(manifest.lineage[0]?.forkEpoch === 0, 'the lineage')
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
    const epoch = count(from['epoch'], 'the epoch of the catalogue')
    return { epoch, collections: collectionsOf(from['collections'], epoch) }
  }

  /** As the commit of `epoch` has them. */
  function collectionsOf(from: unknown, epoch: number): CatalogueEntry[] {
    let least = 0
    const names = new Set<string>()
    return list(from, COLLECTIONS_MAX, 'the collections').map(one => {
      const entry = object(one, 'a collection')
      const id = count(entry['id'], 'a collection id', 0, NUMBER_MAX)
      const name = text(entry['name'], ANY, 'a collection name')
      check(id >= least, 'the order of collections')
      check(!names.has(name), 'a collection named twice')
      least = id + 1
      names.add(name)
      return {
        id,
        kind: text(entry['kind'], /^(map|value)$/, 'a collection kind') as 'map' | 'value',
        name,
        codec: text(entry['codec'], ANY, 'a codec name'),
        entries: count(entry['entries'], 'a number of entries'),
        bytes: count(entry['bytes'], 'a number of bytes'),
        ...(entry['asOf'] === undefined ? {} : { asOf: count(entry['asOf'], 'the epoch of a collection', 1, epoch - 1) }),
      }
    })
  }

  function foldOf(from: Record<string, unknown>): FoldPoint {
    const epoch = count(from['epoch'], 'the epoch of the fold point', 1)
    const catalogue = collectionsOf(from['catalogue'], epoch)
    return {
      file: text(from['file'], LOG_FILE, 'the file of the fold point'),
      bytes: count(from['bytes'], 'the fold point'),
      epoch,
      digest: text(from['digest'], HEX_32, 'the digest of the fold point'),
      timeMs: count(from['timeMs'], 'the time of the fold point', 0, TIME_MS_MAX),
      nextId: count(from['nextId'], 'the next id', (catalogue.at(-1)?.id ?? -1) + 1, NUMBER_MAX + 1),
      catalogue,
      ...(from['refused'] === undefined ? {} : { refused: count(from['refused'], 'what was refused at the fold point', 1) }),
    }
  }

  function placeOf(from: unknown): Place {
    const { collection, key } = object(from, 'a place')
    // The pattern takes stack by the length.
    check(typeof key === 'string' && key.length <= 2 * KEY_BYTES_MAX, 'a place')
    return { collection: count(collection, 'a place', 0, NUMBER_MAX), key: text(key, KEY, 'a place') }
  }

  function endOf(from: unknown): SegmentEnd {
    const place = placeOf(from)
    const { cut } = from as Record<string, unknown>
    check(cut === undefined || cut === true, 'the mark of a place')
    return cut === undefined ? place : { ...place, cut: true }
  }

  function segmentOf(from: unknown): SegmentEntry {
    const entry = object(from, 'a segment')
    return {
      file: text(entry['file'], SEGMENT_FILE, 'a segment file name'),
      bytes: count(entry['bytes'], 'the length of a segment', 1),
      sha256: text(entry['sha256'], HEX_32, 'the sum of a segment'),
      describedAt: count(entry['describedAt'], 'the description of a segment'),
      from: count(entry['from'], 'an epoch of a segment'),
      through: count(entry['through'], 'an epoch of a segment', 1),
      records: count(entry['records'], 'the records of a segment', 1),
      tombstones: count(entry['tombstones'], 'the tombstones of a segment'),
      rawBytes: count(entry['rawBytes'], 'the raw bytes of a segment', 1),
      first: endOf(entry['first']),
      last: endOf(entry['last']),
    }
  }

  function rangeOf(from: unknown): BaseRange {
    const range = object(from, 'a range')
    return {
      start: placeOf(range['start']),
      through: count(range['through'], 'the epoch of a range'),
      segment: range['segment'] === null ? null : segmentOf(range['segment']),
    }
  }

  function retainedOf(from: unknown): RetainedPoint {
    const point = object(from, 'a retained point')
    return {
      number: count(point['number'], 'a retained manifest', 1, NUMBER_MAX),
      epoch: count(point['epoch'], 'the epoch of a retained point'),
      timeMs: count(point['timeMs'], 'the time of a retained point', 0, TIME_MS_MAX),
    }
  }
}

/** The first list of the manifest that is longer than a reader lets it be. */
export function tooLong({ lineage, log, catalogue, fold, young, base, retained }: Manifest): string | undefined {
  const lists: [string, number, number][] = [
    ['the lineage', lineage.length, LINEAGE_MAX],
    ['the log', log.length, LOG_FILES_MAX],
    ['the collections', Math.max(catalogue?.collections.length ?? 0, fold?.catalogue.length ?? 0), COLLECTIONS_MAX],
    ['the young segments', young.length, SEGMENTS_MAX],
    ['the base', base.length, SEGMENTS_MAX],
    ['the retained points', retained.length, MANIFESTS_MAX],
  ]
  return lists.find(([, length, most]) => length > most)?.[0]
}

/** What must hold between the parts, whoever wrote them. */
function checkImage(manifest: Manifest, check: (condition: boolean, what: string) => void): void {
  const { number, token, fold, young, base, retained, log } = manifest
  const segments = segmentsOf(manifest)
  const covered = fold?.epoch ?? 0
  for (const one of segments) {
    check(Number.parseInt(one.file.slice(8, 16), 16) <= token, 'the token of a segment')
    check(one.from < one.through && one.through <= covered, 'the epochs of a segment')
    check(one.describedAt < one.bytes && one.tombstones <= one.records && comparePlaces(one.first, one.last) <= 0, 'a segment')
  }
  check(new Set(segments.map(one => one.file)).size === segments.length, 'a segment named twice')
  check(fold === null || log.some(entry => entry.file === fold.file), 'the file of the fold point')
  for (const [index, one] of young.entries()) {
    const newer = young[index - 1]
    // Parts of one large epoch cover the same epochs.
    check(newer === undefined || (one.through <= newer.through && one.from <= newer.from), 'the order of epochs')
  }
  check(base.length > 0 && comparePlaces((base[0] as BaseRange).start, FIRST_PLACE) === 0, 'the start of the base')
  for (const [index, range] of base.entries()) {
    check(index === 0 || comparePlaces((base[index - 1] as BaseRange).start, range.start) < 0, 'the order of the base')
    check(range.through <= covered, 'the epoch of a range')
  }
  for (const [index, point] of retained.entries()) {
    const before = retained[index - 1]
    check(point.number < number && point.epoch <= covered, 'a retained point')
    check(before === undefined || (before.number < point.number && before.epoch <= point.epoch), 'the order of retained points')
  }
}

const HEX_16 = /^[0-9a-f]{32}$/
const HEX_32 = /^[0-9a-f]{64}$/
const SEGMENT_FILE = /^segment\/[0-9a-f]{8}-[0-9a-f]{8}\.seg$/
/** An encoded key as hex digits. */
const KEY = /^([0-9a-f]{2})*$/
const LOG_FILE = /^log\/[0-9a-f]{8}-[0-9a-f]{8}\.log$/
const ANY = /^/
