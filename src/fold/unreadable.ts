/**
 * What cannot be merged, for a file that is damaged or that cannot be read: no plan has it any more.
 *
 * Owns: which, how often a file could not be read, until when it is let be, and that somebody hears of the end of that: on a store at rest nothing
 * else begins a merge. Does not own: what a plan does without it (policy.ts). What is damaged stays so until the end of the run, for it may be mended
 * then; what could not be read is tried again some time later.
 */
import { TidemarkError } from '../base/errors.ts'
import { leastOf } from '../base/extremes.ts'
import type { Cancel, Scheduler } from '../base/scheduler.ts'
import type { SegmentEntry } from '../format/index.ts'
import { type ErrnoName, isErrno } from '../storage/index.ts'
import { type MergePlan, type Stuck, stuckBy } from './policy.ts'

/** Merges in a row that failed because a file could not be read, whatever the reason; one that fails for longer is not waited for. */
const UNREAD_MAX = 3
/** What the system is short of says nothing of the file. */
const SHORT_OF: readonly ErrnoName[] = ['EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN', 'EINTR', 'ENOSPC', 'EDQUOT']

/**
 * A mount that is away comes back, and one file that stays unread has every range that needs it wait. So long after the last failure, for one that is
 * lost costs a few tries again each time, of a range each.
 */
export const UNREAD_MS = 600_000

export interface UnreadableParts {
  readonly monotonic: () => number
  readonly scheduler: Scheduler
  /** Something is to be tried again. */
  readonly again: () => void
}

export class Unreadable {
  readonly #parts: UnreadableParts
  readonly #damaged = new Set<string>()
  /** Failures in a row, by file. */
  readonly #failures = new Map<string, number>()
  /** By file: what waits for it, and until when. */
  readonly #waiting = new Map<string, { readonly names: Set<string>; until: number }>()

  #cancel: Cancel | undefined

  constructor(parts: UnreadableParts) {
    this.#parts = parts
  }

  get stuck(): Stuck {
    const now = this.#parts.monotonic()
    const stuck = new Set(this.#damaged)
    for (const [file, { names, until }] of this.#waiting) {
      if (now < until) for (const name of names) stuck.add(name)
      else {
        this.#waiting.delete(file)
        this.#failures.delete(file)
      }
    }
    return stuck
  }

  failed(plan: MergePlan, error: unknown): void {
    if (!(error instanceof TidemarkError) || error.file === undefined) return
    const { file, kind } = error
    if (kind === 'damage') {
      for (const name of stuckBy(plan, file)) this.#damaged.add(name)
      return
    }
    // Not so what the merge itself wrote: the next one writes to another file.
    if (isErrno(error, ...SHORT_OF) || !inputsOf(plan).some(entry => entry.file === file)) return
    const failures = (this.#failures.get(file) ?? 0) + 1
    this.#failures.set(file, failures)
    if (failures < UNREAD_MAX) return
    const names = this.#waiting.get(file)?.names ?? new Set()
    for (const name of stuckBy(plan, file)) names.add(name)
    this.#waiting.set(file, { names, until: this.#parts.monotonic() + UNREAD_MS })
    this.#cancel ??= this.#parts.scheduler.after(UNREAD_MS, () => this.#look())
  }

  merged(plan: MergePlan): void {
    for (const { file } of inputsOf(plan)) this.#failures.delete(file)
  }

  stop(): void {
    this.#cancel?.()
    this.#cancel = undefined
  }

  /** At the time of the earliest as that was when it was set; one that failed again meanwhile waits on. */
  #look(): void {
    const { monotonic, scheduler, again } = this.#parts
    const now = monotonic()
    const later = [...this.#waiting.values()].map(({ until }) => until - now).filter(ms => ms > 0)
    this.#cancel =
      later.length === 0
        ? undefined
        : scheduler.after(
            leastOf(later, ms => ms),
            () => this.#look(),
          )
    if (later.length < this.#waiting.size) again()
  }
}

function inputsOf(plan: MergePlan): readonly SegmentEntry[] {
  if (plan.type === 'young') return plan.run
  return plan.type === 'base' ? [...plan.young, ...plan.ranges.flatMap(range => range.segment ?? [])] : []
}
