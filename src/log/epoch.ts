/**
 * One epoch of a log file: walked and verified without decoding a block, then its blocks read again one at a time.
 *
 * Two passes, because nothing of an epoch may be applied before its commit is verified, and an epoch may be larger than memory.
 * Invariants: memory is one piece of the file (first pass) or one block (second pass); the second pass checks each block again, for the
 * bytes may have changed in between.
 */
import { crc32 } from 'node:zlib'
import { hasCode } from '../base/errors.ts'
import { SCAN_READ_BYTES } from '../base/limits.ts'
import type { Pauser } from '../base/pauser.ts'
import {
  ChainDigest,
  type Commit,
  commitBody,
  decodeCommit,
  decodeFrameHeader,
  decodeSeal,
  FRAME_BLOCK,
  FRAME_COMMIT,
  FRAME_ECHO,
  FRAME_HEADER_BYTES,
  FRAME_SEAL,
  type FrameHeader,
  payloadMatches,
} from '../format/index.ts'
import { readsOtherwise } from './reads-otherwise.ts'
import { isUnreadable, type Window } from './window.ts'

export interface Walked {
  readonly chain: ChainDigest
  /** Where the first block of the epoch starts, behind a seal. */
  readonly start: number
  readonly blocks: number
  readonly rawBytes: number
}

export type EpochResult =
  | {
      readonly type: 'epoch'
      readonly commit: Commit
      readonly start: number
      readonly commitAt: number
      readonly commitEnd: number
      readonly payload: Buffer
    }
  /** Nothing is left, or nothing but a seal. */
  | { readonly type: 'end'; readonly start: number }
  /** No whole frame at `at`; `walked` is what came before it. `cut`: the file ends inside it, as where its writer was killed. */
  | { readonly type: 'bad'; readonly at: number; readonly walked: Walked; readonly cut: boolean }
  /** Every frame is whole, yet they do not belong together. */
  | { readonly type: 'broken'; readonly at: number; readonly commit: Commit | undefined; readonly message: string }

export interface Reached {
  readonly commit: Commit
  readonly start: number
  readonly commitAt: number
  readonly end: number
  /** The echo was not whole; whether that is worth a word is known when something follows it. */
  readonly echoMissing: boolean
}

/** Walks from `from`, the end of the commit before, to the end of the next commit. */
export async function walkEpoch(window: Window, from: number, salt: number, previous: string, pause: Pauser): Promise<EpochResult> {
  const chain = new ChainDigest(previous)
  let start = from
  let at = from
  let blocks = 0
  let rawBytes = 0
  for (;;) {
    await pause()
    const walked: Walked = { chain, start, blocks, rawBytes }
    const head = await window.view(at, FRAME_HEADER_BYTES)
    if (head.length === 0 && at === start) return { type: 'end', start }
    const header = decodeFrameHeader(head, 0, salt, at)
    if (header === undefined) return { type: 'bad', at, walked, cut: head.length < FRAME_HEADER_BYTES }
    const payloadAt = at + FRAME_HEADER_BYTES
    const end = payloadAt + header.storedLength
    if (end > window.limit) return { type: 'bad', at, walked, cut: true }
    const bad = { type: 'bad', at, walked, cut: false } as const
    switch (header.kind) {
      case FRAME_BLOCK:
        // A bad block leaves the chain useless, and nobody needs it then: only a bad commit is healed by its echo.
        chain.blockHeader(head)
        if (!(await blockMatches(window, payloadAt, header, chain, pause))) return bad
        blocks++
        rawBytes += header.rawLength
        break
      case FRAME_COMMIT: {
        const payload = await window.view(payloadAt, header.storedLength)
        if (!payloadMatches(header, payload)) return bad
        const checked = checkCommit(payload, walked, at)
        if (typeof checked === 'string') return { type: 'broken', at: start, commit: readCommit(payload), message: checked }
        return { type: 'epoch', commit: checked, start, commitAt: at, commitEnd: end, payload }
      }
      case FRAME_SEAL: {
        const payload = await window.view(payloadAt, header.storedLength)
        if (!payloadMatches(header, payload) || decodeSeal(payload) === undefined) return bad
        if (blocks > 0) return { type: 'broken', at, commit: undefined, message: 'a seal stands inside an epoch' }
        start = end
        break
      }
      default:
        return bad
    }
    at = end
  }
}

/** The commit, when it is the one that ends what was walked; otherwise why not. */
export function checkCommit(payload: Buffer, walked: Walked, commitAt: number): Commit | string {
  const commit = readCommit(payload)
  if (commit === undefined) return 'the commit is not readable'
  if (walked.chain.finish(commitBody(payload)).toString('hex') !== commit.digest) return 'the digest of the epoch does not match'
  if (commit.blocks !== walked.blocks || commit.rawBytes !== walked.rawBytes || commit.blockBytes !== commitAt - walked.start) {
    return 'the commit counts other blocks than there are'
  }
  return commit
}

export function readCommit(payload: Buffer): Commit | undefined {
  try {
    return decodeCommit(payload)
  } catch (error) {
    if (hasCode(error, 'TIDEMARK_VALUE_DAMAGED')) return undefined
    throw error
  }
}

/**
 * The epoch, and its echo looked at. The end of the epoch is behind it even when it is damaged, and before it when the file ends there; but where `limit`,
 * the end of a closed file, is behind it, so is that of the epoch, whatever of the echo is there.
 */
export async function withEcho(
  window: Window,
  epoch: EpochResult & { type: 'epoch' },
  salt: number,
  limit: number | undefined,
): Promise<Reached> {
  const { commit, start, commitAt, commitEnd, payload } = epoch
  if (limit === commitEnd) return { commit, start, commitAt, end: commitEnd, echoMissing: false }
  const length = commitEnd - commitAt
  const end = commitEnd + length
  const bytes = await window.view(commitEnd, length).catch(error => {
    if (!isUnreadable(error)) throw error
  })
  // The commit is whole: the epoch needs no echo.
  if (bytes === undefined ? end <= window.limit || limit === end : bytes.length < length && limit === end)
    return { commit, start, commitAt, end, echoMissing: true }
  if (bytes === undefined || bytes.length < length) return { commit, start, commitAt, end: commitEnd, echoMissing: false }
  const header = decodeFrameHeader(bytes, 0, salt, commitEnd)
  const body = bytes.subarray(FRAME_HEADER_BYTES)
  const whole = header?.kind === FRAME_ECHO && payloadMatches(header, body) && body.equals(payload)
  return { commit, start, commitAt, end, echoMissing: !whole }
}

/** Reads a payload piece by piece, into the digest and for its checksum. */
async function blockMatches(window: Window, from: number, header: FrameHeader, chain: ChainDigest, pause: Pauser): Promise<boolean> {
  let sum = 0
  for (let done = 0; done < header.storedLength; ) {
    const piece = await window.view(from + done, Math.min(header.storedLength - done, SCAN_READ_BYTES))
    if (piece.length === 0) return false
    sum = crc32(piece, sum)
    chain.payload(piece)
    done += piece.length
    if (done < header.storedLength) await pause()
  }
  return sum === header.payloadCrc
}

export interface StoredBlock {
  readonly header: FrameHeader
  readonly offset: number
  readonly payload: Buffer
}

/** The blocks of an epoch that was walked. */
export async function* readBlocks(window: Window, start: number, commitAt: number, salt: number): AsyncGenerator<StoredBlock> {
  for (let at = start; at < commitAt; ) {
    const header = decodeFrameHeader(await window.view(at, FRAME_HEADER_BYTES), 0, salt, at)
    const payload = header === undefined ? undefined : await window.view(at + FRAME_HEADER_BYTES, header.storedLength)
    if (header === undefined || payload === undefined || !payloadMatches(header, payload)) {
      const { path: file } = window.file
      throw readsOtherwise({ file, offset: at }, `a block of ${file} at ${at}`)
    }
    yield { header, offset: at, payload }
    at += FRAME_HEADER_BYTES + header.storedLength
  }
}
