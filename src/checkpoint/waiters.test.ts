import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TidemarkError } from '../base/errors.ts'
import type { Scheduler } from '../base/scheduler.ts'
import type { CheckpointPoint } from './types.ts'
import { Waiters } from './waiters.ts'

const POINT = { refused: [] } as unknown as CheckpointPoint
const none = (): undefined => undefined

/** Times out when it is told to. */
class Timers implements Scheduler {
  readonly due: (() => void)[] = []
  immediate(fn: () => void): () => void {
    return this.after(0, fn)
  }
  after(_ms: number, fn: () => void): () => void {
    this.due.push(fn)
    return () => {}
  }
}

/** Who comes in which order, by name. */
function watched(): { waiters: Waiters; timers: Timers; ended: string[]; wait: (name: string, how?: 'add' | 'join') => void } {
  const waiters = new Waiters()
  const timers = new Timers()
  const ended: string[] = []
  const wait = (name: string, how: 'add' | 'join' = 'add'): void => {
    waiters[how](1000, timers, none).then(
      () => ended.push(name),
      (error: TidemarkError) => ended.push(`${name}: ${error.code}`),
    )
  }
  return { waiters, timers, ended, wait }
}

test('callers arrive in the order in which they came, also after an epoch that failed and beside others that time out', async () => {
  const { waiters, timers, ended, wait } = watched()
  wait('a')
  wait('b')
  waiters.depart()
  wait('c', 'join')
  wait('d')
  wait('e')
  waiters.back()
  assert.ok(waiters.waiting && !waiters.aboard)
  wait('f')
  timers.due[1]?.()
  waiters.depart()
  timers.due[4]?.()
  assert.ok(waiters.aboard && !waiters.waiting)
  waiters.arrive(POINT)
  await new Promise(setImmediate)
  assert.deepEqual(
    ended.filter(name => !name.includes(':')),
    ['a', 'c', 'd', 'f'],
  )
  assert.deepEqual(
    ended.filter(name => name.includes(':')),
    ['b: TIDEMARK_TIMEOUT', 'e: TIDEMARK_TIMEOUT'],
  )
})

test('whoever waits is told when there is nothing to wait for any more', async () => {
  const { waiters, ended, wait } = watched()
  wait('a')
  waiters.depart()
  wait('b')
  waiters.fail(new TidemarkError('TIDEMARK_CLOSED', 'closed'))
  await new Promise(setImmediate)
  assert.deepEqual(ended, ['a: TIDEMARK_CLOSED', 'b: TIDEMARK_CLOSED'])
})

test('ten thousand callers that join one after the other and time out take a few steps each', async () => {
  const { waiters, timers, ended, wait } = watched()
  const callers = 10_000
  let walked = 0
  const restore = (['filter', 'concat'] as const).map(name => {
    const whole = Array.prototype[name] as (...given: unknown[]) => unknown
    const put = (value: unknown): unknown => Object.defineProperty(Array.prototype, name, { value, writable: true, configurable: true })
    put(function (this: unknown[], ...given: unknown[]) {
      walked += this.length
      return whole.apply(this, given)
    })
    return () => put(whole)
  })
  for (let n = 0; n < callers; n++) {
    waiters.depart()
    wait('', 'join')
  }
  for (const due of timers.due) due()
  for (const back of restore) back()
  await new Promise(setImmediate)
  assert.equal(ended.length, callers)
  assert.ok(!waiters.aboard)
  assert.ok(walked < 10 * callers, `${walked} steps`)
})
