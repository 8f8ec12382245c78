/** W2: ticks of a game. W3: large documents, changed a little. W4: as fast as it goes. Each beside the plain Map and the control. */
import { medianOfAll } from '../harness/stats.ts'
import type { Bound, Context, Suite } from '../harness/suite.ts'
import { beyondBounds, disturbed, type Judged, keptUp, madeDurable } from './judge.ts'
import { CONTROL, type Job, PLAIN, type Row, runTurn, settling } from './run.ts'
import { show } from './show.ts'

interface Shape {
  readonly name: string
  readonly about: string
  readonly title: string
  job(context: Context): Job
  bounds?(judged: Judged, intervalMs: number): Bound[]
}

export const ticks: Suite = suiteOf({
  name: 'ticks',
  about: 'W2: 100,000 entities, 20 ticks/s of 10,000 updates each: latency of a whole tick',
  title: 'W2',
  job: ({ quick, seconds }) => ({
    load: { kind: 'ticks', keys: quick ? 10_000 : 100_000, perTick: quick ? 1000 : 10_000, theta: 0.99 },
    // As a game waits for its next tick, for all alike: the loop is idle in between, which the engine may see.
    arrivals: { kind: 'open', perSecond: 20, idle: 'timer' },
    intervalMs: quick ? 500 : 2000,
    warmSeconds: quick ? 0.5 : 6,
    settleSeconds: settling(2000, quick),
    seconds: seconds ?? (quick ? 1.5 : 30),
  }),
  bounds: keptUp,
})

export const documents: Suite = suiteOf({
  name: 'documents',
  about: 'W3: 2,000 documents of 50 KB, 200 small edits/s, interval 5 s',
  title: 'W3',
  job: ({ quick, seconds }) => ({
    load: { kind: 'documents', keys: quick ? 200 : 2000, theta: 0.99 },
    arrivals: { kind: 'open', perSecond: 200, idle: 'nap' },
    intervalMs: quick ? 1000 : 5000,
    warmSeconds: quick ? 0.5 : 6,
    settleSeconds: settling(5000, quick),
    seconds: seconds ?? (quick ? 1.5 : 30),
  }),
  bounds: keptUp,
})

export const flatOut: Suite = suiteOf({
  name: 'flat-out',
  about: 'W4: closed loop, 1M keys, random updates as fast as it goes in turns of 1,024, interval 2 s: throughput, heap, latency of a turn',
  title: 'W4',
  job: ({ quick, seconds }) => ({
    load: { kind: 'sessions', keys: quick ? 50_000 : 1_000_000, reads: 0, theta: 0 },
    arrivals: { kind: 'closed', perTurn: 1024 },
    intervalMs: quick ? 500 : 2000,
    warmSeconds: quick ? 0.5 : 4,
    settleSeconds: settling(2000, quick),
    seconds: seconds ?? (quick ? 1.5 : 10),
  }),
  bounds: flatOutBounds,
})

export function flatOutBounds(judged: Judged): Bound[] {
  const ratio = (pick: (row: Row) => number): number =>
    medianOfAll(
      judged.rows
        .filter(row => row.name === judged.subject)
        .map(row => pick(row) / pick(judged.rows.find(other => other.name === PLAIN && other.rep === row.rep) as Row)),
    )
  const bound = (name: string, measured: number, sense: Bound['sense'], limit: number): Bound => ({
    name: `W4: ${name}`,
    measured,
    sense,
    limit,
    unit: "of the plain Map's",
    robust: false,
  })
  return [
    bound(
      'updates a second',
      ratio(row => row.perSecond),
      'at least',
      judged.quick ? 0.1 : 0.8,
    ),
    bound(
      'heap and external memory of the main thread at the end',
      ratio(row => row.heapBytes),
      'at most',
      judged.quick ? 3 : 1.3,
    ),
    ...madeDurable(judged),
  ]
}

function suiteOf(shape: Shape): Suite {
  return {
    name: shape.name,
    about: shape.about,
    takesSubject: true,
    async run(context) {
      const subject = context.subject ?? 'tidemark'
      const job = shape.job(context)
      const rows: Row[] = []
      for (let rep = 0; rep < context.reps; rep++) {
        for (const engine of [PLAIN, subject, CONTROL]) {
          const like = rows.filter(row => row.name === subject)
          rows.push(await runTurn(context, { name: engine, engine, rep, job, check: engine === 'tidemark', like }))
        }
      }
      const judged: Judged = { shape: shape.title, rows, subject, quick: context.quick, latencyMs: { p999: 1, max: 1 } }
      return {
        text: [`an interval of ${job.intervalMs} ms, ${job.seconds} s measured\n${show(rows)}`],
        bounds: [...beyondBounds(judged), ...(shape.bounds?.(judged, job.intervalMs) ?? [])],
        data: rows,
        missing: disturbed(shape.name, rows),
      }
    },
  }
}
