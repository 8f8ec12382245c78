import type { GcSummary } from '../harness/gc.ts'

export interface HydrationAssignment {
  /** Where the state is, or is to be. */
  readonly folder: string
  readonly keys: number
  /** 'fill-…' makes the state and ends; the others bring all of it home, in an idle process. */
  readonly role: 'fill-tidemark' | 'fill-json' | 'fill-jsonl' | 'background' | 'eager' | 'json' | 'jsonl'
}

export interface HydrationResult {
  /** From before `open` until everything is in memory. */
  readonly ms: number
  readonly gc: GcSummary
  /** Above the process without the state: the heap, and all of its memory. */
  readonly heapBytes: number
  readonly rssBytes: number
}
