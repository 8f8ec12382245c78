export interface StartUpAssignment {
  readonly folder: string
}

export interface StartUpResult {
  readonly importMs: number
  readonly openMs: number
  readonly closeMs: number
}
