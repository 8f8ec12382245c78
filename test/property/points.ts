/** The recovery points that a life finds: each of those looked at is what the state was then. */
import assert from 'node:assert/strict'
import { hasCode } from '../../src/base/errors.ts'
import type { Store } from '../../src/store.ts'
import type { Life } from './life.ts'
import type { Kind } from './model.ts'
import { type Opening, openReader } from './opening.ts'

const LOOKED_AT = 3

/** Where a life goes back to, and how it asks for that. */
export interface Back {
  readonly at: number | Date
  readonly epoch: number
}

type Points = Awaited<ReturnType<Store['recoveryPoints']>>

/** Looks at some of the points, and says where the life is to go back to, if it is to go back. */
export async function lookBack(life: Life, opening: Opening): Promise<Back | undefined> {
  const { scheduler, plan } = life
  const openAt = (at: number | Date | 'latest'): Promise<Store> => scheduler.run(openReader(opening, at))
  let newest: Store
  try {
    newest = await openAt('latest')
  } catch (error) {
    if (hasCode(error, 'TIDEMARK_NO_STORE')) return undefined
    throw error
  }
  const points = await scheduler.run(newest.recoveryPoints())
  const { epoch: newestEpoch } = newest.restored
  await scheduler.run(newest.close())
  if (points.length === 0) {
    assert.equal(newestEpoch, 0, 'a store with epochs has recovery points')
    return undefined
  }
  assert.equal(points[0]?.epoch, newestEpoch, 'the newest recovery point is what an open gives')
  for (let n = 0; n < Math.min(LOOKED_AT, points.length); n++) {
    const point = points[(plan.back + n) % points.length] as Points[number]
    assert.equal(point.lost, undefined, 'nothing is lost')
    const store = await openAt(point.epoch)
    assert.equal(store.restored.timeMs, point.time, 'time of a recovery point')
    const names = new Map<string, Kind>(Object.entries(store.stats().collections).map(([name, { kind }]) => [name, kind]))
    const wrong = life.model.wrongAt(point.epoch, names, name => life.entriesOf(name, names.get(name) as Kind, store))
    assert.deepEqual(wrong.slice(0, 5), [], `recovery point ${point.epoch}`)
    // At most so many where values were refused.
    assert.ok(store.restored.entries <= point.entries, 'entries of a recovery point')
    await scheduler.run(store.close())
    life.totals.points++
  }
  const { at, epoch } = dated(points, plan.back)
  if (epoch === undefined) await assert.rejects(openAt(at), { code: 'TIDEMARK_NO_SUCH_POINT' })
  else {
    const store = await openAt(at)
    assert.equal(store.restored.epoch, epoch, `the newest point whose barrier was not later than ${at.getTime()}`)
    await scheduler.run(store.close())
  }
  if (plan.back === 1) return undefined
  if (plan.back % 2 === 0 && epoch !== undefined) return { at, epoch }
  const chosen = (points[plan.back % points.length] as Points[number]).epoch
  return { at: chosen, epoch: chosen }
}

/** A moment at, right before or right behind a barrier, and the epoch that a restore to it gives: the clock may have been set meanwhile. */
function dated(points: Points, number: number): { readonly at: Date; readonly epoch: number | undefined } {
  const { time } = points[(number * 5) % points.length] as Points[number]
  const at = new Date(time + ((number % 3) - 1))
  return { at, epoch: points.find(point => point.time <= at.getTime())?.epoch }
}

/** A reader beside the writer has what was durable when it was opened, or later, whatever is folded and removed meanwhile. */
export async function lookBeside(life: Life, ms: number): Promise<void> {
  const acked = life.model.acked.epoch
  const store = await life.openBeside()
  try {
    await life.scheduler.sleep(ms)
    const { epoch } = store.restored
    assert.ok(epoch >= acked, `a reader has epoch ${epoch}, acknowledged was ${acked}`)
    const names = new Map<string, Kind>(Object.entries(store.stats().collections).map(([name, { kind }]) => [name, kind]))
    const wrong = life.model.wrongAt(epoch, names, name => life.entriesOf(name, names.get(name) as Kind, store))
    assert.deepEqual(wrong.slice(0, 5), [], `epoch ${epoch} beside the writer`)
    life.totals.beside++
  } finally {
    await store.close()
  }
}

export async function listPoints(life: Life): Promise<void> {
  const acked = life.model.acked.epoch
  const points = await life.store.recoveryPoints()
  const epochs = points.map(({ epoch }) => epoch)
  if (acked > 0) assert.ok((epochs[0] ?? 0) >= acked, `the newest point is ${epochs[0]}, acknowledged was ${acked}`)
  for (const { epoch, lost } of points) {
    assert.equal(lost, undefined)
    assert.ok(
      epoch === 0 || life.model.history.has(epoch) || life.model.copies.some(copy => copy.epoch === epoch),
      `point ${epoch} never was`,
    )
  }
}
