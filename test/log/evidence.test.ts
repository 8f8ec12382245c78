/** What lies behind a bad frame is found whatever was put there, in work bounded by the length of the file. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  ChainDigest,
  COMPRESSION_NONE,
  encodeCommit,
  encodeFrameHeader,
  FRAME_COMMIT,
  FRAME_HEADER_BYTES,
  GENESIS_DIGEST,
} from '../../src/format/index.ts'
import { findEvidence } from '../../src/log/evidence.ts'
import { Window } from '../../src/log/window.ts'
import { MemoryStorage } from '../../src/storage/index.ts'

const SALT = 77
const KIB = 1024

class CountingWindow extends Window {
  viewed = 0

  override async view(offset: number, length: number): Promise<Buffer> {
    const bytes = await super.view(offset, length)
    this.viewed += bytes.length
    return bytes
  }
}

async function search(bytes: Buffer) {
  const storage = new MemoryStorage()
  await storage.createIfAbsent('file', bytes)
  const window = new CountingWindow(await storage.open('file', 'read'), bytes.length)
  return { evidence: await findEvidence(window, 0, SALT, 0, () => {}), viewed: window.viewed }
}

function putCommit(bytes: Buffer, offset: number, epoch: number): void {
  const facts = { epoch, timeMs: 1, blocks: 0, records: 0, rawBytes: 0, blockBytes: 0, refused: 0, catalogue: [] }
  const { payload } = encodeCommit(facts, new ChainDigest(GENESIS_DIGEST))
  encodeFrameHeader(FRAME_COMMIT, COMPRESSION_NONE, payload.length, payload, SALT, offset).copy(bytes, offset)
  payload.copy(bytes, offset + FRAME_HEADER_BYTES)
}

/** The header of a commit that is not there: its checksum holds, that of the payload does not. */
function putHeader(bytes: Buffer, offset: number, storedLength: number): void {
  encodeFrameHeader(FRAME_COMMIT, COMPRESSION_NONE, storedLength, Buffer.alloc(storedLength, 1), SALT, offset).copy(bytes, offset)
}

test('a header that holds and promises what is not there hides nothing', async () => {
  const bytes = Buffer.alloc(1024 * KIB)
  putHeader(bytes, 100, 900 * KIB)
  putCommit(bytes, 400 * KIB, 5)
  const { evidence } = await search(bytes)
  assert.equal(evidence.lastSeenEpoch, 5)
  assert.equal(evidence.first?.at, 400 * KIB)
})

test('however many headers promise much, no more is read than a few times the file, and what is behind them is found', async () => {
  const bytes = Buffer.alloc(1024 * KIB)
  for (let at = 0; at < 400; at++) putHeader(bytes, at * FRAME_HEADER_BYTES, 600 * KIB)
  putCommit(bytes, 900 * KIB, 5)
  const { evidence, viewed } = await search(bytes)
  assert.equal(evidence.lastSeenEpoch, 5)
  assert.ok(viewed < 4 * bytes.length, `${viewed}`)
})
