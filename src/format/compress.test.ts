import assert from 'node:assert/strict'
import { syncBuiltinESMExports } from 'node:module'
import { test } from 'node:test'
import { runInNewContext } from 'node:vm'
import zlib, { deflateRawSync } from 'node:zlib'
import fc from 'fast-check'
import { hasCode } from '../base/errors.ts'
import { isShortage, systemError } from '../storage/index.ts'
import { type CompressionPreference, checkZstdShape, loadedOnce, loadPrebuiltZstd, openCompress, openDecompress } from './compress.ts'
import { COMPRESSION_DEFLATE, COMPRESSION_NONE, COMPRESSION_ZSTD } from './frame.ts'
import { decodeZstdBlock } from './zstd-block.ts'

const anyRaw = fc.oneof(
  fc.uint8Array({ maxLength: 300 }),
  fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 50 }), fc.integer({ min: 1, max: 9000 })).map(([piece, times]) => {
    const raw = Buffer.alloc(piece.length * times, piece)
    return new Uint8Array(raw.buffer, raw.byteOffset, raw.byteLength)
  }),
)

test('what is compressed comes back, whatever the preference', async () => {
  for (const preference of ['zstd', 'deflate', 'none'] as const satisfies readonly CompressionPreference[]) {
    const compress = await openCompress(preference)
    const ids = new Set<number>()
    await fc.assert(
      fc.asyncProperty(anyRaw, async raw => {
        const { id, payload } = compress(raw)
        ids.add(id)
        assert.ok(id === COMPRESSION_NONE ? payload.length === raw.length : payload.length < raw.length)
        const back = (await openDecompress(id))(Buffer.from(payload), raw.length)
        assert.ok(back.equals(raw))
      }),
      { numRuns: 200 },
    )
    const expected = { zstd: COMPRESSION_ZSTD, deflate: COMPRESSION_DEFLATE, none: COMPRESSION_NONE }[preference]
    assert.ok(ids.has(expected), `${preference} is used`)
  }
})

test('the addon is found in the package of this platform, and speaks as the one above it does', async () => {
  const prebuilt = loadPrebuiltZstd()
  assert.ok(prebuilt, 'the package moved its addon: open still works, and takes longer')
  const byPackage = await import('@toondepauw/node-zstd')
  const raw = Buffer.from('as it was '.repeat(900))
  for (const [one, other] of [
    [prebuilt, byPackage],
    [byPackage, prebuilt],
  ] as const) {
    assert.ok(new other.Decoder().decodeSync(new one.Encoder(1).encodeSync(raw)).equals(raw))
  }
})

test('a zstd frame names its content size, and nothing else of that length is taken for it', async () => {
  const compress = await openCompress('zstd')
  const decompress = await openDecompress(COMPRESSION_ZSTD)
  const raw = Buffer.alloc(500_000, 'tidemark and tide')
  const stored = Buffer.from(compress(raw).payload)
  checkZstdShape(stored, raw.length)
  assert.ok(decompress(stored, raw.length).equals(raw))
  for (const length of [0, 1, raw.length - 1, raw.length + 1, 2 ** 30]) assert.throws(() => decompress(stored, length), isDamaged)
  assert.throws(() => decompress(Buffer.concat([stored, stored]), raw.length), isDamaged)
  assert.throws(() => decompress(Buffer.concat([stored, stored]), raw.length * 2), isDamaged)
  assert.throws(() => decompress(stored.subarray(0, -1), raw.length), isDamaged)
})

test('a frame that our own decoder refuses is left to the other one', async () => {
  // In a window of 1 KiB, 2,000 bytes.
  const stored = Buffer.from(`28b52ffd8000d0070000${'421f00'}07${'431f00'}08`, 'hex')
  const decompress = await openDecompress(COMPRESSION_ZSTD)
  assert.equal(decodeZstdBlock(stored, 2000), 'other')
  assert.ok(decompress(stored, 2000).equals(Buffer.concat([Buffer.alloc(1000, 7), Buffer.alloc(1000, 8)])))
})

test('a zstd frame whose blocks would give more than it declares is refused before it is decoded', () => {
  const RAW_LENGTH = 100_000
  const frame = (...blocks: readonly (readonly [type: number, bytes: number])[]): Buffer => {
    const header = Buffer.from('28b52ffda000000000', 'hex')
    header.writeUInt32LE(RAW_LENGTH, 5)
    return Buffer.concat([
      header,
      ...blocks.map(([type, bytes], index) => {
        const block = Buffer.alloc(3 + (type === 1 ? 1 : bytes))
        block.writeUIntLE((bytes << 3) | (type << 1) | (index === blocks.length - 1 ? 1 : 0), 0, 3)
        return block
      }),
    ])
  }
  const [RAW, REPEATED, PACKED] = [0, 1, 2]
  for (const blocks of [
    [[REPEATED, RAW_LENGTH]],
    [
      [RAW, 40_000],
      [REPEATED, 60_000],
      [RAW, 0],
    ],
    [
      [PACKED, 100],
      [RAW, RAW_LENGTH - 1],
    ],
    [
      [PACKED, 100],
      [RAW, 0],
    ],
    Array.from({ length: 14 }, () => [PACKED, 20]),
  ] as const)
    checkZstdShape(frame(...(blocks as [number, number][])), RAW_LENGTH)
  for (const blocks of [
    [[REPEATED, RAW_LENGTH + 1]],
    [
      [RAW, 40_000],
      [REPEATED, 60_001],
    ],
    Array.from({ length: 10 }, () => [REPEATED, 128 * 1024]),
    Array.from({ length: 15 }, () => [PACKED, 20]),
  ] as const)
    assert.throws(() => checkZstdShape(frame(...(blocks as [number, number][])), RAW_LENGTH), isDamaged)
})

test('blocks of a zstd frame are as few as the reader demands, wherever the encoder cuts', async () => {
  const compress = await openCompress('zstd')
  const kinds = [
    (at: number): number => (Math.imul(at, 0x9e3779b1) >>> 13) & 255,
    (at: number): number => 97 + (at % 7),
    (at: number): number => (at % 8 < 5 ? 0 : (Math.imul(at, 0x85ebca6b) >>> 9) & 255),
  ]
  for (const size of [1000, 131_071, 131_072, 131_073, 262_144, 600_000, 1_500_000]) {
    for (const run of [8192, 30_000, 32_768, 65_536, 100_000]) {
      const raw = Buffer.alloc(size)
      for (let at = 0; at < size; at++) raw[at] = (kinds[Math.floor(at / run) % kinds.length] as (at: number) => number)(at)
      const { id, payload } = compress(raw)
      assert.ok(id === COMPRESSION_ZSTD || payload.length === size, `${size} in runs of ${run}`)
    }
  }
})

test('a deflate stream that would give more than declared is stopped', async () => {
  const decompress = await openDecompress(COMPRESSION_DEFLATE)
  const bomb = deflateRawSync(Buffer.alloc(50_000_000))
  assert.throws(() => decompress(bomb, 1000), isDamaged)
  const stored = deflateRawSync(Buffer.alloc(1000))
  assert.throws(() => decompress(Buffer.concat([stored, Buffer.alloc(3)]), 1000), isDamaged)
  assert.throws(() => decompress(stored, 999), isDamaged)
  assert.throws(() => decompress(stored, 1001), isDamaged)
  assert.throws(() => decompress(stored, 2 ** 31), isDamaged)
})

test('any bytes and any changed bytes give a value or a typed error', async () => {
  for (const id of [COMPRESSION_DEFLATE, COMPRESSION_ZSTD]) {
    const decompress = await openDecompress(id)
    const compress = await openCompress(id === COMPRESSION_ZSTD ? 'zstd' : 'deflate')
    const attempt = (stored: Buffer, rawLength: number): void => {
      try {
        assert.equal(decompress(stored, rawLength).length, rawLength)
      } catch (error) {
        if (!isDamaged(error)) throw error
      }
    }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(70_000), (bytes, rawLength) => attempt(Buffer.from(bytes), rawLength)),
      { numRuns: 500 },
    )
    const raw = Buffer.from(JSON.stringify(Array.from({ length: 300 }, (_, index) => ({ index, name: `name ${index % 7}` }))))
    const stored = compress(raw).payload
    fc.assert(
      fc.property(fc.nat(stored.length - 1), fc.nat(255), fc.nat(stored.length), (at, byte, length) => {
        const changed = Buffer.from(stored)
        changed[at] = byte
        attempt(changed, raw.length)
        attempt(changed.subarray(0, length), raw.length)
      }),
      { numRuns: 500 },
    )
  }
})

test('a compression nobody knows is refused by its own code', async () => {
  await assert.rejects(openDecompress(7), error => hasCode(error, 'TIDEMARK_COMPRESSION_UNAVAILABLE'))
})

function isDamaged(error: unknown): boolean {
  return hasCode(error, 'TIDEMARK_VALUE_DAMAGED')
}

test('what fails for want of memory says nothing of the bytes, and is told as what it is', async t => {
  const decompress = await openDecompress(COMPRESSION_DEFLATE)
  const withCode = (code: string): Error => Object.assign(new Error('failed'), { code })
  let thrown = new Error()
  const { mock } = t.mock.method(zlib, 'inflateRawSync', () => {
    throw thrown
  })
  syncBuiltinESMExports()
  const told = (error: Error): unknown => {
    thrown = error
    try {
      return decompress(Buffer.alloc(8), 8)
    } catch (told) {
      return told
    }
  }
  try {
    for (const error of [
      new RangeError('Array buffer allocation failed'),
      // As Node.js throws it for who runs in a context, such as tests of Jest.
      runInNewContext("new RangeError('Array buffer allocation failed')") as Error,
      withCode('ERR_MEMORY_ALLOCATION_FAILED'),
      withCode('Z_MEM_ERROR'),
    ])
      assert.equal(told(error), error)
    assert.ok(hasCode(told(withCode('Z_DATA_ERROR')), 'TIDEMARK_VALUE_DAMAGED'))
  } finally {
    mock.restore()
    syncBuiltinESMExports()
  }
})

/** Loads with the first call after these errors. */
function failing(...errors: readonly Error[]): { load: () => string | undefined; tries: () => number } {
  let tries = 0
  const load = loadedOnce(() => {
    const error = errors[tries++]
    if (error !== undefined) throw error
    return 'loaded'
  })
  return { load, tries: () => tries }
}

test('a library that could not be loaded for want of descriptors or memory is loaded when there are some; one that is not there stays so', () => {
  const dlopen = (text: string): Error => Object.assign(new Error(`libzstd.node: ${text}`), { code: 'ERR_DLOPEN_FAILED' })
  const short = [
    systemError('EMFILE', 'open', 'too many open files'),
    dlopen('cannot open shared object file: Too many open files'),
    dlopen('No file descriptors available'),
    dlopen('Out of memory'),
    Object.assign(runInNewContext("new Error('libzstd.node: Out of memory')") as Error, { code: 'ERR_DLOPEN_FAILED' }),
    new Error('none of them', { cause: new Error('no musl', { cause: systemError('ENOMEM', 'read', 'no memory') }) }),
  ]
  const { load, tries } = failing(...short)
  for (const _ of short) assert.throws(load, isShortage)
  assert.deepEqual([load(), load()], ['loaded', 'loaded'])
  assert.equal(tries(), short.length + 1)
  for (const error of [
    Object.assign(new Error('none'), { code: 'MODULE_NOT_FOUND' }),
    Object.assign(new Error("Cannot find module, required by '/srv/allocation/main.js'"), { code: 'MODULE_NOT_FOUND' }),
    dlopen('cannot allocate memory in static TLS block'),
    dlopen('version `GLIBC_2.38` not found'),
  ]) {
    const missing = failing(error)
    assert.deepEqual([missing.load(), missing.load(), missing.tries()], [undefined, undefined, 1])
  }
})

test('a library in whose loading the stack ended, or the memory of the runtime, is loaded by the next call', () => {
  const stack = new RangeError('Maximum call stack size exceeded')
  const memory = new RangeError('Array buffer allocation failed')
  const errors = [stack, memory, new Error('none of them', { cause: new Error('no musl', { cause: stack }) })]
  const { load, tries } = failing(...errors)
  for (const passes of [stack, memory, stack]) assert.throws(load, error => error === passes)
  assert.deepEqual([load(), tries()], ['loaded', 4])
})
