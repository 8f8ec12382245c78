import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TidemarkError } from '../base/errors.ts'
import type { Scheduler } from '../base/scheduler.ts'
import type { CheckpointPoint } from './types.ts'
import { Waiters } from './waiters.ts'

const POINT = { refused: [] } as unknown as CheckpointPoint

/** Times out when it is told to. */
class Timers implements Scheduler {
  nowMs = 0
  readonly due: (() => void)[] = []
  readonly delays: number[] = []
  readonly #behind = new Set<() => void>()
  monotonic(): number {
    return this.nowMs
  }
  immediate(fn: () => void): () => void {
    this.#behind.add(fn)
    return () => void this.#behind.delete(fn)
  }
  after(ms: number, fn: () => void): () => void {
    this.delays.push(ms)
    this.due.push(fn)
    return () => {}
  }
  /** What was planned by `immediate` runs. */
  turn(): void {
    const all = [...this.#behind]
    this.#behind.clear()
    for (const fn of all) fn()
  }
}

/** Who comes in which order, by name. */
function watched(last = false): { waiters: Waiters; timers: Timers; ended: string[]; wait: (name: string, how?: 'add' | 'join') => void } {
  const timers = new Timers()
  const waiters = new Waiters({ scheduler: timers, clock: timers, last: () => last, why: () => undefined })
  const ended: string[] = []
  const wait = (name: string, how: 'add' | 'join' = 'add'): void => {
    waiters[how](1000).then(
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
  timers.turn()
  waiters.depart()
  timers.due[4]?.()
  timers.turn()
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

test('all who wait for an epoch that refused a value are told so by one error', async () => {
  const { waiters } = watched()
  const waits = [waiters.add(1000), waiters.add(1000), waiters.add(1000)]
  waiters.depart()
  const refused = [{ collection: 'map', key: 'k', reason: 'a function' }]
  waiters.arrive({ refused, refusedCount: 1 } as unknown as CheckpointPoint)
  const errors = await Promise.all(waits.map(wait => wait.catch((error: TidemarkError) => error)))
  assert.equal((errors[0] as TidemarkError).code, 'TIDEMARK_VALUE_REFUSED')
  assert.equal(new Set(errors).size, 1)
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
  timers.turn()
  for (const back of restore) back()
  await new Promise(setImmediate)
  assert.equal(ended.length, callers)
  assert.ok(!waiters.aboard)
  assert.ok(walked < 10 * callers, `${walked} steps`)
})

test('after a blocked loop, whose timers run in front of the messages that came, nobody times out whose epoch is durable', async () => {
  const { waiters, timers, ended, wait } = watched()
  wait('durable')
  waiters.depart()
  wait('not durable')
  timers.nowMs = 5000
  for (const due of timers.due) due()
  waiters.arrive(POINT)
  timers.turn()
  await new Promise(setImmediate)
  assert.deepEqual(ended, ['durable', 'not durable: TIDEMARK_TIMEOUT'])
})

for (const [lateMs, moreMs] of [
  [400, 400],
  [3_600_000, 1000],
] as const) {
  test(`who waits for the last time gets the ${lateMs} ms in which the loop stood still once more, and no longer than asked for`, async () => {
    const { waiters, timers, ended, wait } = watched(true)
    wait('closing')
    waiters.depart()
    timers.nowMs = 1000 + lateMs
    timers.due[0]?.()
    timers.turn()
    assert.deepEqual(timers.delays, [1000, moreMs])
    assert.ok(waiters.aboard)
    timers.nowMs += moreMs + 400
    timers.due[1]?.()
    timers.turn()
    assert.ok(!waiters.aboard)
    await new Promise(setImmediate)
    assert.deepEqual(ended, ['closing: TIDEMARK_TIMEOUT'])
  })
}
