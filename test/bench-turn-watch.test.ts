/** The benchmark's watch over the engine's turns sees all that runs in one, behind an `await` too, and nothing else. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { TurnWatch, untimed } from '../bench/open-loop/turn-watch.ts'

const watch = new TurnWatch()
watch.install()

interface Work {
  readonly begin: number
  readonly end: number
}

/** The clock has moved meanwhile, so that a span of nothing is no span of it. */
function work(): Work {
  const begin = performance.now()
  let end = begin
  while (end - begin < 1) end = performance.now()
  return { begin, end }
}

const within = ({ begin, end }: Work): number => watch.spans.filter(({ startMs, endMs }) => startMs <= begin && endMs >= end).length

/** A turn that is not the engine's; the watch is told, as a benchmark tells it. */
const apart = (): Promise<void> =>
  new Promise(resolve =>
    untimed.immediate(() => {
      watch.tick()
      resolve()
    }),
  )

async function watched(run: () => Promise<void>): Promise<void> {
  watch.start()
  await run()
  await apart()
  watch.stop()
}

test('work behind an awaited immediate, timer or message is in a span, however many promises lie between', async () => {
  const hops = async (hop: number): Promise<void> => (hop > 0 ? await hops(hop - 1) : undefined)
  const code = "const { parentPort } = require('node:worker_threads'); parentPort.once('message', it => parentPort.postMessage(it))"
  const echo = new Worker(code, { eval: true })
  echo.unref()
  const ways: Readonly<Record<string, () => Promise<unknown>>> = {
    immediate: () => new Promise<void>(resolve => setImmediate(resolve)),
    timer: () => new Promise<void>(resolve => setTimeout(resolve, 1)),
    message: () => {
      const answer = new Promise(resolve => echo.once('message', resolve))
      echo.postMessage('text')
      return answer
    },
  }
  for (const [name, wait] of Object.entries(ways)) {
    await watched(async () => {
      // Begun from a turn of nobody's, so that what is watched is what comes behind it.
      await apart()
      await wait()
      await hops(5)
      const first = work()
      await hops(3)
      const second = work()
      await apart()
      assert.equal(within({ begin: first.begin, end: second.end }), 1, name)
    })
  }
})

test('work that the engine schedules is in a span, and counted as such, where its door to the event loop is loaded behind the watch', async () => {
  const { systemScheduler } = await import('../src/base/scheduler.ts')
  const { setImmediate: named } = await import('node:timers')
  const ways: Readonly<Record<string, (fn: () => void) => void>> = {
    immediate: fn => void systemScheduler.immediate(fn),
    after: fn => void systemScheduler.after(1, fn, true),
    named: fn => void named(fn),
  }
  for (const [name, schedule] of Object.entries(ways)) {
    await watched(async () => {
      await apart()
      const own = await new Promise<Work>(resolve => schedule(() => resolve(work())))
      await apart()
      assert.equal(within(own), 1, name)
      assert.equal(watch.scheduled, 1, name)
    })
  }
  await watched(async () => {
    await apart()
    watch.run(work)
    await apart()
    assert.equal(watch.scheduled, 0)
  })
})

test('a span ends with its turn: the next one is apart, and what was between is in none', async () => {
  await watched(async () => {
    await new Promise<void>(resolve => setImmediate(resolve))
    const own = work()
    await apart()
    const foreign = work()
    await new Promise<void>(resolve => setImmediate(resolve))
    const next = work()
    await apart()
    assert.equal(within(own), 1)
    assert.equal(within(foreign), 0)
    assert.equal(within(next), 1)
    assert.equal(within({ begin: own.begin, end: next.end }), 0)
  })
})

test('what the benchmark calls for itself is timed as the call alone, inside of a turn as part of it', async () => {
  await watched(async () => {
    await apart()
    const called = watch.run(work)
    const after = work()
    await apart()
    assert.equal(within(called), 1)
    assert.equal(within(after), 0)
    await new Promise<void>(resolve => setImmediate(resolve))
    const before = watch.spans.length
    const inner = watch.run(work)
    const rest = work()
    assert.equal(watch.spans.length, before)
    await apart()
    assert.equal(within({ begin: inner.begin, end: rest.end }), 1)
  })
})

test('a turn that throws ends its span', async () => {
  const idle = new Worker('', { eval: true })
  idle.unref()
  idle.once('message', () => {
    throw new Error('intended')
  })
  await watched(async () => {
    await apart()
    assert.throws(() => idle.emit('message'), /intended/)
    await apart()
    const foreign = work()
    await new Promise<void>(resolve => setImmediate(resolve))
    const next = work()
    await apart()
    assert.equal(within(foreign), 0)
    assert.equal(within(next), 1)
  })
})
