export const WAYS = ['plain', 'set', 'entries', 'ring', 'slots', 'journal'] as const
export type Way = (typeof WAYS)[number]

export interface TrackingAssignment {
  readonly way: Way
  readonly keys: number
  /** 0: memory only. */
  readonly operations: number
  readonly passes: number
}

/** Million operations per second; MB. */
export interface TrackingResult {
  readonly get: number
  readonly set: number
  /** With the work that removes all duplicates. */
  readonly setAndSettle: number
  /** With every key changed. */
  readonly heapMB: number
}
