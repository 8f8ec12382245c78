/**
 * Storages that are slow, that stall, that fail and that are stuck, seen by the real writer thread (faults.ts). No request may see it, nothing
 * may be lost, and memory may not grow without bound.
 */
import { largest, medianOfAll } from '../harness/stats.ts'
import type { Bound, Context, Suite } from '../harness/suite.ts'
import type { Faults } from './contract.ts'
import { beyondBounds, disturbed, exact, type Judged, least } from './judge.ts'
import { CONTROL, type Job, PLAIN, type Row, runTurn, settling } from './run.ts'
import { show } from './show.ts'

const MIB = 1024 * 1024
/** In flight, pre-images, and for each key that was written meanwhile what remembering it may take. */
const IN_FLIGHT_BYTES = 8 * MIB
const PRE_IMAGE_BYTES = 64 * MIB
const DIRTY_KEY_BYTES = 100
const STUCK = 'stuck for 10 s'
const ERRORS = 'errors in one of ten writes'
const WEIGHED = ', weighed'

interface Shape {
  readonly job: Job
  readonly faults: Readonly<Record<string, Faults>>
}

export const slowStorage: Suite = {
  name: 'slow-storage',
  about: 'syncs of 50 ms, stalls of 2 s, errors in one of ten writes, and a storage stuck for 10 s under W1',
  async run(context) {
    const text: string[] = []
    const bounds: Bound[] = []
    const data: Row[][] = []
    for (const shape of shapesOf(context)) {
      const rows: Row[] = []
      for (let rep = 0; rep < context.reps; rep++) await runShape(context, shape, rep, rows)
      data.push(rows)
      text.push(`an interval of ${shape.job.intervalMs} ms\n${show(rows)}`)
      for (const name of Object.keys(shape.faults)) bounds.push(...boundsOf(context, name, shape.job.intervalMs, rows))
    }
    return { text, bounds, data, missing: disturbed('slow-storage', data.flat()) }
  },
}

function shapesOf({ quick, seconds, engines }: Context): Shape[] {
  const common = { arrivals: { kind: 'open', perSecond: 20_000, idle: 'nap' }, warmSeconds: quick ? 0.5 : 6 } as const
  const shapes: Shape[] = [
    {
      job: {
        ...common,
        load: { kind: 'sessions', keys: quick ? 20_000 : 200_000, reads: 0.5, theta: 0.99 },
        intervalMs: quick ? 500 : 1000,
        settleSeconds: settling(1000, quick),
        seconds: seconds ?? (quick ? 2 : 20),
      },
      faults: {
        'no faults': {},
        'syncs of 50 ms': { syncMs: 50 },
        'stalls of 2 s': { stall: quick ? { everyMs: 1000, forMs: 400 } : { everyMs: 6000, forMs: 2000 } },
        [ERRORS]: { errorEvery: 10 },
      },
    },
    {
      job: {
        ...common,
        load: { kind: 'sessions', keys: quick ? 50_000 : 1_000_000, reads: 0.5, theta: 0.99 },
        intervalMs: quick ? 500 : 5000,
        settleSeconds: settling(5000, quick),
        seconds: quick ? 4 : 45,
      },
      faults: { [STUCK]: { stuckMs: quick ? 1000 : 10_000 } },
    },
  ]
  return shapes
    .map(shape => ({
      ...shape,
      faults: Object.fromEntries(Object.entries(shape.faults).filter(([name]) => engines?.includes(name) ?? true)),
    }))
    .filter(shape => Object.keys(shape.faults).length > 0)
}

async function runShape(context: Context, { job, faults }: Shape, rep: number, rows: Row[]): Promise<void> {
  const stuckMs = faults[STUCK]?.stuckMs
  rows.push(await runTurn(context, { name: PLAIN, engine: PLAIN, rep, job }))
  const own: Job = { ...job, barriers: { intervalMs: job.intervalMs } }
  for (const [name, fault] of Object.entries(faults)) {
    rows.push(await runTurn(context, { name: `tidemark, ${name}`, engine: 'tidemark', rep, job: { ...own, faults: fault }, check: true }))
  }
  const like = rows.filter(row => row.engine === 'tidemark')
  rows.push(await runTurn(context, { name: CONTROL, engine: CONTROL, rep, job, like }))
  if (stuckMs === undefined) return
  // What is alive can be told only behind a collection of everything, which is a pause: in runs of their own.
  const weighed = { faults: { stuckMs }, weigh: true }
  rows.push(await runTurn(context, { name: `${PLAIN}${WEIGHED}`, engine: PLAIN, rep, job: { ...job, ...weighed } }))
  rows.push(await runTurn(context, { name: `tidemark${WEIGHED}`, engine: 'tidemark', rep, job: { ...own, ...weighed } }))
}

export function boundsOf({ quick }: Pick<Context, 'quick'>, fault: string, intervalMs: number, rows: readonly Row[]): Bound[] {
  const judged: Judged = { shape: fault, rows, subject: `tidemark, ${fault}`, quick, latencyMs: { p999: 1, max: 1 } }
  const bounds = [...beyondBounds(judged), ...worked(judged)]
  if (fault !== STUCK) return bounds
  const stuck = rows.filter(row => row.name === judged.subject)
  const grown = rows
    .filter(row => row.name === `tidemark${WEIGHED}`)
    .map(row => {
      const other = rows.find(candidate => candidate.name === `${PLAIN}${WEIGHED}` && candidate.rep === row.rep)
      return { bytes: grownOf(row) - (other === undefined ? Number.NaN : grownOf(other)), dirtyKeys: row.alive?.dirtyKeys ?? 0 }
    })
  const dirtyKeys = medianOfAll(grown.map(each => each.dirtyKeys))
  const limitMB = (IN_FLIGHT_BYTES + PRE_IMAGE_BYTES + dirtyKeys * DIRTY_KEY_BYTES) / 1e6
  return [
    ...bounds,
    {
      ...exact(
        `${fault}: memory alive beyond the plain Map's (${dirtyKeys} keys written)`,
        medianOfAll(grown.map(each => each.bytes)) / 1e6,
        'at most',
        limitMB,
        'MB',
      ),
      robust: false,
    },
    {
      ...exact(
        `${fault}: until an acknowledged barrier is no older than the interval`,
        largest(stuck.map(row => row.recoveredMs ?? Number.NaN)),
        'at most',
        2 * intervalMs,
        'ms',
      ),
      robust: false,
    },
  ]
}

/** What is compared was made durable meanwhile, and met the errors that it was to meet. */
function worked(judged: Judged): Bound[] {
  const failures = (stats: unknown): number => (stats as { failures: number }).failures
  return [
    least(judged, 'checkpoints', row => row.checkpoints),
    ...(judged.shape === ERRORS ? [least(judged, 'epochs that failed', row => failures(row.stats) - failures(row.statsBefore))] : []),
  ]
}

function grownOf({ alive }: Row): number {
  return alive === undefined ? Number.NaN : alive.after - alive.before
}
