export interface TransactionsAssignment {
  readonly folder: string
  readonly keys: number
  readonly operations: number
  readonly passes: number
}

/** Nanoseconds per operation, by case. */
export type TransactionsResult = Readonly<Record<string, number>>
