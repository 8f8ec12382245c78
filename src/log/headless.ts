/**
 * Whether a log file whose header is damaged holds an epoch.
 *
 * Without the header nobody knows the salt, by which a frame is bound to its place: a commit is told by the checksum of what it says alone. That is
 * enough for who refuses the file, and for nothing else. The header is durable before the first frame is appended, so behind one that never was whole there
 * is none.
 * Invariant: memory is one piece of the file, or one commit; what asks for more looks than a file of the engine's does, counts as an epoch.
 */
import { hasCode } from '../base/errors.ts'
import type { Pauser } from '../base/pauser.ts'
import { decodeCommit, FRAME_HEADER_BYTES, FRAME_MAGIC, LOG_HEADER_BYTES, payloadMatches, unplacedCommit } from '../format/index.ts'
import type { Storage } from '../storage/index.ts'
import { Window } from './window.ts'

const STEP_BYTES = 256 * 1024

export async function holdsCommit(storage: Storage, path: string, pause: Pauser): Promise<boolean> {
  const file = await storage.open(path, 'read')
  try {
    const window = new Window(file, await file.size())
    let looked = 0
    for (let at = LOG_HEADER_BYTES; at + FRAME_HEADER_BYTES <= window.limit; ) {
      await pause()
      const piece = await window.view(at, STEP_BYTES)
      if (piece.length < FRAME_HEADER_BYTES) break
      for (let index = piece.indexOf(FRAME_MAGIC); index >= 0; index = piece.indexOf(FRAME_MAGIC, index + 1)) {
        const header = unplacedCommit(piece, index)
        const from = at + index + FRAME_HEADER_BYTES
        if (header === undefined || from + header.storedLength > window.limit) continue
        const payload = await window.view(from, header.storedLength)
        if (payloadMatches(header, payload) && isCommit(payload)) return true
        looked += payload.length
        if (looked > window.limit) return true
      }
      at += piece.length - FRAME_HEADER_BYTES + 1
    }
    return false
  } finally {
    await file.close()
  }
}

function isCommit(payload: Buffer): boolean {
  try {
    decodeCommit(payload)
    return true
  } catch (error) {
    if (hasCode(error, 'TIDEMARK_VALUE_DAMAGED')) return false
    throw error
  }
}
