/**
 * What upkeep has done since `open`, for `stats()`, and what is told of it.
 *
 * Owns: the sums; whether folding cannot read the log back, so that no restart would come to what is committed, however well commits go. Does not
 * own: the work, which is the writer's (fold/), commits that fail (checkpoint/).
 * Invariants: a log that cannot be read is told once for each cause; `recovered` is told when neither that nor commits that fail are left;
 * behind `error` nothing of that is told.
 */
import { TidemarkError } from '../base/errors.ts'
import type { EngineStatus } from '../checkpoint/index.ts'
import type { UpkeepMessage } from '../writer/index.ts'
import type { Events } from './events.ts'

export interface UpkeepStats {
  /** The epoch up to which segments cover the state; 0: nothing is folded. */
  readonly foldedEpoch: number
  readonly segments: number
  readonly segmentBytes: number
  readonly folds: number
  readonly merges: number
  /** Bytes of segments written, by folds and by merges. */
  readonly foldBytes: number
  readonly mergeBytes: number
  /** All that upkeep wrote: these segments, those of jobs that failed, and manifests, which name every segment and grow with the store. */
  readonly bytesWritten: number
  readonly filesRemoved: number
  /** Jobs that failed; each is begun again after a pause. */
  readonly failures: number
  /** The message of the last one; of a TIDEMARK_BUG the stack in the lines behind that. */
  readonly lastError: string | undefined
  /**
   * While folding does not keep up with the log: for how long it had not when that was found, ms, and the record bytes and records that were
   * then behind `foldedEpoch`. A restart reads all of them.
   */
  readonly behind: { readonly ms: number; readonly rawBytes: number; readonly records: number } | undefined
}

export class Upkeep {
  readonly #events: Events
  #stats: UpkeepStats
  #commitsFail = false
  #ended = false
  /** Why folding cannot read the log back. */
  unread: TidemarkError | undefined

  constructor(start: Pick<UpkeepStats, 'foldedEpoch' | 'segments' | 'segmentBytes'>, events: Events) {
    this.#events = events
    const none = {
      folds: 0,
      merges: 0,
      foldBytes: 0,
      mergeBytes: 0,
      bytesWritten: 0,
      filesRemoved: 0,
      failures: 0,
      lastError: undefined,
      behind: undefined,
    }
    this.#stats = { ...start, ...none }
  }

  get stats(): UpkeepStats {
    return this.#stats
  }

  /** What the store's status is where that of commits is `of`. */
  status(of: EngineStatus): EngineStatus {
    return of === 'ok' && this.unread !== undefined ? 'degraded' : of
  }

  /** Of so many bytes of the log. */
  amplification(logBytes: number): number | undefined {
    return logBytes === 0 ? undefined : (logBytes + this.#stats.bytesWritten) / logBytes
  }

  commitFailed(error: TidemarkError): void {
    this.#commitsFail = true
    this.#events.emit('degraded', error)
  }

  committedAgain(): void {
    this.#commitsFail = false
    if (this.unread === undefined) this.#events.emit('recovered')
  }

  /** The engine stopped for good, and nothing is durable any more: what folding does from now on changes none of that, and only adds to the figures. */
  ended(): void {
    this.#ended = true
  }

  take(message: UpkeepMessage): void {
    this.#add(message)
    const { did, behind, error, unread } = message
    if (behind !== undefined) this.#events.emit('behind', behind)
    if (did === 'caughtUp') this.#events.emit('caughtUp')
    if (this.#ended) return
    if (unread && error !== undefined) this.#cannotRead(error)
    if (did === 'folded' && this.unread !== undefined) {
      this.unread = undefined
      if (!this.#commitsFail) this.#events.emit('recovered')
    }
  }

  #cannotRead(cause: NonNullable<UpkeepMessage['error']>): void {
    const message = `folding cannot read the log: ${cause.message}`
    if (this.unread?.message === message) return
    const hint = 'a restart would not come to what was committed since: do not restart the service before its state is copied out of it'
    this.unread = new TidemarkError(cause.code, message, { ...cause, hint })
    this.#events.emit('degraded', this.unread)
  }

  #add({ did, foldedEpoch, segments, segmentBytes, bytesWritten, allBytes, files, error, behind }: UpkeepMessage): void {
    const old = this.#stats
    this.#stats = {
      foldedEpoch,
      segments,
      segmentBytes,
      folds: old.folds + (did === 'folded' ? 1 : 0),
      merges: old.merges + (did === 'merged' ? 1 : 0),
      foldBytes: old.foldBytes + (did === 'folded' ? bytesWritten : 0),
      mergeBytes: old.mergeBytes + (did === 'merged' ? bytesWritten : 0),
      bytesWritten: old.bytesWritten + allBytes,
      filesRemoved: old.filesRemoved + files,
      failures: old.failures + (did === 'failed' ? 1 : 0),
      lastError: error === undefined ? old.lastError : textOf(error),
      behind: did === 'caughtUp' ? undefined : (behind ?? old.behind),
    }
  }
}

function textOf({ code, message, info }: NonNullable<UpkeepMessage['error']>): string {
  return code === 'TIDEMARK_BUG' && typeof info?.['stack'] === 'string' ? `${message}\n${info['stack']}` : message
}
