export interface RestartAssignment {
  readonly engine: string
  readonly folder: string
  /** 'fill': makes the store and ends without closing it. 'open': opens it and asks. */
  readonly role: 'fill' | 'open'
  /** Entries; 0: an empty store. */
  readonly keys: number
  /** Keys that are written last, behind the fold point. */
  readonly tail: number
}

export interface RestartResult {
  readonly openMs: number
  /** From before `open` to the first right answer. */
  readonly firstGetMs: number
  /** Of single keys that nobody asked for before, in a store that hydrates only on demand. */
  readonly coldGetUs: { readonly p50: number; readonly p99: number }
  /** Of these the first, in code that V8 has not compiled yet. */
  readonly firstColdGetUs: { readonly p50: number; readonly p99: number }
  /** Bytes above the process without a store. */
  readonly rssBytes: number
  /** Records of the tail of the log. */
  readonly tail: number
}
