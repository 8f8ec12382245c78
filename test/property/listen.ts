/** What a life hears of its store from its first turn on. */
import { hasCode } from '../../src/base/errors.ts'
import type { Store } from '../../src/store.ts'
import type { Life } from './life.ts'
import { Listeners } from './told.ts'

const TRACED = ['barrier', 'checkpoint', 'voided', 'degraded', 'recovered', 'holdBroken', 'error', 'refused'] as const

/** What the store says before the model knows what it brought back is told to the model then; what it says once another has taken over, never. */
export function listen(life: Life, store: Store): void {
  const { model, totals } = life
  const told = new Listeners(life)
  store.on('barrier', ({ epoch, time }) => {
    // What they write is in the epoch.
    told.tell('barrier')
    totals.barriers++
    if (life.inTransaction) life.problems.push(new Error('a barrier inside a transaction'))
    if ([...life.holds].some(({ broken }) => !broken)) life.problems.push(new Error('a barrier during a hold'))
    if (life.rival?.isOver === true) life.rival.barrier(epoch, time)
    else life.note(() => model.barrier(epoch, time))
  })
  store.on('untracked', ({ collection, key }) => life.problems.push(new Error(`'${collection}', ${String(key)} was declared, yet named`)))
  store.on('voided', () => life.note(() => model.voided()))
  store.on('degraded', () => life.note(() => model.failed()))
  store.on('holdBroken', () => {
    const [next] = [...life.holds].filter(({ broken }) => !broken).sort((one, other) => one.untilMs - other.untilMs)
    if (next !== undefined) next.broken = true
  })
  store.on('error', error => {
    life.stopped = true
    if (life.storage.off) return
    totals.stopped++
    if (!mayStop(life, error)) life.problems.push(error)
  })
  store.on('checkpoint', point => {
    life.rival?.assertAcknowledged(point.epoch)
    life.note(() => {
      life.commits++
      totals.commits++
      totals.refused += point.refused.length
      life.epochs.set(point.epoch, model.committed(point).changes)
    })
  })
  // When the model knows.
  for (const what of ['checkpoint', 'voided', 'degraded', 'refused'] as const) store.on(what, () => told.tell(what))
  if (process.env['TRACE'] === undefined) return
  for (const name of TRACED) {
    store.on(name, (...args: readonly unknown[]) =>
      console.log(life.scheduler.clock.now() % 1_000_000, name, ...args.map(arg => (arg instanceof Error ? arg.message : arg))),
    )
  }
}

/** The one fault that nothing can be built upon is a failed sync of the file that the last life left open. */
function mayStop(life: Life, error: unknown): boolean {
  if (life.rival !== undefined && hasCode(error, 'TIDEMARK_FENCED')) return true
  return hasCode(error, 'TIDEMARK_FAILED') && (life.inheritedFailed || life.rival !== undefined)
}
