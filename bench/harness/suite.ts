/** What a benchmark is: a name, a run, and the bounds it measured. */
import { inspect } from 'node:util'

/** A number to reach, and what was measured. */
export interface Bound {
  readonly name: string
  readonly measured: number
  readonly sense: 'at most' | 'at least'
  readonly limit: number
  readonly unit: string
  /** Holds on any machine at any load, so that `--quick` asserts it too. */
  readonly robust: boolean
}

export interface Context {
  /** Small scale and loose bounds, for continuous integration. */
  readonly quick: boolean
  /** Alternating runs of each measurement. */
  readonly reps: number
  /** Runs only these engines or ways, where a benchmark has a choice, beside those that are always there. */
  readonly engines: readonly string[] | undefined
  /** Seconds that are measured in each run, where a benchmark has a choice. */
  readonly seconds?: number | undefined
  /** Judged in place of the engine, where a benchmark takes one: what is naive has to fail. */
  readonly subject?: string | undefined
  /** An empty folder for whatever the benchmark writes; removed afterwards. */
  readonly folder: string
  /** One line of progress. */
  progress(line: string): void
}

export interface Outcome {
  /** Text to print, a table or a sentence each. */
  readonly text: readonly string[]
  readonly bounds: readonly Bound[]
  /** Everything measured, for the JSON file. */
  readonly data: unknown
  /** Why something was not measured. */
  readonly missing?: readonly string[]
}

export interface Suite {
  readonly name: string
  /** One line for `--help` and for the heading. */
  readonly about: string
  /** Runs only when it is asked for by name. */
  readonly onRequest?: boolean
  /** Can judge another engine, `Context.subject`, in place of this one. */
  readonly takesSubject?: boolean
  /** `Context.seconds` below which it would measure something else. */
  secondsLeast?(asked: Pick<Context, 'quick' | 'engines'>): number
  run(context: Context): Promise<Outcome>
}

export function holds(bound: Bound): boolean {
  return bound.sense === 'at most' ? bound.measured <= bound.limit : bound.measured >= bound.limit
}

/** What a run found, or that it threw: whatever the others find is not lost by it. */
export async function outcomeOf(suite: Suite, context: Context): Promise<Outcome> {
  try {
    return await suite.run(context)
  } catch (error) {
    const threw = inspect(error)
    return { text: [`${suite.name} threw: ${threw}`], bounds: [ranToItsEnd(suite)], data: { threw } }
  }
}

/** Not met. */
function ranToItsEnd({ name }: Suite): Bound {
  return { name: `${name}: ran to its end`, measured: Number.NaN, sense: 'at least', limit: 1, unit: '', robust: true }
}
