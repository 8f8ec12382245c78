/**
 * Reading the log: the committed epochs of the files a manifest names, in order.
 *
 * Does: verifies every checksum, every link of the chain, every file's base; stops at the accepted end; tells a torn tail (normal, silent)
 * from damage (refused, or fallen back from, and reported exactly). Bytes that the device does not give back are damage for who falls back, since he
 * asked for what lies before them; for who refuses damage, and where a call fails that reads none, it is an error of the storage.
 * Owns: the judgement. Does not own: which manifest counts, what records mean, closing the files it did not open. Writes nothing.
 * Invariants: what is yielded is a prefix of the committed history, whole epochs only, each verified before its first block is yielded; but where a
 * block whose checksums hold cannot be read, those before it have come, and the commit does not come; a closed file that the manifest says holds no epoch
 * behind the one before is not looked at; memory is a few pieces of a file and one block.
 */
import { TidemarkError } from '../base/errors.ts'
import type { Pauser } from '../base/pauser.ts'
import {
  type Commit,
  decodeFrameHeader,
  FRAME_ECHO,
  FRAME_HEADER_BYTES,
  GENESIS,
  type LogEntry,
  type LogPosition,
  payloadMatches,
  SEAL_BYTES,
} from '../format/index.ts'
import { type Storage, unpackError } from '../storage/index.ts'
import { checkCommit, type EpochResult, type Reached, readBlocks, readCommit, walkEpoch, withEcho } from './epoch.ts'
import { type Evidence, findEvidence } from './evidence.ts'
import { cureOf, lastSeenIn, type NotALog, type OpenLog, openLog } from './open-log.ts'
import { readsOtherwise } from './reads-otherwise.ts'
import type { BlockItem, LogDamage, LogItem, ScanReport } from './scan-items.ts'
import { BadBlock, badBlock, unpack } from './unpack.ts'
import { isGivenUp, isUnreadable } from './window.ts'

export interface ScanOptions {
  readonly storage: Storage
  readonly storeId: string
  /** As the manifest names them. */
  readonly log: readonly LogEntry[]
  /**
   * Where to begin: inside a file of the log, behind a commit that is known to count (a fold point; files before it are not looked at), or the end that the first file goes on from. Default: the beginning of the store.
   */
  readonly from?: LogPosition | undefined
  /** Stop behind the newest commit not beyond this. Not a time: those of commits need not rise. */
  readonly until?: { readonly epoch: number } | undefined
  /** The newest fold point: a manifest that names a place says that all before it was synced, so an open file that does not lead to it is damaged. */
  readonly known?: Pick<LogPosition, 'file' | 'bytes' | 'epoch'> | null | undefined
  /** The newest epoch of files behind `log` that nothing leads to, for damage: it is lost, too, or, where the log is read to its end, TIDEMARK_STORAGE. */
  readonly leftOverEpoch?: number | undefined
  /** Default 'refuse': damage throws TIDEMARK_LOG_DAMAGED, what cannot be read TIDEMARK_STORAGE. 'fall-back': the scan ends before it and the report says what is lost. */
  readonly onDamage?: 'refuse' | 'fall-back' | undefined
  /** Default true. False: only commits are yielded; checksums and chain are verified all the same. */
  readonly payloads?: boolean | undefined
  /** Called with each block before it comes. Where it throws TIDEMARK_VALUE_DAMAGED that is damage there, as where a block does not unpack. */
  readonly take?: ((block: BlockItem) => void) | undefined
  /** Called about every block; await something in it to give way. */
  readonly pause?: Pauser | undefined
}

type Verdict =
  | { readonly type: 'epoch'; readonly reached: Reached }
  /** `sealed`: the seal of the last commit is there. */
  | { readonly type: 'end'; readonly sealed: boolean }
  | { readonly type: 'damage'; readonly damage: LogDamage }

const ENDS_EARLY = 'the file ends before its known epochs do'

export class LogScan implements AsyncIterable<LogItem> {
  readonly report: ScanReport
  readonly #options: ScanOptions
  readonly #pause: Pauser

  constructor(options: ScanOptions) {
    this.#options = options
    const end = options.from ?? GENESIS
    this.report = { end, unproven: null, lastCommit: null, commits: 0, stopped: false, healed: [], torn: null, damage: null }
    this.#pause = options.pause ?? (() => undefined)
  }

  /** Runs to the end without looking at payloads. */
  async run(): Promise<ScanReport> {
    for await (const _ of this);
    return this.report
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<LogItem> {
    const { log, storage, storeId, from } = this.#options
    const inside = from === undefined ? -1 : log.findIndex(entry => entry.file === from.file)
    for (const [index, entry] of log.entries()) {
      if (index < inside) continue
      if (this.#reached()) break
      // Nothing of a file that ends where the scan stands is needed: it may be the damaged one, that somebody fell back from, or lost since.
      if (holdsNothing(entry, this.report.end)) {
        this.report.end = { ...this.report.end, file: entry.file, bytes: entry.end.bytes }
        continue
      }
      const opened = await openLog(storage, entry, storeId, index === inside ? undefined : this.report.end).catch(error =>
        this.#unreadable(error, 0),
      )
      if (!('window' in opened)) {
        await this.#damaged(index, opened.offset, opened.message, 0, undefined, opened.kind)
        return
      }
      try {
        if (opened.healed) this.report.healed.push({ file: entry.file, offset: 0, what: 'a copy of the header' })
        const at = index === inside ? this.report.end.bytes : opened.start
        if (at > opened.window.limit) await this.#damaged(index, opened.window.limit, ENDS_EARLY, 0)
        else yield* this.#file(index, opened, at)
      } finally {
        await opened.window.file.close()
      }
      if (this.report.damage !== null || this.report.stopped) return
    }
    const { leftOverEpoch = 0 } = this.#options
    if (!this.#reached() && leftOverEpoch > this.report.end.epoch) throw readsOtherwise(log.at(-1) as LogEntry)
  }

  async *#file(index: number, log: OpenLog, start: number): AsyncGenerator<LogItem> {
    const { entry, window } = log
    const file = entry.file
    let at = start
    // One that is closed counts as it is. Of an open one nothing counts before its first epoch: whoever goes on drops it without.
    if (entry.end !== null) this.report.end = { ...this.report.end, file, bytes: at }
    let missing: number | undefined
    while (!(entry.end !== null && at >= entry.end.bytes)) {
      const verdict = await this.#next(log, at).catch(error => this.#behindUnreadable(log, error, at))
      if (verdict.type === 'end') {
        if (verdict.sealed) this.report.unproven = null
        if (verdict.sealed && missing !== undefined) this.report.healed.push({ file, offset: missing, what: 'the echo of a commit' })
        break
      }
      if (verdict.type === 'damage') {
        await this.#damaged(index, verdict.damage.offset, verdict.damage.message, verdict.damage.lastSeenEpoch)
        return
      }
      const { reached } = verdict
      if (missing !== undefined) this.report.healed.push({ file, offset: missing, what: 'the echo of a commit' })
      missing = reached.echoMissing ? reached.end : undefined
      if (this.#beyond(reached.commit)) {
        this.report.unproven = null
        this.report.stopped = true
        return
      }
      if (this.#options.payloads !== false) yield* this.#blocks(index, log, reached)
      if (this.report.damage !== null) return
      const before = { ...this.report.end, file, bytes: at }
      this.report.unproven = entry.end === null ? { before, start: reached.start, commitAt: reached.commitAt } : null
      at = reached.end
      const { epoch, digest } = reached.commit
      this.report.end = { file, bytes: at, epoch, digest }
      this.report.lastCommit = reached.commit
      this.report.commits++
      yield { type: 'commit', commit: reached.commit, position: this.report.end }
      if (this.#reached()) {
        this.report.stopped = true
        return
      }
    }
    const { end } = entry
    if (end === null) return
    if (missing !== undefined) this.report.healed.push({ file, offset: missing, what: 'the echo of a commit' })
    if (at !== end.bytes || this.report.end.epoch !== end.epoch || this.report.end.digest !== end.digest) {
      await this.#damaged(index, at, 'the file does not end as the manifest says', end.epoch)
      return
    }
    window.drop()
  }

  async *#blocks(index: number, log: OpenLog, { commit, start, commitAt }: Reached): AsyncGenerator<LogItem> {
    const { take = () => {} } = this.#options
    const file = log.entry.file
    try {
      for await (const unpacked of unpack(readBlocks(log.window, start, commitAt, log.header.salt), this.#pause)) {
        const block: BlockItem = { type: 'block', file, commit, ...unpacked }
        try {
          take(block)
        } catch (error) {
          throw badBlock(error, block.offset)
        }
        yield block
      }
    } catch (error) {
      if (!(error instanceof BadBlock)) throw unpackError(file, error)
      // By its checksums it is whole: what was appended before it was synced.
      this.report.unproven = null
      await this.#damaged(index, error.offset, `a block whose checksums hold cannot be read: ${error.message}`, commit.epoch, error.cause)
    }
  }

  /** The next epoch, judged. */
  async #next(log: OpenLog, from: number): Promise<Verdict> {
    const { window, header, entry } = log
    for (let attempt = 0; ; attempt++) {
      if (entry.end === null || attempt > 0) window.limit = Math.min(await window.file.size(), entry.end?.bytes ?? Number.POSITIVE_INFINITY)
      let at = from
      let result = await this.#walk(log, at)
      if (result.type === 'bad' && result.at === at) {
        const behind = await this.#behindEcho(log, at)
        if (behind !== undefined) {
          at = behind
          result = await this.#walk(log, at)
        }
      }
      if (result.type === 'epoch') {
        if (result.commit.epoch <= this.report.end.epoch) {
          return damage(
            entry.file,
            result.start,
            `epoch ${result.commit.epoch} comes after epoch ${this.report.end.epoch}`,
            result.commit.epoch,
          )
        }
        return { type: 'epoch', reached: await withEcho(window, result, header.salt, entry.end?.bytes) }
      }
      const verdict = await this.#judge(log, at, result)
      // The file of a living writer may have grown, and what was read may have been wrong: what counts is what still is so at a second look. What
      // ends with the file, as a kill leaves it, needs none.
      const isSure = verdict.type === 'epoch' || (verdict.type === 'end' && (result.type !== 'bad' || result.cut))
      if (isSure || attempt > 0) return verdict
      this.report.torn = null
      window.drop()
    }
  }

  async #walk(log: OpenLog, from: number): Promise<EpochResult> {
    const { window, header, entry } = log
    const previous = this.report.end.digest
    const result = await walkEpoch(window, from, header.salt, previous, this.#pause)
    if (result.type !== 'bad' || result.at !== from) return result
    // A damaged seal is not missed when the epoch behind it proves itself.
    const behind = from + FRAME_HEADER_BYTES + SEAL_BYTES
    const again = await walkEpoch(window, behind, header.salt, previous, this.#pause)
    if (again.type !== 'epoch') return result
    this.report.healed.push({ file: entry.file, offset: from, what: 'a seal' })
    return again
  }

  /** A living writer's echo may not have been whole when its commit was read: where the next epoch begins then, if it is by now. */
  async #behindEcho({ window, header }: OpenLog, at: number): Promise<number | undefined> {
    const frame = decodeFrameHeader(await window.view(at, FRAME_HEADER_BYTES), 0, header.salt, at)
    if (frame?.kind !== FRAME_ECHO) return undefined
    const payload = await window.view(at + FRAME_HEADER_BYTES, frame.storedLength)
    if (!payloadMatches(frame, payload) || readCommit(payload)?.digest !== this.report.end.digest) return undefined
    return at + FRAME_HEADER_BYTES + frame.storedLength
  }

  async #judge(log: OpenLog, from: number, result: Exclude<EpochResult, { type: 'epoch' }>): Promise<Verdict> {
    const { window, header, entry } = log
    const file = entry.file
    const { known } = this.#options
    const isKnown = entry.end === null && known?.file === file && from < known.bytes
    if (result.type === 'end') return isKnown ? damage(file, result.start, ENDS_EARLY, 0) : { type: 'end', sealed: result.start > from }
    if (result.type === 'broken') return damage(file, result.at, result.message, result.commit?.epoch ?? 0)
    const { at, walked, cut } = result
    const evidence = await findEvidence(window, at, header.salt, this.report.end.epoch, this.#pause)
    const { first } = evidence
    if (first?.kind === FRAME_ECHO && first.at - (first.end - first.at) === at) {
      const commit = checkCommit(first.payload, walked, at)
      if (typeof commit !== 'string' && commit.epoch > this.report.end.epoch) {
        this.report.healed.push({ file, offset: at, what: 'a commit, by its echo' })
        return { type: 'epoch', reached: { commit, start: walked.start, commitAt: at, end: first.end, echoMissing: false } }
      }
    }
    // A writer leaves no number out, and appends nothing behind an epoch before that was synced.
    const skipped = first !== undefined && first.commit.epoch > this.report.end.epoch + 1
    if (entry.end !== null || evidence.sealed || skipped || isKnown)
      return damage(file, at, isKnown && cut ? ENDS_EARLY : 'a frame is damaged', evidence.lastSeenEpoch)
    this.report.torn = { file, offset: at, bytes: window.limit - walked.start, unsealedEpoch: first?.commit.epoch ?? null }
    return { type: 'end', sealed: walked.start > from }
  }

  #beyond(commit: Commit): boolean {
    const { until } = this.#options
    return until !== undefined && commit.epoch > until.epoch
  }

  #reached(): boolean {
    const { until } = this.#options
    return until !== undefined && this.report.end.epoch >= until.epoch
  }

  /** Damage, where that is what is fallen back from. Otherwise the error stays: the device may give it back another time. */
  #unreadable(error: unknown, at: number): NotALog {
    if (this.#options.onDamage !== 'fall-back' || !isGivenUp(error)) throw error
    return { offset: Number(error.info?.offset ?? at), message: 'the device does not give it back', kind: 'damaged' }
  }

  async #behindUnreadable({ window, header, entry }: OpenLog, error: unknown, at: number): Promise<Verdict> {
    const { offset, message } = this.#unreadable(error, at)
    const behind = offset + Number((error as TidemarkError).info?.length)
    const seen = await findEvidence(window, behind, header.salt, this.report.end.epoch, this.#pause, true)
    return damage(entry.file, offset, message, seen.lastSeenEpoch)
  }

  async #damaged(
    index: number,
    offset: number,
    message: string,
    seen: number,
    cause?: unknown,
    kind: NotALog['kind'] = 'damaged',
  ): Promise<void> {
    const { log, storage, storeId, until, onDamage, known, leftOverEpoch = 0 } = this.#options
    const file = (log[index] as LogEntry).file
    const firstLostEpoch = this.report.end.epoch + 1
    let lastSeenEpoch = Math.max(seen, firstLostEpoch, known?.epoch ?? 0, leftOverEpoch)
    for (const entry of log.slice(index)) {
      const inFile = await lastSeenIn(storage, entry, storeId, this.#pause, true).catch(error => noTrace(error).lastSeenEpoch)
      lastSeenEpoch = Math.max(lastSeenEpoch, inFile)
    }
    // Who asks for an epoch, and falls back from none, gives up nothing behind it: a fold point may make that whole.
    if (until !== undefined && onDamage !== 'fall-back') lastSeenEpoch = Math.min(lastSeenEpoch, until.epoch)
    const found: LogDamage = { file, offset, message, firstLostEpoch, lastSeenEpoch }
    this.report.damage = found
    if (onDamage === 'fall-back') return
    throw new TidemarkError('TIDEMARK_LOG_DAMAGED', `${file} is damaged at ${offset}: ${message}`, {
      file,
      cause,
      info: { ...found },
      hint: cureOf(kind, firstLostEpoch, lastSeenEpoch, until?.epoch),
    })
  }
}

/** What is not given back tells of no epoch. */
function noTrace(error: unknown): Pick<Evidence, 'lastSeenEpoch'> {
  if (!isUnreadable(error)) throw error
  return { lastSeenEpoch: 0 }
}

/** Whether a closed file has no epoch after this one, which the log before it ends with. */
export function holdsNothing(entry: LogEntry, before: Pick<LogPosition, 'epoch' | 'digest'>): entry is LogEntry & { end: object } {
  return entry.end?.epoch === before.epoch && entry.end.digest === before.digest
}

function damage(file: string, offset: number, message: string, lastSeenEpoch: number): Verdict {
  return { type: 'damage', damage: { file, offset, message, firstLostEpoch: 0, lastSeenEpoch } }
}
