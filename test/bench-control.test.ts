/** The control takes turns as the engine did, short ones too: p99.9 of few long ones would be that of another share of them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openControl, rateOf, turnsTaken } from '../bench/harness/control.ts'
import { TurnWatch, untimed } from '../bench/open-loop/turn-watch.ts'

test('short turns of the engine are short turns of the control, and long ones take as long together', () => {
  const turnsMs = [...Array.from({ length: 900 }, () => 0.05), ...Array.from({ length: 100 }, () => 0.7)]
  const taken = turnsTaken(turnsMs, 10)
  assert.deepEqual({ ...taken, longTotalMs: Math.round(taken.longTotalMs) }, { turns: 1000, longTurns: 100, longTotalMs: 70, seconds: 10 })
  const { longPerSecond, longMs, shortPerSecond, shortMs } = rateOf([taken])
  assert.equal(shortPerSecond, 90)
  assert.ok(Math.abs(longPerSecond * longMs - 7) < 0.001)
  assert.ok(shortMs < 0.1 && longMs > 0.1)
})

test('several runs of the engine are one by their medians, and where there is none there are turns all the same', () => {
  const run = (turns: number, seconds: number) => ({ turns, longTurns: 0, longTotalMs: 0, seconds })
  assert.equal(rateOf([run(10, 1), run(60, 2), run(1000, 10)]).shortPerSecond, 30)
  const { longPerSecond, shortPerSecond } = rateOf([])
  assert.ok(longPerSecond > 0 && shortPerSecond > 0)
})

test('no turn of the control is one that it does not owe, and each is seen', async () => {
  const watch = new TurnWatch()
  watch.install()
  const begin = performance.now()
  watch.start()
  const control = openControl({ longPerSecond: 20, longMs: 0.35, shortPerSecond: 30, shortMs: 0.02 })
  // However slow the machine is: what is owed grows with the time that passes.
  while (watch.scheduled < 20) await new Promise<void>(resolve => untimed.after(resolve, 10))
  watch.stop()
  await control.close()
  const owed = (50 * (performance.now() - begin)) / 1000
  assert.ok(watch.scheduled <= owed + 2, `${watch.scheduled} turns, ${owed} owed`)
})
