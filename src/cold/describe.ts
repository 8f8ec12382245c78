/** What describes a segment, read and checked in turns of its own, each of them counted. Owns nothing. */
import type { Clock } from '../base/clock.ts'
import type { Scheduler } from '../base/scheduler.ts'
import type { ColdSegment } from './cold-state.ts'

export interface TurnParts {
  readonly clock: Clock
  readonly scheduler: Scheduler
  /** Is told how long each slice took. */
  readonly stalled: (ms: number) => void
}

/** @throws TIDEMARK_SEGMENT_DAMAGED, TIDEMARK_STORAGE */
export async function describeInTurns(segment: Pick<ColdSegment, 'describe'>, { clock, scheduler, stalled }: TurnParts): Promise<void> {
  let begin: number | undefined
  const end = (): void => {
    if (begin !== undefined) stalled(clock.monotonic() - begin)
    begin = undefined
  }
  await segment.describe(async () => {
    end()
    await new Promise<void>(resolve => void scheduler.immediate(resolve))
    begin = clock.monotonic()
  })
  end()
}
