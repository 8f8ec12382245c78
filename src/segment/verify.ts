/**
 * Checks a whole segment file against what a manifest says of it: the hash of all bytes, every block, the order of places, the first and the last,
 * the counts of the file and of each collection, that the filter and the index find each record, and what walks count on beyond that: a large block
 * holds one record, and the index has a beginning of each block's first key. Owns nothing; holds one piece of the file.
 */
import { createHash } from 'node:crypto'
import { TidemarkError } from '../base/errors.ts'
import { SEGMENT_BLOCK_RAW_BYTES_MAX, SEGMENT_READ_BACK_BYTES } from '../base/limits.ts'
import { compareBytes, hashPlace, type Place, recordBytes, type SegmentCollection, type SegmentEntry } from '../format/index.ts'
import type { Storage } from '../storage/index.ts'
import { ReadAhead } from './read-ahead.ts'
import { Segment } from './segment.ts'

/** `pause` is awaited often. @throws TIDEMARK_SEGMENT_DAMAGED naming file and place, TIDEMARK_FORMAT_NEWER, TIDEMARK_STORAGE */
export async function verifySegment(storage: Storage, entry: SegmentEntry, pause: () => Promise<void> | void): Promise<void> {
  const segment = await Segment.open(storage, entry)
  const refuse = (what: string): never => {
    throw new TidemarkError('TIDEMARK_SEGMENT_DAMAGED', `${entry.file} is damaged: ${what}`, {
      file: entry.file,
      hint: 'keep a copy of the directory, then restore it from one, or open at an earlier recovery point',
    })
  }
  try {
    const hash = createHash('sha256')
    for (let at = 0; at < entry.bytes; at += SEGMENT_READ_BACK_BYTES) {
      hash.update(await segment.read(at, Math.min(SEGMENT_READ_BACK_BYTES, entry.bytes - at)))
      await pause()
    }
    if (hash.digest('hex') !== entry.sha256) refuse('its hash is not the one the manifest names')
    // The filter too, which a walk does without.
    await segment.describe()
    const { facts, index } = segment
    const ahead = new ReadAhead(segment)
    const cursor = ahead.cursor()
    let records = 0
    const found: { id: number; records: number; tombstones: number; rawBytes: number }[] = []
    let block = -1
    let raw: Buffer | undefined
    let last: { collection: number; key: Buffer } | undefined
    for (await ahead.fill(); cursor.next(); ) {
      const { collection, bytes, keyStart, keyEnd } = cursor
      const key = Buffer.from(bytes.subarray(keyStart, keyEnd))
      const difference = last && (last.collection - collection || compareBytes(last.key, 0, last.key.length, key, 0, key.length))
      if (difference !== undefined && difference >= 0) refuse(`record ${records} is out of order`)
      if (segment.find(collection, key, hashPlace(collection, key))?.put !== cursor.put) refuse(`record ${records} is not found`)
      // Each block comes in bytes of its own.
      if (bytes !== raw) {
        block++
        if (!index.begins(block, collection, key)) refuse(`the index does not say how block ${block} begins`)
      } else if (bytes.length > SEGMENT_BLOCK_RAW_BYTES_MAX) refuse(`block ${block} of ${bytes.length} bytes holds several records`)
      if (last === undefined && !isPlace(facts.first, collection, key)) refuse('its first record is another')
      raw = bytes
      last = { collection, key }
      records++
      let counts = found.at(-1)
      if (counts?.id !== collection) {
        counts = { id: collection, records: 0, tombstones: 0, rawBytes: 0 }
        found.push(counts)
      }
      counts.records++
      if (!cursor.put) counts.tombstones++
      counts.rawBytes += recordBytes(collection, key.length, cursor.put ? cursor.end - cursor.start : undefined)
      if (!ahead.ready) await ahead.fill()
      await pause()
    }
    // The file's own description was held against the entry when it was read.
    if (last === undefined || !isPlace(facts.last, last.collection, last.key)) refuse('its last record is another')
    const wrong = differing(found, facts.collections)
    if (wrong !== undefined) refuse(`what it says of collection ${wrong} is not what it holds`)
    for (const count of ['records', 'tombstones', 'rawBytes'] as const) {
      const sum = found.reduce((total, one) => total + one[count], 0)
      if (sum !== entry[count]) refuse(`it holds ${sum} ${count}, not ${entry[count]}`)
    }
  } finally {
    await segment.close()
  }
}

function isPlace(place: Place, collection: number, key: Buffer): boolean {
  return place.collection === collection && place.key === key.toString('hex')
}

/** The first collection of which the two say different things. */
function differing(found: readonly Omit<SegmentCollection, 'schema'>[], said: readonly SegmentCollection[]): number | undefined {
  for (let at = 0; at < Math.max(found.length, said.length); at++) {
    const [a, b] = [found[at], said[at]]
    const same = a?.id === b?.id && a?.records === b?.records && a?.tombstones === b?.tombstones && a?.rawBytes === b?.rawBytes
    if (!same) return Math.min(a?.id ?? Number.POSITIVE_INFINITY, b?.id ?? Number.POSITIVE_INFINITY)
  }
  return undefined
}
