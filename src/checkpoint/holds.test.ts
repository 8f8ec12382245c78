import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Cancel } from '../base/scheduler.ts'
import { SimulatedScheduler } from '../testing/index.ts'
import { Holds } from './holds.ts'

/** Counts the timers that keep the process alive. */
class Kept extends SimulatedScheduler {
  alive = 0

  override after(ms: number, fn: () => void, keepAlive = false): Cancel {
    if (!keepAlive) return super.after(ms, fn)
    this.alive++
    let over = false
    const end = (): void => {
      if (!over) this.alive--
      over = true
    }
    const cancel = super.after(ms, () => {
      end()
      fn()
    })
    return () => {
      end()
      cancel()
    }
  }
}

function held() {
  const scheduler = new Kept()
  const ran: string[] = []
  const holds: Holds = new Holds({ scheduler, clock: scheduler.clock }, { broken: () => ran.push('broken'), free: () => {} })
  const running = holds.run(() => scheduler.sleep(5000), 2000)
  assert.ok(holds.inTheWay())
  const wait = (name: string): Promise<unknown> => holds.run(() => ran.push(name), 1000)
  return { scheduler, holds, ran, running, wait }
}

test('holds that wait behind a barrier keep the process alive until it has fallen, and running ones do not', async () => {
  const { scheduler, holds, ran, running, wait } = held()
  assert.equal(scheduler.alive, 0)
  const both = Promise.all([wait('first'), wait('second')])
  assert.equal(scheduler.alive, 1, 'nothing else does: the hold in front of them may wait for nothing')
  await scheduler.run(3000)
  assert.deepEqual([ran, scheduler.alive], [['broken'], 1])
  holds.barrierFell()
  assert.equal(scheduler.alive, 0)
  await both
  assert.deepEqual(ran, ['broken', 'first', 'second'])
  await scheduler.run(running)
})

test('holds that have to wait again keep it alive again, and none does once the store has stopped', async () => {
  const { scheduler, holds, ran, wait } = held()
  const waits = wait('late')
  holds.barrierFell()
  assert.ok(holds.inTheWay())
  await scheduler.run(0)
  assert.deepEqual([ran, scheduler.alive], [[], 1])
  holds.stop()
  await waits
  assert.deepEqual([ran, scheduler.alive], [['late'], 0])
})
