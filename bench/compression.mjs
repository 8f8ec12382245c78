/**
 * Compression of blocks where there are blocks, each with what it is filled with there (RFC 0006): the log, young segments, the base; and the engine's own
 * decoder of zstd beside the one that this runtime has. Measures one room of the house, as codec.mjs does.
 *
 *   npm run build && node bench/compression.mjs [--json]
 */
import { performance } from 'node:perf_hooks'
import zlib, { deflateRawSync } from 'node:zlib'

const built = new URL('../dist/', import.meta.url)
const { tideCodec } = await import(new URL('codec/index.js', built).href)
const { ByteWriter } = await import(new URL('base/bytes.js', built).href)
const { BLOCK_RAW_BYTES, SEGMENT_BLOCK_RAW_BYTES, TABLE_RECORDS } = await import(new URL('base/limits.js', built).href)
const format = await import(new URL('format/index.js', built).href)
const { appendPut, COMPRESSION_DEFLATE, COMPRESSION_ZSTD, endSegmentBlock, openCompress, openDecompress } = format

const KEYS = 1_000_000
const BLOCKS = 48
const ROUNDS = 25
const COLLECTION = 1
/** More than a record of these takes. */
const RECORD_BYTES_MAX = 128

const session = id => ({ id, user: `user-${id}`, round: 1, score: (id * 7) % 1000, at: 1_700_000_000_000 + id })
/** Any key, one after the other. */
const random = (state => () => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0
  return state % KEYS
})(12345)
const table = [...new Set(Array.from({ length: TABLE_RECORDS }, random))].sort((a, b) => a - b)

const places = {
  'log, as they come': { bytes: BLOCK_RAW_BYTES, keys: random },
  'young segment, the keys of a table in order': {
    bytes: SEGMENT_BLOCK_RAW_BYTES,
    keys: nextOf(at => table[at % table.length]),
    sorted: true,
  },
  'base, all keys in order': { bytes: SEGMENT_BLOCK_RAW_BYTES, keys: nextOf(at => 400_000 + at), sorted: true },
}

function nextOf(keyAt) {
  let at = 0
  return () => keyAt(at++)
}

/** Filled as the log and a segment's builder fill them: the one ends behind its size, the other before. */
function blocksOf({ bytes, keys, sorted = false }) {
  return Array.from({ length: BLOCKS }, () => {
    const writer = new ByteWriter(2 * bytes)
    const offsets = []
    while (sorted ? writer.length + RECORD_BYTES_MAX + 2 * offsets.length < bytes : writer.length < bytes) {
      offsets.push(writer.length)
      const id = keys()
      appendPut(writer, COLLECTION, id, session(id), tideCodec)
    }
    if (sorted) endSegmentBlock(writer, Uint16Array.from(offsets), offsets.length)
    return Buffer.from(writer.view())
  })
}

const zstd = async level => {
  const compress = await openCompress('zstd', level)
  return { id: COMPRESSION_ZSTD, encode: raw => compress(raw).payload }
}
const deflate = level => ({ id: COMPRESSION_DEFLATE, encode: raw => deflateRawSync(raw, { level }) })
const ways = {
  'zstd, level 1': await zstd(1),
  'zstd, level 3': await zstd(3),
  'deflate, level 1': deflate(1),
  'deflate, level 6': deflate(6),
}

/** Microseconds for one of these, the median of each one's best: others may use the machine meanwhile. */
function microseconds(list, run) {
  const best = list.map(() => Number.POSITIVE_INFINITY)
  for (let round = 0; round < ROUNDS; round++) {
    for (const [at, one] of list.entries()) {
      const begin = performance.now()
      run(one)
      best[at] = Math.min(best[at], (performance.now() - begin) * 1000)
    }
  }
  return best.sort((a, b) => a - b)[best.length >> 1]
}

/** What decodes zstd where our own does not, as the engine calls it. */
function otherDecoder() {
  const { zstdDecompressSync } = zlib
  if (zstdDecompressSync !== undefined)
    return ['Node.js', ({ payload, rawLength }) => zstdDecompressSync(payload, { maxOutputLength: rawLength })]
  const addon = format.loadPrebuiltZstd()
  if (addon === undefined) return undefined
  const decoder = new addon.Decoder()
  return ['the addon', ({ payload }) => decoder.decodeSync(payload)]
}

/** Of both in turn, block by block: the median of all. */
function beside(stored, one, other) {
  const times = [[], []]
  for (let round = 0; round < ROUNDS; round++) {
    for (const block of stored) {
      for (const [at, decode] of [one, other].entries()) {
        const begin = performance.now()
        decode(block)
        times[at].push((performance.now() - begin) * 1000)
      }
    }
  }
  return times.map(list => list.sort((a, b) => a - b)[list.length >> 1])
}

const other = otherDecoder()
const result = { node: process.version, places: {} }
for (const [place, filled] of Object.entries(places)) {
  const blocks = blocksOf(filled)
  const raw = blocks.reduce((sum, block) => sum + block.length, 0)
  result.places[place] = { rawBytes: raw / blocks.length, ways: {} }
  for (const [way, { id, encode }] of Object.entries(ways)) {
    const decode = await openDecompress(id)
    const stored = blocks.map(block => ({ payload: Buffer.from(encode(block)), rawLength: block.length }))
    result.places[place].ways[way] = {
      ratio: raw / stored.reduce((sum, { payload }) => sum + payload.length, 0),
      compressUs: microseconds(blocks, encode),
      decompressUs: microseconds(stored, ({ payload, rawLength }) => decode(payload, rawLength)),
    }
    if (id !== COMPRESSION_ZSTD || other === undefined) continue
    const checked = block => {
      format.checkZstdShape(block.payload, block.rawLength)
      return other[1](block)
    }
    const [ownUs, otherUs] = beside(stored, ({ payload, rawLength }) => format.decodeZstdBlock(payload, rawLength), checked)
    result.places[place].ways[way].decoders = { ownUs, other: other[0], otherUs }
  }
}

if (process.argv.includes('--json')) console.log(JSON.stringify(result, null, 2))
else {
  console.log(`Node.js ${result.node}; blocks of sessions, times of one block, the best of ${ROUNDS} each\n`)
  console.log(
    '| blocks of | raw KiB | compression | ratio | us to compress | us to decompress |\n| --- | ---: | --- | ---: | ---: | ---: |',
  )
  for (const [place, { rawBytes, ways: measured }] of Object.entries(result.places)) {
    for (const [way, { ratio, compressUs, decompressUs }] of Object.entries(measured))
      console.log(
        `| ${place} | ${(rawBytes / 1024).toFixed(1)} | ${way} | ${ratio.toFixed(2)} | ${compressUs.toFixed(0)} | ${decompressUs.toFixed(0)} |`,
      )
  }
  console.log('\n| blocks of | compression | us by our own decoder | us by the other | ratio |\n| --- | --- | ---: | ---: | ---: |')
  for (const [place, { ways: measured }] of Object.entries(result.places)) {
    for (const [way, { decoders }] of Object.entries(measured)) {
      if (decoders === undefined) continue
      const { ownUs, otherUs, other: name } = decoders
      const cells = [place, way, ownUs.toFixed(1), `${otherUs.toFixed(1)}, ${name}`, (ownUs / otherUs).toFixed(2)]
      console.log(`| ${cells.join(' | ')} |`)
    }
  }
}
