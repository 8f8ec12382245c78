/** What makes a short life see what a long one sees. */

import { SimulatedClock } from '../../src/testing/index.ts'

/** Time passes whenever it is looked at, so a slice of the capture ends after its first look. */
export class RestlessClock extends SimulatedClock {
  override monotonic(): number {
    this.advance(0.4)
    return super.monotonic()
  }
}

/** Segments of a few records, so that a short life sees merges of every kind, and files that go. */
export const SMALL = {
  fanIn: 2,
  fewTimes: 0.5,
  smallestBytes: 1500,
  youngBytesMax: 4000,
  slackBytes: 2500,
  slackRecords: 20,
  baseBytes: 1500,
  graceMs: 20,
}

export function hydrateOf(seed: number): 'background' | 'on-demand' | 'eager' {
  return (['background', 'on-demand', 'eager'] as const)[(seed >>> 3) % 3] as 'background' | 'on-demand' | 'eager'
}
