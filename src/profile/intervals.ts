/**
 * What the log would take with longer intervals. Pure.
 *
 *     bytes(k) = blocks × left(k) / left(1) × ratio(k) / ratio(1)  +  (what a commit takes) × commits(k)
 *
 * left: bytes of the last records of their keys in spans of k intervals, from followed keys over the whole history. ratio: stored by raw bytes of
 * such spans, from sampled runs really joined and compressed. What folding writes is not in it.
 * Invariants: factor 1 is the log as it was measured, without error; a factor whose error the history does not tell is left out.
 */
import type { Estimate } from './key-sample.ts'
import { FACTORS } from './key-table.ts'
import type { SpanRatio } from './measure.ts'
import type { Spans } from './spans.ts'
import { perSecond } from './timeline.ts'
import type { IntervalEffect, Profile } from './types.ts'

export interface IntervalFacts {
  /** Log and block bytes of what was looked at. */
  readonly history: Pick<Profile['history'], 'epochs' | 'coveredMs' | 'intervalMs' | 'logBytes' | 'blockBytes'>
  /** By factor. */
  readonly left: readonly Estimate[]
  /** By factor; empty where nothing was sampled. */
  readonly ratios: readonly SpanRatio[]
  readonly spans: Pick<Spans, 'numbers' | 'errorShare'>
}

/** Standard errors that an error spans. */
const ERRORS = 2

export function intervalEffects({ history, left, ratios, spans }: IntervalFacts): IntervalEffect[] {
  const { epochs, coveredMs, intervalMs, logBytes, blockBytes } = history
  const one = left[0]
  if (one === undefined || one.value === 0 || coveredMs === 0) return []
  const commitBytes = (logBytes - blockBytes) / epochs
  const effects = FACTORS.map((factor, index) => {
    const commits = spans.numbers[index] as number
    const kept = left[index] as Estimate
    const keptShare = kept.value / one.value
    const ratioShare = ratios.length === 0 ? 1 : (ratios[index]?.ratio as number) / (ratios[0]?.ratio as number)
    const blocks = blockBytes * keptShare * ratioShare
    const bytes = blocks + commitBytes * commits
    // The last span is cut off by the end of the history: it may have been joined with up to all that follows.
    const edge = (1 - keptShare) / commits
    const sampled = [kept.error / kept.value, spans.errorShare(index), ratios[index]?.errorShare ?? 0]
    const errorShare = ERRORS * Math.hypot(...sampled) + edge
    return {
      factor,
      intervalMs: factor * intervalMs,
      bytesPerSecond: perSecond(bytes, coveredMs),
      commitsPerSecond: perSecond(commits, coveredMs),
      errorShare: factor === 1 ? 0 : (errorShare * blocks) / bytes,
    }
  })
  // Of a factor with fewer than two spans nobody can say how wrong it is.
  return effects.filter(({ errorShare }) => Number.isFinite(errorShare))
}
