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

/** By name, what each of them does to the storage. */
function faultsOf(quick: boolean): Readonly<Record<string, Faults>> {
  return {
    'no faults': {},
    'syncs of 50 ms': { syncMs: 50 },
    'stalls of 2 s': { stall: quick ? { everyMs: 1000, forMs: 400 } : { everyMs: 6000, forMs: 2000 } },
    [ERRORS]: { errorEvery: 10 },
    [STUCK]: { stuckMs: quick ? 1000 : 10_000 },
  }
}

export const slowStorage: Suite = {
  name: 'slow-storage',
  about: 'syncs of 50 ms, stalls of 2 s, errors in one of ten writes, and a storage stuck for 10 s under W1',
  secondsLeast,
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

function shapesOf({ quick, seconds, engines }: Pick<Context, 'quick' | 'seconds' | 'engines'>): Shape[] {
  const common = { arrivals: { kind: 'open', perSecond: 20_000, idle: 'nap' }, warmSeconds: quick ? 0.5 : 6 } as const
  const faults = Object.entries(faultsOf(quick)).filter(([name]) => engines?.includes(name) ?? true)
  const shapes: Shape[] = [
    {
      job: {
        ...common,
        load: { kind: 'sessions', keys: quick ? 20_000 : 200_000, reads: 0.5, theta: 0.99 },
        intervalMs: quick ? 500 : 1000,
        settleSeconds: settling(1000, quick),
        seconds: seconds ?? (quick ? 2 : 20),
      },
      faults: Object.fromEntries(faults.filter(([name]) => name !== STUCK)),
    },
    {
      job: {
        ...common,
        load: { kind: 'sessions', keys: quick ? 50_000 : 1_000_000, reads: 0.5, theta: 0.99 },
        intervalMs: quick ? 500 : 5000,
        settleSeconds: settling(5000, quick),
        seconds: seconds ?? (quick ? 4 : 45),
      },
      faults: Object.fromEntries(faults.filter(([name]) => name === STUCK)),
    },
  ]
  return shapes.filter(shape => Object.keys(shape.faults).length > 0)
}

/** In less time the fault would come, or its end, when nothing is measured any more. */
function secondsLeast(asked: Pick<Context, 'quick' | 'engines'>): number {
  const least = shapesOf(asked).flatMap(({ job: { intervalMs }, faults }) =>
    Object.values(faults).map(({ stall, stuckMs }) => {
      // A stall is at the end of a period that begins with the first write.
      if (stall !== undefined) return stall.everyMs + 2 * intervalMs
      // It is stuck after a third of the time.
      return stuckMs === undefined ? 0 : (stuckMs + intervalMs) * 1.5
    }),
  )
  return Math.max(0, ...least) / 1000
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
  const bounds = [...beyondBounds(judged), ...worked(judged, faultsOf(quick)[fault])]
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
        `${fault}: memory of the main thread alive beyond the plain Map's (${dirtyKeys} keys written)`,
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

/** What is compared was made durable meanwhile, and met the fault that it was to meet. */
function worked(judged: Judged, { syncMs, stall, errorEvery, stuckMs }: Faults = {}): Bound[] {
  const failures = (stats: unknown): number => (stats as { failures: number }).failures
  return [
    least(judged, 'checkpoints', row => row.checkpoints),
    ...(syncMs === undefined ? [] : [least(judged, 'median of checkpoints', row => row.checkpointMs.p50, syncMs, 'ms')]),
    ...(stall === undefined ? [] : [least(judged, 'longest checkpoint', row => row.checkpointMs.max, stall.forMs / 2, 'ms')]),
    ...(errorEvery === undefined ? [] : [least(judged, 'epochs that failed', row => failures(row.stats) - failures(row.statsBefore))]),
    ...(stuckMs === undefined ? [] : [least(judged, 'age of what could be lost', row => row.rpoMs ?? Number.NaN, stuckMs, 'ms')]),
  ]
}

function grownOf({ alive }: Row): number {
  return alive === undefined ? Number.NaN : alive.after - alive.before
}
