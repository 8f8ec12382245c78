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
  /** Bytes that the later checkpoints wrote: what their files grew by. */
  readonly added: number
  /** With what was made of it in the background meanwhile, segments and manifests: all files. */
  readonly addedAll: number
  /** Keys that changed, summed over the checkpoints. */
  readonly changed: number
  /** What it left behind, opened again: entries that are not as they were set, and those found where one was expected to be different. */
  readonly check: { readonly differences: number; readonly planted: number } | undefined
}
