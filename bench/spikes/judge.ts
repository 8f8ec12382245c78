/**
 * From rows to bounds: pure functions, so that a test can hand them rows that must fail. Every comparison is of figures of the same
 * repetition. Where it is about speed the bound is on the median over the repetitions, and one without a figure breaks it; what each run has
 * to keep is the worst of them.
 */
import { largest, leftOut, medianOfAll } from '../harness/stats.ts'
import type { Bound } from '../harness/suite.ts'
import { turnsSeen } from '../open-loop/index.ts'
import { CONTROL, PLAIN, type Row } from './run.ts'
import { peak } from './sampler.ts'

/** Loose by so much at small scale, where nothing about speed is asserted. */
const QUICK = 20

export interface Judged {
  readonly shape: string
  readonly rows: readonly Row[]
  /** The row that is judged. */
  readonly subject: string
  readonly quick: boolean
  /** p99.9 and longest latency beyond the plain Map's, in ms. */
  readonly latencyMs: { readonly p999: number; readonly max: number }
}

/** Latency beside the plain Map, stalls beside the control, nothing lost. */
export function beyondBounds(judged: Judged): Bound[] {
  const { shape, subject, quick, latencyMs } = judged
  const mine = judged.rows.filter(row => row.name === subject)
  const most = (name: string, measured: number, limit: number): Bound => ({
    name: `${shape}: ${name}`,
    measured,
    sense: 'at most',
    limit: quick ? limit * QUICK : limit,
    unit: 'ms',
    robust: false,
  })
  return [
    most(
      "latency p99.9 beyond the plain Map's",
      beyond(judged, PLAIN, row => row.latencyMs.p999),
      latencyMs.p999,
    ),
    most(
      "longest latency beyond the plain Map's",
      beyond(judged, PLAIN, row => row.latencyMs.max),
      latencyMs.max,
    ),
    most(
      "stalls p99.9 beyond the control loop's",
      beyond(judged, CONTROL, row => row.stallMs.p999),
      0.5,
    ),
    most(
      "longest stall beyond the control loop's",
      beyond(judged, CONTROL, row => row.stallMs.max),
      1,
    ),
    // One that is compared with this one may do all it does in a call.
    ...(subject.startsWith('tidemark') ? [turnsSeen(shape, mine)] : []),
    ...nothingLost(shape, mine),
  ]
}

/** Of checkpoints asked for, how many may be left out because the last one was still under way. */
const LEFT_OUT_MAX = 0.1
/** What may be lost, in intervals: one until the barrier, and as long again until it is durable. */
const RPO_INTERVALS = 2

/** What is compared was made durable meanwhile, at the pace that was asked for. */
export function keptUp(judged: Judged, intervalMs: number): Bound[] {
  const mine = judged.rows.filter(row => row.name === judged.subject)
  const most = (name: string, measured: number, limit: number, unit = ''): Bound => ({
    ...exact(`${judged.shape}: ${name}`, measured, 'at most', limit, unit),
    robust: false,
  })
  const ages = mine.map(row => row.rpoMs ?? Number.NaN)
  return [
    most('checkpoints left out', medianOf(judged, leftOut), judged.quick ? 1 : LEFT_OUT_MAX, 'of those asked for'),
    noneFailed(judged),
    // Only the engine says when its barriers were.
    ...(judged.subject.startsWith('tidemark')
      ? [most('age of what could be lost', largest(ages), RPO_INTERVALS * intervalMs * (judged.quick ? QUICK : 1), 'ms')]
      : []),
  ]
}

/** What is compared was made durable meanwhile, where nothing is said of the pace. */
export function madeDurable(judged: Judged): Bound[] {
  return [least(judged, 'checkpoints', row => row.checkpoints), noneFailed(judged)]
}

function noneFailed({ shape, rows, subject }: Judged): Bound {
  const failed = rows.filter(row => row.name === subject).map(row => row.failedCheckpoints)
  return { ...exact(`${shape}: checkpoints that failed`, largest(failed), 'at most', 0), robust: false }
}

/** There was one in each repetition, or so much. */
export function least({ shape, rows, subject }: Judged, name: string, pick: (row: Row) => number, limit = 1, unit = ''): Bound {
  const mine = rows.filter(row => row.name === subject).map(pick)
  const measured = mine.length === 0 ? Number.NaN : Math.min(...mine)
  return { ...exact(`${shape}: ${name}, least`, measured, 'at least', limit, unit), robust: false }
}

/** Of every run, on any machine: the state afterwards, and that the comparison can fail. */
export function nothingLost(shape: string, rows: readonly Row[]): Bound[] {
  const checked = rows.flatMap(row => row.check ?? [])
  if (checked.length === 0) return []
  return [
    exact(
      `${shape}: entries that differ after reopening`,
      checked.reduce((sum, check) => sum + check.differences, 0),
      'at most',
      0,
    ),
    exact(`${shape}: differences found where one was planted`, Math.min(...checked.map(check => check.planted)), 'at least', 1),
  ]
}

export function exact(name: string, measured: number, sense: Bound['sense'], limit: number, unit = ''): Bound {
  return { name, measured, sense, limit, unit, robust: true }
}

/** Median over the repetitions of the subject's figure less another's of the same repetition. */
export function beyond({ rows, subject }: Pick<Judged, 'rows' | 'subject'>, base: string, pick: (row: Row) => number): number {
  return medianOfAll(
    rows
      .filter(row => row.name === subject)
      .map(row => {
        const other = rows.find(candidate => candidate.name === base && candidate.rep === row.rep)
        return other === undefined ? Number.NaN : pick(row) - pick(other)
      }),
  )
}

export function medianOf({ rows, subject }: Pick<Judged, 'rows' | 'subject'>, pick: (row: Row) => number): number {
  return medianOfAll(rows.filter(row => row.name === subject).map(pick))
}

/** The busiest 100 ms of the mean. */
export function evenness(judged: Judged): Bound {
  return {
    name: `${judged.shape}: busiest 100 ms of writing`,
    measured: medianOf(judged, row => peak(row.windows)),
    sense: 'at most',
    limit: judged.quick ? 2.5 * QUICK : 2.5,
    unit: 'of the mean',
    robust: false,
  }
}

interface Drain {
  readonly bytes: number
  readonly wasteBytes: number
}

/** What the drain captured in vain, of the bytes that were captured; undefined where `stats()` has no drain. */
export function drainWaste({ stats, statsBefore }: Row): number | undefined {
  const of = (value: unknown): Drain | undefined => (value as { drain?: Drain } | undefined)?.drain
  const raw = (value: unknown): number => (value as { bytesRaw: number }).bytesRaw
  const [now, before] = [of(stats), of(statsBefore)]
  if (now === undefined || before === undefined) return undefined
  return (now.wasteBytes - before.wasteBytes) / (raw(stats) - raw(statsBefore))
}

/** Of the machine, used by others, above which figures are of the others too. */
const FOREIGN_MAX = 0.1

/** Said beside the bounds: no bound can know whose fault it is. */
export function disturbed(name: string, rows: readonly Row[]): string[] {
  const most = Math.max(...rows.map(row => row.foreignShare ?? 0))
  return most > FOREIGN_MAX ? [`${name}, undisturbed: others used up to ${(100 * most).toFixed(0)} % of the machine meanwhile`] : []
}
