/** Contents of many kinds for zstd, who encodes them, and what the addon makes of a frame. */
import assert from 'node:assert/strict'
import * as zlib from 'node:zlib'
import { ByteWriter } from '../../src/base/bytes.ts'
import { appendRecord, checkZstdShape, decodeZstdBlock, loadPrebuiltZstd } from '../../src/format/index.ts'

export type Encode = (raw: Buffer) => Buffer

/** Encoders by name, the addon's at each of these levels, and Node's own where it has one. */
export function encodersOf(levels: readonly number[]): Map<string, Encode> {
  const encoders = new Map<string, Encode>()
  const addon = loadPrebuiltZstd()
  assert.ok(addon)
  const native = zlib as unknown as {
    readonly zstdCompressSync?: (raw: Buffer, options: object) => Buffer
    readonly constants: Readonly<Record<string, number>>
  }
  for (const level of levels) {
    const encoder = new addon.Encoder(level)
    encoders.set(`addon, level ${level}`, raw => encoder.encodeSync(raw))
    const parameter = native.constants['ZSTD_c_compressionLevel']
    if (native.zstdCompressSync === undefined || parameter === undefined) continue
    const options = { params: { [parameter]: level } }
    encoders.set(`Node.js, level ${level}`, raw => (native.zstdCompressSync as NonNullable<typeof native.zstdCompressSync>)(raw, options))
  }
  return encoders
}

/** With the size of its content, which some leave out: as the engine stores it. */
export function sized(stored: Buffer, rawLength: number): Buffer {
  const descriptor = stored[4] as number
  if ((descriptor & 0xe0) !== 0) return stored
  const size = Buffer.alloc(4)
  size.writeUInt32LE(rawLength)
  return Buffer.concat([stored.subarray(0, 4), Buffer.from([descriptor | 0x80]), stored.subarray(5, 6), size, stored.subarray(6)])
}

/** What the engine took before, if it did. */
export function byAddon(stored: Buffer, rawLength: number): Buffer | undefined {
  try {
    checkZstdShape(stored, rawLength)
    const addon = loadPrebuiltZstd()
    assert.ok(addon)
    const raw = new addon.Decoder().decodeSync(stored)
    return raw.length === rawLength ? raw : undefined
  } catch {
    return undefined
  }
}

export function assertDecodes(stored: Buffer, raw: Uint8Array, of: string): void {
  const decoded = decodeZstdBlock(stored, raw.length)
  assert.ok(typeof decoded !== 'string', `${of}: ${String(decoded)}`)
  assert.ok(decoded.equals(raw), of)
}

/** Numbers that look like chance, the same ones each time. */
export function numbers(seed: number): (below: number) => number {
  let state = seed >>> 0
  return below => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

export type Filling = (bytes: number, next: (below: number) => number) => Buffer

export const filled = (bytes: number, byte: (at: number) => number): Buffer =>
  Buffer.from(Uint8Array.from({ length: bytes }, (_, at) => byte(at)))
const WORDS = 'the tide comes in and a mark on the wall shows how high it stood before it went out again, twice a day. '.split(' ')

export const FILLINGS: Readonly<Record<string, Filling>> = {
  'one byte': (bytes, next) => Buffer.alloc(bytes, next(256)),
  chance: (bytes, next) => filled(bytes, () => next(256)),
  'four letters': (bytes, next) => filled(bytes, () => 97 + next(4)),
  'few often, many seldom': (bytes, next) => filled(bytes, () => Math.clz32(next(2 ** 31)) * 9 + next(3)),
  text: (bytes, next) => {
    let words = ''
    while (words.length < bytes) words += `${WORDS[next(WORDS.length)]} `
    return Buffer.from(words).subarray(0, bytes)
  },
  records: (bytes, next) => {
    const writer = new ByteWriter(bytes + 300)
    for (let id = next(1e6); writer.length < bytes; id += 1 + next(3)) {
      const key = Buffer.alloc(4)
      key.writeUInt32BE(id)
      const score = next(1000)
      appendRecord(writer, 1, key, Buffer.from(JSON.stringify({ id, user: `user-${id}`, score, at: 1_700_000_000_000 + id })))
    }
    return Buffer.from(writer.view()).subarray(0, bytes)
  },
  runs: (bytes, next) => {
    const raw = Buffer.alloc(bytes)
    for (let at = 0; at < bytes; ) {
      const end = Math.min(bytes, at + 1 + next(1 + next(3000)))
      raw.fill(next(256), at, end)
      at = end
    }
    return raw
  },
  'short patterns': (bytes, next) => {
    const raw = Buffer.alloc(bytes)
    for (let at = 0; at < bytes; ) {
      const end = Math.min(bytes, at + 1 + next(400))
      raw.fill(
        filled(1 + next(20), () => next(256)),
        at,
        end,
      )
      at = end
    }
    return raw
  },
  mixed: (bytes, next) => {
    const kinds = ['chance', 'four letters', 'text', 'runs', 'records']
    const parts: Buffer[] = []
    for (let left = bytes; left > 0; ) {
      const part = Math.min(left, 1 + next(1 + next(60_000)))
      parts.push((FILLINGS[kinds[next(kinds.length)] as string] as Filling)(part, next))
      left -= part
    }
    return Buffer.concat(parts)
  },
}
