/**
 * What lies behind a bad frame: whole frames are found by their magic, wherever they are, and tell damage from a torn tail.
 *
 * Invariants: memory is one piece of the file; a frame counts only when its header's checksum holds at this very place, so content of a
 * user that looks like a log is none; each piece is looked at once, and of payloads no more than twice as much, and one.
 *
 * No frame that the engine wrote is missed: behind a header the search goes on at the next byte, whatever length it promises. Frames that were
 * written do not overlap, so their payloads together are no longer than what is searched. Where those that were looked at are longer, headers
 * lie in each other's payloads: somebody made them who knows the file, and they would ask for its length once for each of them. Only from then
 * on the search goes on behind what was looked at.
 *
 * Who asks only how far history went has the search go on behind pages that the device does not give back; for any other judgement one of them is
 * an error, since what it holds may be what decides.
 */
import { hasCode } from '../base/errors.ts'
import type { Pauser } from '../base/pauser.ts'
import {
  type Commit,
  decodeCommit,
  decodeFrameHeader,
  decodeSeal,
  FRAME_COMMIT,
  FRAME_ECHO,
  FRAME_HEADER_BYTES,
  FRAME_MAGIC,
  FRAME_SEAL,
  type FrameHeader,
  payloadMatches,
} from '../format/index.ts'
import { isUnreadable, type Window } from './window.ts'

const STEP_BYTES = 256 * 1024
/** What a device fails to give back is a page at least. */
const PAGE_BYTES = 4096
/**
 * So many pages that are not given back are gone past one by one, then ever more at once, but for those at the end, where the newest epochs are; and
 * after so many nothing is asked for any more.
 */
const LOST_SINGLY = 16
const LOST_MOST = 48
const LAST_BYTES = 16 * PAGE_BYTES

export interface FoundCommit {
  readonly kind: typeof FRAME_COMMIT | typeof FRAME_ECHO
  readonly at: number
  readonly end: number
  readonly commit: Commit
  readonly payload: Buffer
}

export interface Evidence {
  /** The first commit or echo behind the very place where the search began. */
  readonly first: FoundCommit | undefined
  /** The highest epoch that a commit, an echo or a seal speaks of. */
  readonly lastSeenEpoch: number
  /** Something was written after a commit was synced that is found, or of which a header is left, or a seal says so. */
  readonly sealed: boolean
}

/**
 * Looks at everything from `from`, where no whole frame is known to stand, to the window's limit that speaks of epochs after `afterEpoch`. `gaps`:
 * goes on behind what the device does not give back; what is found then proves that it is there, and what is not proves nothing.
 */
export async function findEvidence(
  window: Window,
  from: number,
  salt: number,
  afterEpoch: number,
  pause: Pauser,
  gaps = false,
): Promise<Evidence> {
  const views = new Views(window, gaps)
  let first: FoundCommit | undefined
  let lastSeenEpoch = 0
  let sealed = false
  /** Behind the echo of the first commit of which a header holds, and what it says does not. */
  let leftBehind = Number.POSITIVE_INFINITY
  let looked = 0
  const lookedMost = window.limit - from
  for (let at = from; at < window.limit; ) {
    await pause()
    const { piece, end: pieceEnd } = await views.piece(at)
    if (piece === undefined) {
      at = pieceEnd
      continue
    }
    if (piece.length < FRAME_HEADER_BYTES) break
    let next = at + piece.length - FRAME_HEADER_BYTES + 1
    for (let index = piece.indexOf(FRAME_MAGIC), behind = 0; index >= 0; index = piece.indexOf(FRAME_MAGIC, behind)) {
      if (index + FRAME_HEADER_BYTES > piece.length) break
      behind = index + 1
      const offset = at + index
      const header = decodeFrameHeader(piece, index, salt, offset)
      if (header === undefined) continue
      const end = offset + FRAME_HEADER_BYTES + header.storedLength
      const looks = speaksOfEpochs(header) && end <= window.limit
      // A piece may hold hundreds.
      if (looks) await pause()
      const found = looks ? await readFound(views, header, offset, end) : undefined
      if (looks) looked += header.storedLength
      const isLater = found !== undefined && found.epoch > afterEpoch
      if (looks && (looked > lookedMost || (isLater && end > at + piece.length))) behind = end - at
      // Nothing is appended behind a commit and its echo before these were synced.
      if (offset >= leftBehind) sealed = true
      if (found === undefined) {
        if (header.kind === FRAME_COMMIT) leftBehind = Math.min(leftBehind, end + (end - offset))
        // One at the very place is the echo of the epoch before.
        else if (header.kind === FRAME_ECHO && offset > from) leftBehind = Math.min(leftBehind, end)
        // The echo leaves with its commit; whatever else lies behind was written later.
        if (first !== undefined && offset >= first.end && !(header.kind === FRAME_ECHO && offset === first.end)) sealed = true
      } else if (isLater) {
        lastSeenEpoch = Math.max(lastSeenEpoch, found.epoch)
        if (found.commit === undefined) sealed = true
        else if (first === undefined) first = offset > from ? found.commit : undefined
        else if (!(found.commit.kind === FRAME_ECHO && found.commit.payload.equals(first.payload))) sealed = true
      }
      if (behind >= piece.length) {
        next = at + behind
        break
      }
    }
    at = next
  }
  return { first, lastSeenEpoch, sealed }
}

function speaksOfEpochs({ kind }: FrameHeader): boolean {
  return kind === FRAME_COMMIT || kind === FRAME_ECHO || kind === FRAME_SEAL
}

/** One that is whole, by its payload. */
async function readFound(
  views: Views,
  header: FrameHeader,
  offset: number,
  end: number,
): Promise<{ readonly epoch: number; readonly commit: FoundCommit | undefined } | undefined> {
  const { kind } = header
  const payload = await views.view(offset + FRAME_HEADER_BYTES, header.storedLength)
  if (payload === undefined || !payloadMatches(header, payload)) return undefined
  if (kind !== FRAME_COMMIT && kind !== FRAME_ECHO) {
    const seal = decodeSeal(payload)
    return seal === undefined ? undefined : { epoch: seal.epoch, commit: undefined }
  }
  try {
    const commit = decodeCommit(payload)
    return { epoch: commit.epoch, commit: { kind, at: offset, end, commit, payload } }
  } catch (error) {
    if (hasCode(error, 'TIDEMARK_VALUE_DAMAGED')) return undefined
    throw error
  }
}

/** Views of a window; where there may be gaps, undefined for what is not given back. */
class Views {
  readonly #window: Window
  readonly #gaps: boolean
  #lost = 0
  /** Up to here something is not given back. */
  #doubtedTo = 0

  constructor(window: Window, gaps: boolean) {
    this.#window = window
    this.#gaps = gaps
  }

  async view(offset: number, length: number): Promise<Buffer | undefined> {
    return await this.#get(() => this.#window.view(offset, length))
  }

  /** What comes next, and where to go on if it is not given back. */
  async piece(at: number): Promise<{ readonly piece: Buffer | undefined; readonly end: number }> {
    const { file, limit } = this.#window
    if (at >= this.#doubtedTo) {
      const piece = await this.view(at, STEP_BYTES)
      if (piece !== undefined) return { piece, end: at + piece.length }
      this.#doubtedTo = at + STEP_BYTES
    }
    const toPage = PAGE_BYTES - (at % PAGE_BYTES)
    // A header may lie across.
    const length = toPage < FRAME_HEADER_BYTES ? toPage + PAGE_BYTES : toPage
    // Asked for once, and for no more: a device takes its time for what it does not give back.
    const piece = await this.#get(() => file.read(at, Math.min(length, limit - at)))
    const far = this.#lost > LOST_SINGLY ? at + PAGE_BYTES * 2 ** (this.#lost - LOST_SINGLY) : 0
    return { piece, end: this.#lost >= LOST_MOST ? limit : Math.max(at + length, Math.min(far, limit - LAST_BYTES)) }
  }

  async #get(read: () => Promise<Buffer>): Promise<Buffer | undefined> {
    if (this.#lost >= LOST_MOST) return undefined
    try {
      return await read()
    } catch (error) {
      if (!this.#gaps || !isUnreadable(error)) throw error
      this.#lost++
      return undefined
    }
  }
}
