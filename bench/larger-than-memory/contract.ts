import type { GcSummary } from '../harness/gc.ts'

export interface LargerAssignment {
  /** 'fill' makes the store, under the bound; the others serve the load. */
  readonly role: 'fill' | 'plain' | 'tidemark'
  readonly folder: string
  readonly keys: number
  readonly memoryBytesMax: number
  /** Zipf reads one after the other before the load, once a walk has filled the heap as far as may be. */
  readonly settleReads: number
  readonly warmSeconds: number
  readonly seconds: number
  readonly perSecond: number
  readonly intervalMs: number
}

export interface LargerResult {
  readonly latencyMs: { readonly p50: number; readonly p99: number; readonly p999: number; readonly max: number }
  /** Operations that no longer got a turn. */
  readonly unserved: number
  /** Resident memory of the whole process: when the load ended, and at its highest meanwhile. */
  readonly rssBytes: number
  readonly rssMaxBytes: number
  readonly heapUsedBytes: number
  readonly gc: GcSummary
  readonly checkpoints: number
  /** Checkpoints left out because the last one was still under way. */
  readonly skipped: number
  readonly checkpointMs: number
  /** Entries that left the heap, and look-ups that went past it; 0 for a plain Map. */
  readonly evictedPerSecond: number
  readonly coldReadsPerSecond: number
  readonly stallMs: { readonly p999: number; readonly max: number }
  readonly stats: unknown
}

export interface LargerFilled {
  readonly rssMaxBytes: number
}
