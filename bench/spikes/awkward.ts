/**
 * Awkward shapes: one giant value among small ones, tiny batches on a large old store, queues and random churn, and a restart in the
 * middle of heavy writes, under the same load from `open` on.
 */
import { medianOfAll } from '../harness/stats.ts'
import type { Bound, Context, Suite } from '../harness/suite.ts'
import { beyond, beyondBounds, disturbed, exact, type Judged, least, madeDurable, nothingLost } from './judge.ts'
import { CONTROL, type Job, PLAIN, type Row, runTurn, settling } from './run.ts'
import { show } from './show.ts'

const GIANT = 'one giant value'
const RESTART = 'restart under load'
/** About 20 MB encoded. */
const GIANT_PARTS = 330_000

export const awkward: Suite = {
  name: 'awkward',
  about: 'one 20 MB value among small ones, tiny batches on a large store, queues, random churn, restart during heavy writes',
  takesSubject: true,
  async run(context) {
    const text: string[] = []
    const bounds: Bound[] = []
    const data: Record<string, readonly Row[]> = {}
    for (const [shape, job] of Object.entries(shapesOf(context))) {
      if (context.engines !== undefined && !context.engines.includes(shape)) continue
      const rows: Row[] = []
      for (let rep = 0; rep < context.reps; rep++) await runShape(context, shape, job, rep, rows)
      data[shape] = rows
      text.push(`${shape}, an interval of ${job.intervalMs} ms\n${show(rows)}`)
      bounds.push(...boundsOf(context, shape, rows))
    }
    return { text, bounds, data, missing: disturbed('awkward', Object.values(data).flat()) }
  },
}

function shapesOf({ quick, seconds }: Context): Record<string, Job> {
  const times = { warmSeconds: quick ? 0.5 : 6, settleSeconds: settling(2000, quick), seconds: seconds ?? (quick ? 1.5 : 20) }
  const busy = { kind: 'open', perSecond: 20_000, idle: 'nap' } as const
  const keys = quick ? 20_000 : 100_000
  return {
    [GIANT]: {
      ...times,
      load: {
        kind: 'sessions',
        keys: 50_000,
        reads: 0.5,
        theta: 0.99,
        giant: { parts: quick ? GIANT_PARTS / 20 : GIANT_PARTS, every: quick ? 5000 : 20_000 },
      },
      arrivals: { kind: 'open', perSecond: 5000, idle: 'nap' },
      intervalMs: quick ? 500 : 2000,
    },
    'tiny batches': {
      ...times,
      load: { kind: 'sessions', keys: quick ? 50_000 : 1_000_000, reads: 0, theta: 0 },
      arrivals: { kind: 'open', perSecond: 200, idle: 'timer' },
      intervalMs: 100,
    },
    queue: { ...times, load: { kind: 'queue', keys }, arrivals: busy, intervalMs: 1000 },
    churn: { ...times, load: { kind: 'churn', keys }, arrivals: busy, intervalMs: 1000 },
    [RESTART]: {
      ...times,
      load: { kind: 'sessions', keys: quick ? 50_000 : 1_000_000, reads: 0.5, theta: 0.99, position: true },
      arrivals: { kind: 'open', perSecond: 20_000, idle: 'timer' },
      intervalMs: quick ? 500 : 1000,
    },
  }
}

async function runShape(context: Context, shape: string, job: Job, rep: number, rows: Row[]): Promise<void> {
  const subject = context.subject ?? 'tidemark'
  const again: Job = { ...job, warmSeconds: 0, settleSeconds: 0, restarted: true }
  const measured = shape === RESTART ? again : job
  const turn = async (engine: string): Promise<void> => {
    const like = rows.filter(row => row.name === subject)
    rows.push(await runTurn(context, { shape, name: engine, engine, rep, job: measured, like }))
  }
  await turn(PLAIN)
  if (shape === RESTART && subject === 'tidemark') {
    const killed = { ...job, seconds: Math.min(job.seconds, 10), killed: true }
    rows.push(await runTurn(context, { shape, name: 'tidemark, killed', engine: subject, rep, job: killed, leaves: true }))
  }
  rows.push(
    await runTurn(context, {
      shape,
      name: subject,
      engine: subject,
      rep,
      job: measured,
      check: subject === 'tidemark',
      takesUp: shape === RESTART,
    }),
  )
  await turn(CONTROL)
}

export function boundsOf(context: Pick<Context, 'quick' | 'subject'>, shape: string, rows: readonly Row[]): Bound[] {
  const subject = context.subject ?? 'tidemark'
  // A restart is measured from its first moment, as in the benchmark of hydration.
  const latencyMs = shape === RESTART ? { p999: 2, max: 2 } : { p999: 1, max: 1 }
  const judged: Judged = { shape, rows, subject, quick: context.quick, latencyMs }
  if (shape === GIANT) return [...giantBounds(judged), ...madeDurable(judged)]
  return [...beyondBounds(judged), ...madeDurable(judged), ...(shape === RESTART ? restartBounds(judged) : [])]
}

/** The stall is the encoding of the one value, and it is said which. */
function giantBounds(judged: Judged): Bound[] {
  const { shape, rows, subject, quick } = judged
  const mine = rows.filter(row => row.name === subject)
  const encodeMs = medianOfAll(mine.map(row => row.giant?.encodeMs ?? Number.NaN))
  const most = (name: string, measured: number, limit: number): Bound => ({
    name: `${shape}: ${name}`,
    measured,
    sense: 'at most',
    limit: quick ? limit * 20 : limit,
    unit: 'ms',
    robust: false,
  })
  return [
    most(
      `longest stall beyond the control's, less the encoding of the value (${encodeMs.toFixed(0)} ms)`,
      beyond(judged, CONTROL, row => row.stallMs.max - (row.giant?.encodeMs ?? 0)),
      1,
    ),
    most(
      "longest latency beyond the plain Map's, less the encoding",
      beyond(judged, PLAIN, row => row.latencyMs.max - (row.giant?.encodeMs ?? 0)),
      1,
    ),
    exact(
      `${shape}: runs in which the longest stall is reported as its`,
      mine.filter(row => row.giant?.named).length,
      'at least',
      mine.length,
    ),
    ...nothingLost(shape, mine),
  ]
}

/** Where nothing was acknowledged nothing could be lost, and where nothing came back nothing was restarted. */
function restartBounds(judged: Judged): Bound[] {
  const { rows, shape, subject } = judged
  const acknowledged = (row: Row): number =>
    rows.find(other => other.name === 'tidemark, killed' && other.rep === row.rep)?.acknowledged ?? Number.NaN
  const lost = rows.filter(row => row.name === subject).map(row => acknowledged(row) - row.from)
  return [
    exact(`${shape}: operations lost that were acknowledged`, Math.max(...lost), 'at most', 0),
    least(judged, 'operations acknowledged before the kill', acknowledged),
    least(judged, 'operations that the restart found', row => row.from),
  ]
}
