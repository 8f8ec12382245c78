/**
 * What cannot be merged, for a file that is damaged or that cannot be read: no plan has it any more.
 *
 * Owns: which, how often a file could not be read, until when it is let be, and that somebody hears of the end of that: on a store at rest nothing
 * else begins a merge. Does not own: what a plan does without it (policy.ts). What is damaged stays so until the end of the run, for it may be mended
 * then; what could not be read is tried again some time later. A young segment that cannot even be opened or described has every range that needs it
 * wait at once, and so does one whose blocks fail range after range: each would cost a try of its own, and those behind them wait for all of these.
 */
import { TidemarkError } from '../base/errors.ts'
import { leastOf } from '../base/extremes.ts'
import type { Cancel, Scheduler } from '../base/scheduler.ts'
import type { Manifest, SegmentEntry } from '../format/index.ts'
import { wordsOn } from '../manifest/index.ts'
import { type ErrnoName, isErrno } from '../storage/index.ts'
import { type MergePlan, nameOfRange, type Stuck, stuckBy } from './policy.ts'

/** Merges in a row that failed because a file could not be read, whatever the reason; one that fails for longer is not waited for. */
const UNREAD_MAX = 3
/**
 * So many, and a young segment counts as lost, for all ranges that need it. Where it cannot be opened or described that is half a minute after the first,
 * for a mount is away for some seconds more often than a file is lost; where its blocks are not given back it is when the three tries of one range
 * are followed by as many other ranges that fail for it, and none that needs it was merged between.
 */
const LOST_MAX = 6
/** What the system is short of says nothing of the file. */
const SHORT_OF: readonly ErrnoName[] = ['EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN', 'EINTR', 'ENOSPC', 'EDQUOT']

/**
 * A mount that is away comes back, and one file that stays unread has every range that needs it wait. So long after the last failure, for one that is
 * lost costs a few tries again each time.
 */
export const UNREAD_MS = 600_000

export interface Failure {
  /** What was to be merged, and of which manifest. */
  readonly plan: MergePlan
  readonly manifest: Pick<Manifest, 'base'>
  /** All that was to be merged was opened and described: what failed is a block. */
  readonly described: boolean
  readonly error: unknown
}

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

  /** Whether the others are to be merged at once: something is in no plan any more, and so this comes to an end. */
  failed({ plan, manifest, described, error }: Failure): boolean {
    if (!(error instanceof TidemarkError) || error.file === undefined) return false
    const { file, kind } = error
    const names = (whole: boolean): string[] => [...stuckBy(plan, file), ...(whole ? neededBy(plan, file, manifest) : [])]
    const isInput = inputsOf(plan).some(entry => entry.file === file)
    if (kind === 'damage') {
      for (const name of names(!described)) this.#damaged.add(name)
      return isInput
    }
    // Not so what the merge itself wrote: the next one writes to another file.
    if (isErrno(error, ...SHORT_OF) || !isInput) return false
    const failures = (this.#failures.get(file) ?? 0) + 1
    this.#failures.set(file, failures)
    if (failures < UNREAD_MAX) return false
    const isLost = failures >= LOST_MAX
    const waiting = this.#waiting.get(file)?.names ?? new Set()
    for (const name of names(isLost)) waiting.add(name)
    this.#waiting.set(file, { names: waiting, until: this.#parts.monotonic() + UNREAD_MS })
    this.#cancel ??= this.#parts.scheduler.after(UNREAD_MS, () => this.#look())
    return isLost || described
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

/** The ranges that need a young segment of the plan. */
function neededBy(plan: MergePlan, file: string, { base }: Failure['manifest']): string[] {
  const young = plan.type === 'base' ? plan.young.filter(entry => entry.file === file) : []
  return base.filter((range, at) => wordsOn(young, range, base[at + 1]?.start, Number.POSITIVE_INFINITY).length > 0).map(nameOfRange)
}
