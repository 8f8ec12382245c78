import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hasCode, TidemarkError } from '../base/errors.ts'
import { COMPRESSION_NONE, COMPRESSION_ZSTD, FRAME_BLOCK, openCompress } from '../format/index.ts'
import type { StoredBlock } from './epoch.ts'
import { BadBlock, badBlock, unpack } from './unpack.ts'

const BLOCKS = 100
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

test('blocks come in their order, with what they are, and none is read ahead', async () => {
  const blocks = await stored()
  let most = 0
  let taken = 0
  const seen = (at: number): void => {
    most = Math.max(most, at - taken)
  }
  for await (const { offset, compression, bytes } of unpack(given(blocks, seen), () => {})) {
    assert.equal(offset, taken * 1000)
    assert.equal(compression, taken % 3 === 0 ? COMPRESSION_NONE : blocks[taken]?.header.compression)
    assert.ok(bytes.equals(text(taken)))
    taken++
  }
  assert.equal(taken, BLOCKS)
  assert.ok(most <= 1, `${most} blocks ahead`)
  assert.ok(blocks.some(({ header }) => header.compression === COMPRESSION_ZSTD))
})

test('one that cannot be unpacked is told where it comes, what came before it came', async () => {
  let taken = 0
  const all = async (): Promise<void> => {
    for await (const _ of unpack(given(await stored(25)), () => {})) taken++
  }
  await assert.rejects(
    all(),
    error => error instanceof BadBlock && error.offset === 25_000 && hasCode(error.cause, 'TIDEMARK_VALUE_DAMAGED'),
  )
  assert.equal(taken, 25)
})

test('what fails for want of memory says nothing of the bytes', () => {
  const withCode = (code: string): Error => Object.assign(new Error('failed'), { code })
  const because = (cause: Error): TidemarkError => new TidemarkError('TIDEMARK_VALUE_DAMAGED', 'compressed bytes: not decodable', { cause })
  const short = [withCode('Z_MEM_ERROR'), withCode('ZSTD_error_memory_allocation'), new RangeError('Array buffer allocation failed')]
  for (const error of short.map(because)) assert.equal(badBlock(error, 7), error)
  const bad = [withCode('Z_DATA_ERROR'), Object.assign(new RangeError('too large'), { code: 'ERR_BUFFER_TOO_LARGE' })]
  for (const error of bad.map(because)) assert.ok(badBlock(error, 7) instanceof BadBlock)
})
