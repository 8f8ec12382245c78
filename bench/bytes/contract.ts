export interface BytesAssignment {
  readonly engine: string
  readonly folder: string
  readonly keys: number
  readonly checkpoints: number
  readonly updatesEach: number
  readonly theta: number
}

export interface BytesResult {
  /** Bytes of all files after loading and the first checkpoint. */
  readonly loaded: number
  /** Bytes that the later checkpoints added. */
  readonly added: number
  readonly addedBlocks: number
  /** Keys that changed, summed over the checkpoints. */
  readonly changed: number
}
