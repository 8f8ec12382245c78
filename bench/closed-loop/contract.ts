export interface ClosedLoopAssignment {
  readonly engine: 'plain' | 'tidemark'
  readonly folder: string
  readonly keys: number
  readonly operations: number
  readonly passes: number
}

/** Speeds in million operations per second, memory in MB. */
export interface ClosedLoopResult {
  readonly insert: number
  readonly get: number
  /** Sets of fresh objects on existing keys, the turns between them included. */
  readonly set: number
  /** The same with a journal that was given up, because it grew beyond twice the entries. */
  readonly setSaturated: number
  /** The same up to the moment when all of it is durable. */
  readonly setDurable: number
  /** Heap after inserting every key, none of them on disk. */
  readonly heapNew: number
  /** Heap with every key on disk and changed once since. */
  readonly heapDirty: number
  /** Heap with the longest journal there can be. */
  readonly heapLongest: number
  readonly gcMs: number
}
