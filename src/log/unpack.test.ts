import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hasCode, TidemarkError } from '../base/errors.ts'
import { COMPRESSION_NONE, COMPRESSION_ZSTD, FRAME_BLOCK, openCompress } from '../format/index.ts'
import type { StoredBlock } from './epoch.ts'
import { BadBlock, badBlock, unpack } from './unpack.ts'

const BLOCKS = 100
/** Of which this many raw bytes may be ahead, and one block more, which was read and waits. */
const AHEAD_BYTES = 512 * 1024
const text = (at: number): Buffer => Buffer.from(`block ${at} `.repeat(1000 + at))

/** Each third as it is, the others packed; `damaged` no more unpacks than its checksum, which is not looked at here, would tell. */
async function stored(damaged?: number): Promise<StoredBlock[]> {
  const compress = await openCompress('zstd')
  return Array.from({ length: BLOCKS }, (_, at) => {
    const raw = text(at)
    const { id, payload } = at % 3 === 0 ? { id: COMPRESSION_NONE, payload: raw } : compress(raw)
    if (at === damaged) payload.fill(0xff, 12)
    const header = { kind: FRAME_BLOCK, compression: id, rawLength: raw.length, storedLength: payload.length, payloadCrc: 0 } as const
    return { header, offset: at * 1000, payload: Buffer.from(payload) }
  })
}

async function* given(blocks: readonly StoredBlock[], told: (at: number) => void = () => {}): AsyncGenerator<StoredBlock> {
  for (const [at, block] of blocks.entries()) {
    told(at)
    yield block
  }
}

for (const aside of [false, true]) {
  test(`blocks come in their order, with what they are; ${aside ? 'by other threads' : 'in turn'}`, async () => {
    const blocks = await stored()
    let most = 0
    let mostBytes = 0
    let taken = 0
    const seen = (at: number): void => {
      most = Math.max(most, at - taken)
      mostBytes = Math.max(
        mostBytes,
        blocks.slice(taken + 1, at).reduce((sum, { header }) => sum + header.rawLength, 0),
      )
    }
    for await (const { offset, compression, bytes } of unpack(given(blocks, seen), aside, () => {})) {
      assert.equal(offset, taken * 1000)
      assert.equal(compression, taken % 3 === 0 ? COMPRESSION_NONE : blocks[taken]?.header.compression)
      assert.ok(bytes.equals(text(taken)))
      taken++
    }
    assert.equal(taken, BLOCKS)
    assert.ok(aside ? most > 10 && mostBytes <= AHEAD_BYTES : most <= 1, `${most} blocks, ${mostBytes} bytes ahead`)
    assert.ok(blocks.reduce((sum, { header }) => sum + header.rawLength, 0) > 1.5 * AHEAD_BYTES)
    assert.ok(blocks.some(({ header }) => header.compression === COMPRESSION_ZSTD))
  })

  test(`one that cannot be unpacked is told where it comes, what came before it came; ${aside ? 'by other threads' : 'in turn'}`, async () => {
    let taken = 0
    const all = async (): Promise<void> => {
      for await (const _ of unpack(given(await stored(25)), aside, () => {})) taken++
    }
    await assert.rejects(
      all(),
      error => error instanceof BadBlock && error.offset === 25_000 && hasCode(error.cause, 'TIDEMARK_VALUE_DAMAGED'),
    )
    assert.equal(taken, 25)
  })

  test(`who stops before hears nothing of it; ${aside ? 'by other threads' : 'in turn'}`, async () => {
    // A rejection that nobody took would end the test.
    for await (const { offset } of unpack(given(await stored(1)), aside, () => {})) if (offset === 0) break
    await new Promise(resolve => setTimeout(resolve, 50))
  })
}

test('what fails for want of memory says nothing of the bytes', () => {
  const withCode = (code: string): Error => Object.assign(new Error('failed'), { code })
  const because = (cause: Error): TidemarkError => new TidemarkError('TIDEMARK_VALUE_DAMAGED', 'compressed bytes: not decodable', { cause })
  const short = [withCode('Z_MEM_ERROR'), withCode('ZSTD_error_memory_allocation'), new RangeError('Array buffer allocation failed')]
  for (const error of short.map(because)) assert.equal(badBlock(error, 7), error)
  const bad = [withCode('Z_DATA_ERROR'), Object.assign(new RangeError('too large'), { code: 'ERR_BUFFER_TOO_LARGE' })]
  for (const error of bad.map(because)) assert.ok(badBlock(error, 7) instanceof BadBlock)
})
