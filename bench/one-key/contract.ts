export interface OneKeyAssignment {
  readonly folder: string
  readonly keys: number
  readonly checkpoints: number
  /** Names of files that do not exist; looking for them marks the trace. */
  readonly begin: string
  readonly end: string
}

export interface OneKeyResult {
  readonly ms: number
}
