/**
 * W1: a million sessions, 20,000 operations a second, half of them updates, zipf 0.99, an interval of 5 s, a minute behind the settling.
 * How evenly the bytes leave, folding included, beside the naive ways and databases; what requests and the event loop feel of it.
 */
import { hasSqlite } from '../engines/sqlite-map.ts'
import type { Bound, Context, Outcome, Suite } from '../harness/suite.ts'
import { beyondBounds, disturbed, drainWaste, evenness as evennessOf, exact, type Judged, keptUp, medianOf } from './judge.ts'
import { CONTROL, type Job, PLAIN, type Row, runTurn, settling } from './run.ts'
import { show } from './show.ts'

const AUTOMATIC = 'tidemark, automatic'
/** Once each: their peaks are far away from any bound. */
const PEERS = ['dirty-set', 'json-snapshot', 'level-map', 'lmdb-map', 'sqlite-map']

export const evenness: Suite = {
  name: 'evenness',
  about: 'W1: 1M sessions, 20,000 operations/s, interval 5 s: bytes in 100 ms windows, latency, stalls; beside naive ways and databases',
  takesSubject: true,
  async run(context) {
    const rows: Row[] = []
    for (let rep = 0; rep < context.reps; rep++) {
      const turn = async (name: string, engine: string, job: Job, check = false): Promise<void> => {
        rows.push(
          await runTurn(context, {
            name,
            engine,
            rep,
            job,
            check,
            like: rows.filter(row => row.engine === (context.subject ?? 'tidemark')),
          }),
        )
      }
      const job = jobOf(context)
      await turn(PLAIN, PLAIN, job)
      if (context.subject === undefined) {
        await turn('tidemark', 'tidemark', job, true)
        await turn(AUTOMATIC, 'tidemark', { ...job, barriers: { intervalMs: job.intervalMs } }, true)
      } else await turn(context.subject, context.subject, job)
      await turn(CONTROL, CONTROL, job)
      if (rep > 0 || context.subject !== undefined) continue
      for (const peer of PEERS) if (isWanted(context, peer)) await turn(peer, peer, job)
    }
    return outcome(context, rows)
  },
}

function jobOf({ quick, seconds }: Context): Job {
  return {
    load: { kind: 'sessions', keys: quick ? 50_000 : 1_000_000, reads: 0.5, theta: 0.99 },
    arrivals: { kind: 'open', perSecond: 20_000, idle: 'nap' },
    intervalMs: quick ? 1000 : 5000,
    warmSeconds: quick ? 0.5 : 6,
    settleSeconds: settling(quick ? 1000 : 5000, quick),
    seconds: seconds ?? (quick ? 2 : 60),
  }
}

function isWanted({ engines }: Context, peer: string): boolean {
  if (peer === 'sqlite-map' && !hasSqlite()) return false
  return engines === undefined || engines.includes(peer)
}

function outcome(context: Context, rows: readonly Row[]): Outcome {
  const subjects = context.subject === undefined ? ['tidemark', AUTOMATIC] : [context.subject]
  const bounds: Bound[] = []
  const missing: string[] = disturbed('evenness', rows)
  for (const subject of subjects) {
    const shape = `W1, ${subject === 'tidemark' ? 'checkpoint() each interval' : subject}`
    const judged: Judged = { shape, rows, subject, quick: context.quick, latencyMs: { p999: 1, max: 1 } }
    if (rows.some(row => row.windows.length > 0)) bounds.push(evennessOf(judged))
    else missing.push('evenness: bytes written: the system does not count them')
    bounds.push(...beyondBounds(judged), ...keptUp(judged, jobOf(context).intervalMs))
    const waste = medianOf(judged, row => drainWaste(row) ?? Number.NaN)
    if (rows.some(row => row.name === subject && drainWaste(row) !== undefined))
      bounds.push({ ...exact(`${shape}: captured in vain by the drain`, waste, 'at most', 0.2, 'of record bytes'), robust: false })
    else missing.push(`${shape}: drain waste: stats() has no drain`)
  }
  if (!hasSqlite()) missing.push(`evenness: sqlite-map: Node.js ${process.versions.node} has no node:sqlite; run it on a current release`)
  return {
    text: [
      `an interval of ${jobOf(context).intervalMs} ms, ${jobOf(context).seconds} s measured\n${show(rows)}`,
      `longest time between two looks at the bytes written: ${Math.max(...rows.map(row => row.gapMs)).toFixed(0)} ms`,
    ],
    bounds,
    data: rows,
    missing,
  }
}
