/**
 * What cannot be merged, for a file that is damaged or that cannot be read: no plan has it any more.
 *
 * Owns: which, and how often a file could not be read. Does not own: what a plan does without it (policy.ts). Forgotten at the end of the run:
 * it may be mended then.
 */
import { TidemarkError } from '../base/errors.ts'
import type { SegmentEntry } from '../format/index.ts'
import { type ErrnoName, isErrno } from '../storage/index.ts'
import { type MergePlan, type Stuck, stuckBy } from './policy.ts'

/** Merges in a row that failed because a file could not be read, whatever the reason; one that fails for longer is not waited for. */
const UNREAD_MAX = 3
/** What the system is short of says nothing of the file. */
const SHORT_OF: readonly ErrnoName[] = ['EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN', 'EINTR', 'ENOSPC', 'EDQUOT']

export class Unreadable {
  readonly #stuck = new Set<string>()
  readonly #unread = new Map<string, number>()

  get stuck(): Stuck {
    return this.#stuck
  }

  failed(plan: MergePlan, error: unknown): void {
    if (!(error instanceof TidemarkError) || error.file === undefined) return
    const { file, kind } = error
    if (kind !== 'damage') {
      // Not so what the merge itself wrote: the next one writes to another file.
      if (isErrno(error, ...SHORT_OF) || !inputsOf(plan).some(entry => entry.file === file)) return
      const times = (this.#unread.get(file) ?? 0) + 1
      this.#unread.set(file, times)
      if (times < UNREAD_MAX) return
    }
    for (const name of stuckBy(plan, file)) this.#stuck.add(name)
  }

  merged(plan: MergePlan): void {
    for (const { file } of inputsOf(plan)) this.#unread.delete(file)
  }
}

function inputsOf(plan: MergePlan): readonly SegmentEntry[] {
  if (plan.type === 'young') return plan.run
  return plan.type === 'base' ? [...plan.young, ...plan.ranges.flatMap(range => range.segment ?? [])] : []
}
