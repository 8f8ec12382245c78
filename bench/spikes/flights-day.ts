/**
 * A day of flights in two minutes, from noon to noon: the nights are real lulls. With slack in the RPO most of the bytes of folding belong into
 * the quieter half of the day.
 */
import { join } from 'node:path'
import { median, medianOfAll } from '../harness/stats.ts'
import type { Bound, Context, Suite } from '../harness/suite.ts'
import { table } from '../harness/table.ts'
import { prepareDay, quietHours, readDay } from './flights-input.ts'
import { beyondBounds, disturbed, type Judged, least, madeDurable } from './judge.ts'
import { CONTROL, type Job, PLAIN, type Row, runTurn, WINDOW_MS } from './run.ts'
import { show } from './show.ts'

/**
 * Days laid over one another, so that there are some folds to look at. With more the busy half writes more than may lie behind the fold point in all:
 * a bounded tail leaves less and less that could wait for the night.
 */
const DAYS = 2

const HOURS = 24
/** One alone is in the quieter half by luck, or not. */
const FOLDS_MIN = 2
/** A shorter cycle cannot be set. */
const CYCLE_MS_MIN = 60_000

export const flightsDay: Suite = {
  name: 'flights-day',
  about: 'a day of real flights compressed to two minutes: when folding writes, and what the service feels',
  async run(context) {
    const { quick } = context
    const seconds = context.seconds ?? (quick ? 8 : 120)
    const file = join(context.folder, 'day.json')
    const flights = await prepareDay(file, DAYS)
    const quiet = quietHours(readDay(file))
    context.progress(
      `${flights} flights in ${seconds} s; quiet hours: ${quiet.flatMap((is, hour) => (is ? [(hour + 12) % 24] : [])).join(' ')}`,
    )
    const job: Job = {
      load: { kind: 'flights', file, seconds, days: 1 },
      arrivals: { kind: 'timetable', idle: 'timer' },
      intervalMs: quick ? 500 : 2000,
      warmSeconds: 0,
      settleSeconds: quick ? 0.5 : 5,
      seconds,
    }
    // What is usual at which time of day has to be seen once.
    const twice: Job = {
      ...job,
      load: { kind: 'flights', file, seconds, days: 2 },
      settleSeconds: job.settleSeconds + seconds,
      seconds: 2 * seconds,
    }
    const rows: Row[] = []
    const missing: string[] = []
    for (let rep = 0; rep < context.reps; rep++) {
      rows.push(await runTurn(context, { name: PLAIN, engine: PLAIN, rep, job }))
      rows.push(await withSlack(context, twice, seconds, rep, missing))
      const like = rows.filter(row => row.engine === 'tidemark')
      rows.push(await runTurn(context, { name: CONTROL, engine: CONTROL, rep, job, like }))
    }
    const mine = rows.filter(row => row.engine === 'tidemark')
    return {
      text: [show(rows), showHours(mine, seconds, quiet)],
      bounds: boundsOf(context, rows, seconds, quiet),
      data: rows,
      missing: [...new Set(missing), ...disturbed('flights-day', rows)],
    }
  },
}

export function boundsOf({ quick }: Pick<Context, 'quick'>, rows: readonly Row[], seconds: number, quiet: readonly boolean[]): Bound[] {
  const judged: Judged = { shape: 'flights day', rows, subject: 'tidemark', quick, latencyMs: { p999: 1, max: 1 } }
  const shares = rows.filter(row => row.engine === 'tidemark').map(row => quietShare(hourly(row, seconds), quiet))
  const share: Bound = {
    name: 'flights day: bytes of segments written in the quieter half',
    measured: medianOfAll(shares),
    sense: 'at least',
    limit: quick ? 0 : 0.7,
    unit: 'of all',
    robust: false,
  }
  const folds = least(judged, 'folds in the day that counts', foldsOf, quick ? 0 : FOLDS_MIN)
  return [...beyondBounds(judged), ...madeDurable(judged), folds, share]
}

function foldsOf({ stats, statsBefore }: Row): number {
  const [now, before] = [stats, statsBefore].map(of => (of as { upkeep?: { folds?: number } } | undefined)?.upkeep?.folds ?? Number.NaN)
  return (now as number) - (before as number)
}

/** The engine with slack between the interval it aims at and the one it must keep, where it has such a setting. */
async function withSlack(context: Context, job: Job, daySeconds: number, rep: number, missing: string[]): Promise<Row> {
  const turn = { name: 'tidemark', engine: 'tidemark', rep, check: true }
  try {
    const cycleMs = Math.max(CYCLE_MS_MIN, daySeconds * 1000)
    const barriers = { intervalMs: job.intervalMs, intervalMsMax: job.intervalMs * 5, cycleMs }
    return await runTurn(context, { ...turn, job: { ...job, barriers } })
  } catch (error) {
    if (!String(error).includes('intervalMsMax')) throw error
    missing.push('flights day: slack in the RPO: there is no setting intervalMsMax; measured without')
    return await runTurn(context, { ...turn, job: { ...job, barriers: { intervalMs: job.intervalMs } } })
  }
}

/** Bytes of segments in each hour since noon. */
function hourly({ segmentWindows }: Row, seconds: number): number[] {
  const hours = new Array<number>(HOURS).fill(0)
  // Of the last day.
  segmentWindows.slice(-Math.round((seconds * 1000) / WINDOW_MS)).forEach((bytes, at) => {
    const hour = Math.min(HOURS - 1, Math.floor(((at + 0.5) * WINDOW_MS * HOURS) / (seconds * 1000)))
    hours[hour] = (hours[hour] as number) + bytes
  })
  return hours
}

function quietShare(hours: readonly number[], quiet: readonly boolean[]): number {
  const all = hours.reduce((sum, bytes) => sum + bytes, 0)
  return hours.filter((_, hour) => quiet[hour]).reduce((sum, bytes) => sum + bytes, 0) / all
}

function showHours(rows: readonly Row[], seconds: number, quiet: readonly boolean[]): string {
  const all = rows.map(row => hourly(row, seconds))
  return table(
    ['hour', 'quiet', 'kB of segments'],
    quiet.map((is, hour) => [`${(hour + 12) % 24}:00`, is ? 'yes' : '', median(all.map(hours => (hours[hour] as number) / 1000))]),
  )
}
