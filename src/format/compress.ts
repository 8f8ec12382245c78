/**
 * Compression of block payloads: zstd level 1 where there is one, deflate otherwise, none when a block does not shrink.
 *
 * Owns: loading what is needed, on first need. Does not own: what is compressed.
 * Invariants: what is decoded has the declared raw length or it is an error; the declared length was bounded by whoever read it, and
 * nothing beyond it is allocated: deflate is stopped by zlib, our own decoder of zstd has its room, and before another one is asked the frame is
 * walked block by block.
 */
import { createRequire } from 'node:module'
import * as zlib from 'node:zlib'
import { assert, hasCode, isError, TidemarkError } from '../base/errors.ts'
import { BLOCK_RAW_BYTES_MAX, ZSTD_OWN_RAW_BYTES_MAX } from '../base/limits.ts'
import { isAllocationFailure, isOutOfMemory } from '../base/out-of-memory.ts'
import { isShortage, shortageIn } from '../storage/index.ts'
import { COMPRESSION_DEFLATE, COMPRESSION_NONE, COMPRESSION_ZSTD } from './frame.ts'
import { decodeZstdBlock, hasZstdBlock } from './zstd-block.ts'

export type CompressionPreference = 'zstd' | 'deflate' | 'none'

/** `id` is what the frame names; `payload` what it carries. */
export type Compress = (raw: Uint8Array) => { readonly id: number; readonly payload: Uint8Array }
export type Decompress = (stored: Buffer, rawLength: number) => Buffer

interface Zstd {
  encode(raw: Uint8Array): Buffer
  decode(stored: Buffer, rawLength: number): Buffer
}

/** Blocks below this many bytes are stored as they are. */
export const COMPRESS_BYTES_MIN = 64
const ZSTD_LEVEL = 1
const ADDON = '@toondepauw/node-zstd'

/** The compression for writing; what is not available gives way to the next best. The engine writes with the level that is the default. */
export async function openCompress(preference: CompressionPreference, level = ZSTD_LEVEL): Promise<Compress> {
  const load = level === ZSTD_LEVEL ? loadZstd : loadedOnce(() => makeZstd(level))
  return raw => {
    if (preference === 'none' || raw.length < COMPRESS_BYTES_MIN) return { id: COMPRESSION_NONE, payload: raw }
    const zstd = preference === 'zstd' ? tried(load).it : undefined
    const packed = zstd === undefined ? undefined : readableZstd(zstd.encode(raw), raw.length)
    const payload = packed ?? zlib.deflateRawSync(raw, { level: 1 })
    if (payload.length >= raw.length) return { id: COMPRESSION_NONE, payload: raw }
    return { id: packed === undefined ? COMPRESSION_DEFLATE : COMPRESSION_ZSTD, payload }
  }
}

/** A frame as the reader demands it; undefined when this encoder makes others. */
function readableZstd(stored: Buffer, rawLength: number): Buffer | undefined {
  const sized = withContentSize(stored, rawLength)
  try {
    checkZstdShape(sized, rawLength)
    return sized
  } catch {
    return undefined
  }
}

/** The decompression for frames that name this id. Payloads it cannot take throw TIDEMARK_VALUE_DAMAGED, want of memory or of descriptors what it is. */
export async function openDecompress(id: number): Promise<Decompress> {
  switch (id) {
    case COMPRESSION_NONE:
      return checked(stored => stored)
    case COMPRESSION_DEFLATE:
      return checked((stored, rawLength) => inflate(stored, rawLength))
    case COMPRESSION_ZSTD:
      if (hasZstdBlock() || canLoadZstd()) return checked(decodeZstd)
  }
  throw unavailable(id)
}

/** By our own decoder where that is the faster one; by the other where there is none, or it refuses: loading that takes a while, and is seldom needed. */
function decodeZstd(stored: Buffer, rawLength: number): Buffer {
  const isSmall = rawLength <= ZSTD_OWN_RAW_BYTES_MAX
  const own = isSmall ? decodeZstdBlock(stored, rawLength) : 'other'
  if (typeof own !== 'string') return own
  const { it: zstd, shortage } = tried(loadZstd)
  if (zstd !== undefined) return zstd.decode(stored, rawLength)
  const slower = isSmall ? own : decodeZstdBlock(stored, rawLength)
  if (typeof slower !== 'string') return slower
  checkZstdShape(stored, rawLength)
  if (shortage !== undefined) throw shortage
  throw slower === 'damaged' ? damaged('a zstd frame that does not decode') : unavailable(COMPRESSION_ZSTD)
}

function unavailable(id: number): TidemarkError {
  return new TidemarkError('TIDEMARK_COMPRESSION_UNAVAILABLE', `this runtime cannot read compression ${id}`, {
    hint: 'install @toondepauw/node-zstd for this platform, or use a Node.js with zstd (22.15 or newer)',
    info: { compression: id },
  })
}

/**
 * The decompression of every id at once, for blocks that have to be read without waiting. An id that this runtime cannot read throws when a
 * frame names it: the same errors as `openDecompress`.
 */
export function openEveryDecompress(): Promise<DecompressEvery> {
  every ??= openEvery()
  return every
}

export type DecompressEvery = (id: number, stored: Buffer, rawLength: number) => Buffer

/** Opened once: nothing of it changes while the process lives. */
let every: Promise<DecompressEvery> | undefined

async function openEvery(): Promise<DecompressEvery> {
  const opened = await Promise.allSettled([COMPRESSION_NONE, COMPRESSION_DEFLATE, COMPRESSION_ZSTD].map(openDecompress))
  return (id, stored, rawLength) => {
    const decode = opened[id]
    assert(decode !== undefined, `compression ${id}`)
    if (decode.status === 'rejected') throw decode.reason
    return decode.value(stored, rawLength)
  }
}

function checked(decode: Decompress): Decompress {
  return (stored, rawLength) => {
    assertBounded(rawLength)
    let raw: Buffer
    try {
      raw = decode(stored, rawLength)
    } catch (error) {
      throw isOutOfMemory(error) || isShortage(error) || hasCode(error, 'TIDEMARK_COMPRESSION_UNAVAILABLE')
        ? error
        : damaged('not decodable', error)
    }
    return ofLength(raw, rawLength)
  }
}

function assertBounded(rawLength: number): void {
  if (rawLength > BLOCK_RAW_BYTES_MAX) throw damaged(`${rawLength} raw bytes`)
}

function ofLength(raw: Buffer, rawLength: number): Buffer {
  if (raw.length !== rawLength) throw damaged(`${raw.length} bytes instead of ${rawLength}`)
  return raw
}

const INFLATE_CHUNK_BYTES_MIN = 64
const INFLATE_CHUNK_BYTES_MAX = 128 * 1024

function inflate(stored: Buffer, rawLength: number): Buffer {
  // A little more than what comes: zlib then asks for memory once.
  const chunkSize = Math.min(INFLATE_CHUNK_BYTES_MAX, Math.max(INFLATE_CHUNK_BYTES_MIN, rawLength + INFLATE_CHUNK_BYTES_MIN))
  // A dictionary-free stream may end before its input does: trailing bytes would pass unseen.
  const { buffer, engine } = zlib.inflateRawSync(stored, { maxOutputLength: Math.max(1, rawLength), chunkSize, info: true }) as unknown as {
    buffer: Buffer
    engine: { bytesWritten: number }
  }
  if (engine.bytesWritten !== stored.length) throw damaged('bytes behind the end')
  return buffer
}

const loadZstd = loadedOnce(() => makeZstd(ZSTD_LEVEL))

/** That it cannot be loaded now says nothing. */
function canLoadZstd(): boolean {
  const { it, shortage } = tried(loadZstd)
  return it !== undefined || shortage !== undefined
}

function makeZstd(level: number): Zstd {
  return nativeZstd(level) ?? addonZstd(level)
}

/**
 * What `load` gives, or undefined where that fails, which stays so: the addon is an optional native package, and without one for this platform the
 * engine writes deflate. What the process was short of comes back: the next call tries again. @throws what `passingIn` gives for that
 */
export function loadedOnce<T>(load: () => T): () => T | undefined {
  let loaded: { readonly it: T | undefined } | undefined
  return () => {
    if (loaded !== undefined) return loaded.it
    try {
      loaded = { it: load() }
    } catch (error) {
      const passing = passingIn(error)
      if (passing !== undefined) throw passing
      loaded = { it: undefined }
    }
    return loaded.it
  }
}

/**
 * What loading was short of: descriptors and memory of the system, memory of the runtime or the rest of a stack. A loader that tried several ways has
 * their errors as its causes. The message of any other error may hold any path.
 */
function passingIn(error: unknown): Error | undefined {
  for (let cause = error; isError(cause); cause = cause.cause) {
    if (isAllocationFailure(cause) || (cause.name === 'RangeError' && isOutOfMemory(cause))) return cause
  }
  return shortageIn(error)
}

/** What `load` gives; the shortage for which it gives nothing this time. */
function tried<T>(load: () => T | undefined): { readonly it?: T | undefined; readonly shortage?: unknown } {
  try {
    return { it: load() }
  } catch (shortage) {
    return { shortage }
  }
}

interface NativeZstd {
  zstdCompressSync(raw: Uint8Array, options: object): Buffer
  zstdDecompressSync(stored: Uint8Array, options: object): Buffer
  readonly constants: Readonly<Record<string, number>>
}

function nativeZstd(zstdLevel: number): Zstd | undefined {
  const native = zlib as unknown as Partial<NativeZstd>
  const { zstdCompressSync, zstdDecompressSync, constants } = native
  if (zstdCompressSync === undefined || zstdDecompressSync === undefined) return undefined
  const level = constants?.['ZSTD_c_compressionLevel'] ?? 100
  return {
    encode: raw => {
      return zstdCompressSync(raw, { params: { [level]: zstdLevel }, pledgedSrcSize: raw.length })
    },
    decode: (stored, rawLength) => {
      checkZstdShape(stored, rawLength)
      return zstdDecompressSync(stored, { maxOutputLength: Math.max(1, rawLength) })
    },
  }
}

function addonZstd(level: number): Zstd {
  const { Encoder, Decoder } = loadPrebuiltZstd() ?? (createRequire(import.meta.url)(ADDON) as ZstdAddon)
  const encoder = new Encoder(level)
  const decoder = new Decoder()
  return {
    encode: raw => encoder.encodeSync(Buffer.from(raw.buffer, raw.byteOffset, raw.byteLength)),
    decode: (stored, rawLength) => {
      checkZstdShape(stored, rawLength)
      return decoder.decodeSync(stored)
    },
  }
}

type ZstdAddon = Pick<typeof import('@toondepauw/node-zstd'), 'Encoder' | 'Decoder'>

/**
 * The addon itself, from the package that holds it for this platform: the one above it looks for the C library first, which takes four times as
 * long and is a tenth of what `open` of a store takes otherwise. Undefined where it is not there, cannot be loaded or is not what is expected:
 * then the package above has the word. @throws what `passingIn` gives
 */
export function loadPrebuiltZstd(): ZstdAddon | undefined {
  const { platform, arch } = process
  const from = createRequire(import.meta.url)
  for (const libc of platform === 'linux' ? ['-gnu', '-musl'] : ['']) {
    try {
      // Packages are not always flat: it is the other one's dependency.
      const addon = createRequire(from.resolve(ADDON))(`${ADDON}-${platform}-${arch}${libc}`) as Partial<ZstdAddon>
      if (typeof addon.Encoder === 'function' && typeof addon.Decoder === 'function') return addon as ZstdAddon
    } catch (error) {
      // The other one, or none; what passes is no answer.
      const passing = passingIn(error)
      if (passing !== undefined) throw passing
    }
  }
  return undefined
}

const ZSTD_MAGIC = 0xfd2fb528
/** What one zstd block can decode to. */
const ZSTD_BLOCK_BYTES_MAX = 128 * 1024
/** Encoders cut blocks as they like; a frame with smaller compressed ones on average is not written, and not read. */
const ZSTD_BLOCK_BYTES_MIN = 8 * 1024

/** The frame with its content size in the header: the addon's encoder leaves it out, and then only decoding tells it. */
function withContentSize(stored: Buffer, rawLength: number): Buffer {
  const descriptor = stored[4] as number
  if ((descriptor & 0xe0) !== 0) return stored
  const size = Buffer.alloc(4)
  size.writeUInt32LE(rawLength)
  const sized = Buffer.concat([stored.subarray(0, 6), size, stored.subarray(6)])
  sized[4] = descriptor | 0x80
  return sized
}

/**
 * Exactly one frame that names the expected content size and nothing behind it (RFC 8878, 3.1.1), in blocks that give no more, as far as
 * their headers tell: a compressed one does not, so there are no more of those than such content takes. That bounds what a decoder without a bound
 * of its own can allocate.
 */
export function checkZstdShape(stored: Buffer, rawLength: number): void {
  if (stored.length < 6 || stored.readUInt32LE(0) !== ZSTD_MAGIC) throw damaged('no zstd frame')
  const descriptor = stored[4] as number
  const single = (descriptor & 0x20) !== 0
  if ((descriptor & 0x0b) !== 0) throw damaged('a zstd frame with a dictionary or reserved bits')
  const sizeBytes = [single ? 1 : 0, 2, 4, 8][descriptor >> 6] as number
  let at = 5 + (single ? 0 : 1)
  if (at + sizeBytes > stored.length) throw damaged('a zstd frame ends early')
  const size = contentSize(stored, at, sizeBytes)
  if (size !== rawLength) throw damaged(`a zstd frame of ${size} bytes instead of ${rawLength}`)
  at += sizeBytes
  let plainBytes = 0
  let compressed = 0
  for (let last = false; !last; ) {
    if (at + 3 > stored.length) throw damaged('a zstd frame ends early')
    const head = stored.readUIntLE(at, 3)
    last = (head & 1) === 1
    const type = (head >> 1) & 3
    const bytes = head >> 3
    if (type === 3) throw damaged('a zstd block of a reserved type')
    at += 3 + (type === 1 ? 1 : bytes)
    if (type === 2) compressed++
    else plainBytes += bytes
    if (type !== 2 && bytes > ZSTD_BLOCK_BYTES_MAX) throw damaged('a zstd block larger than one can be')
  }
  if (plainBytes > rawLength || compressed > 2 + Math.floor((rawLength - plainBytes) / ZSTD_BLOCK_BYTES_MIN))
    throw damaged('a zstd frame of more than its content')
  if ((descriptor & 0x04) !== 0) at += 4
  if (at !== stored.length) throw damaged('bytes behind a zstd frame')
}

function contentSize(stored: Buffer, at: number, bytes: number): number | undefined {
  if (bytes === 0) return undefined
  if (bytes === 1) return stored[at]
  if (bytes === 2) return stored.readUInt16LE(at) + 256
  if (bytes === 4) return stored.readUInt32LE(at)
  return Number(stored.readBigUInt64LE(at))
}

function damaged(what: string, cause?: unknown): TidemarkError {
  return new TidemarkError('TIDEMARK_VALUE_DAMAGED', `compressed bytes: ${what}`, cause === undefined ? {} : { cause })
}
