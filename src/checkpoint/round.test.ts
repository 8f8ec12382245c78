/** The last round beside a service whose turns have a length: how long its slices are, how much of the time they take, when it is through. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Loop } from '../../test/support/loop.ts'
import { Histogram } from '../base/histogram.ts'
import { type Capture, Outbox, Space } from '../capture/index.ts'
import { Bursts } from '../schedule/index.ts'
import { type Flight, newFlight } from './flight.ts'
import { Pace } from './pace.ts'
import { Round } from './round.ts'
import { Turns } from './turns.ts'

const STEP_MS = 0.01
const STALL_MS = 1

interface Way {
  /** Of the service, in each turn of the loop; the loop rests for 0.1 ms otherwise. */
  readonly serviceMs: number
  readonly steps: number
  readonly load: number
  readonly captureBy?: number
  /** The same for critical collections. */
  readonly criticalBy?: number
  readonly asked?: boolean
  readonly spreadMs?: number
  readonly stepMs?: number
  /** Keys whose stored entry is to be looked up. */
  readonly doubts?: { left: number }
}

interface Calls {
  /** Of the service, in one turn: so long they take, and so long the engine is at work in them. */
  readonly ms: number
  readonly engineMs: number
}

/** As long as a look-up takes. */
const LOOK_MS = 0.05

/** When all was captured, the longest slice, and the share of the time that slices took. */
function run(way: Way) {
  const [one] = rounds(way, [undefined])
  assert.ok(one !== undefined)
  return one
}

/** The same, of one round after the other; in some of them calls of the service come in the third turn. `after`: what comes behind each. */
function rounds(
  way: Way,
  calls: readonly (Calls | undefined)[],
  after: (loop: Loop, slices: number[]) => void = () => {},
): { endedAt: number; longest: number; share: number }[] {
  const { serviceMs, steps, load, captureBy = Number.POSITIVE_INFINITY, asked = false, spreadMs = 0, stepMs = STEP_MS, doubts } = way
  const loop = new Loop()
  const cold = {
    settleDoubt: (): boolean => {
      if (doubts === undefined || doubts.left === 0) return false
      doubts.left--
      loop.nowMs += LOOK_MS
      return true
    },
  }
  const clock = { monotonic: () => loop.nowMs, now: () => 0 }
  let slices: number[] = []
  const space = new Space(new Histogram(), () => 0)
  const watch = { turnBegins: () => {}, turnEnded: (ms: number) => void slices.push(ms) }
  const turns = new Turns({ clock, scheduler: loop }, error => assert.fail(error), watch)
  const pace = new Pace(500)
  let endedAt = undefined as number | undefined
  const round = new Round({
    clock,
    turns,
    outbox: new Outbox(() => {}),
    space,
    pace,
    stallMsMax: STALL_MS,
    load: () => load,
    bursts: new Bursts(),
    captureBy: () => captureBy,
    captured: () => {
      endedAt = loop.nowMs
    },
    failed: error => assert.fail(error),
  })
  const capture = {
    steps: 0,
    parts: [{ cold }],
    get stepsMax() {
      return steps - this.steps
    },
    get finished() {
      return this.steps >= steps
    },
    run(expired: () => boolean) {
      while (!this.finished && !expired()) {
        this.steps++
        loop.nowMs += stepMs
      }
    },
    *unresolved() {},
    resolved() {},
  }
  return calls.map(call => {
    const begin = loop.nowMs
    endedAt = undefined
    slices = []
    capture.steps = 0
    const flight: Flight = newFlight({ epoch: 1, started: begin, records: 0, dueAt: begin + spreadMs, asked, hurried: false, whole: false })
    flight.capture = capture as unknown as Capture
    flight.captureBy = way.criticalBy ?? Number.POSITIVE_INFINITY
    round.begin(flight)
    for (let turn = 0; endedAt === undefined && turn < 1e6; turn++) {
      if (turn === 3 && call !== undefined) {
        space.accessed(call.engineMs)
        loop.nowMs += call.ms
      }
      loop.turn(Math.max(serviceMs, 0.1))
    }
    assert.ok(endedAt !== undefined, 'it never ends')
    const ms = endedAt - begin
    const figures = { endedAt: ms, longest: Math.max(...slices), share: slices.reduce((sum, one) => sum + one, 0) / ms }
    slices = []
    after(loop, slices)
    return figures
  })
}

test('slices leave most of the time to the service while nothing presses, and take half of what it has to spare', () => {
  const busy = run({ serviceMs: 0, steps: 50_000, load: 1 })
  assert.ok(busy.share > 0.1 && busy.share <= 0.16, `${busy.share} of a busy loop`)
  const idle = run({ serviceMs: 0, steps: 50_000, load: 0 })
  assert.ok(idle.share > 0.5 && idle.share <= 0.7, `${idle.share} of one at rest`)
  for (const { longest } of [busy, idle]) assert.ok(longest <= 0.4, `${longest} ms`)
})

test('in a loop with long turns of its own it is through in time, and no slice goes beyond the budget', () => {
  // 1 s of work in turns of 8 ms: slices of a third of the budget that came once a turn would need 23 s.
  const pressed = run({ serviceMs: 8, steps: 100_000, load: 1, captureBy: 10_000 })
  assert.ok(pressed.endedAt <= 10_500, `${pressed.endedAt} ms`)
  assert.ok(pressed.longest <= 0.8 * STALL_MS + 2 * STEP_MS, `${pressed.longest} ms`)
  const critical = run({ serviceMs: 8, steps: 100_000, load: 1, captureBy: 60_000, criticalBy: 10_000 })
  assert.ok(critical.endedAt <= 10_500, `${critical.endedAt} ms`)
  const easy = run({ serviceMs: 8, steps: 100_000, load: 1 })
  assert.ok(easy.endedAt > pressed.endedAt && easy.share <= 0.15, `${easy.endedAt} ms, ${easy.share}`)
})

test('where the time is too short the whole of it is taken', () => {
  const late = run({ serviceMs: 0, steps: 50_000, load: 1, captureBy: 0 })
  assert.ok(late.share > 0.5, `${late.share}`)
  assert.ok(late.longest <= 0.8 * STALL_MS + 2 * STEP_MS, `${late.longest} ms`)
})

test('one that somebody waits for hurries when its time is over', () => {
  const asked = run({ serviceMs: 0, steps: 100_000, load: 1, asked: true, spreadMs: 100 })
  const other = run({ serviceMs: 0, steps: 100_000, load: 1, asked: false, spreadMs: 100 })
  assert.ok(asked.endedAt < 2000, `${asked.endedAt} ms for a second of work`)
  assert.ok(other.endedAt > 5000, `${other.endedAt} ms`)
})

test('writes that come in bursts end the spreading, and after two rounds with one the next eight are not spread', () => {
  const way: Way = { serviceMs: 0, steps: 4000, stepMs: 0.002, load: 0.2, spreadMs: 500 }
  const took = (...calls: (Calls | undefined)[]): string =>
    rounds(way, calls)
      .map(({ endedAt }) => (endedAt < 150 ? 'h' : endedAt > 400 ? 's' : '?'))
      .join('')
  const burst = { ms: 20, engineMs: 15 }
  const calm = Array<undefined>(12).fill(undefined)
  assert.equal(took(...calm.slice(0, 3)), 'sss')
  assert.equal(took(burst, ...calm.slice(0, 3)), 'hsss')
  assert.equal(took(burst, burst, ...calm), `hh${'h'.repeat(8)}ssss`)
  // A loop that was held up and makes up for it.
  assert.equal(took({ ms: 20, engineMs: 2.5 }, { ms: 60, engineMs: 10 }, undefined), 'sss')
})

test('no commit waits until what a filter alone spoke for is looked up: that follows in slices of its own, until the next barrier', () => {
  const doubts = { left: 3000 }
  const seen: number[] = []
  const figures = rounds({ serviceMs: 0, steps: 1, load: 1, doubts }, [undefined, undefined], (loop, slices) => {
    seen.push(doubts.left)
    const begin = loop.nowMs
    while (loop.nowMs - begin < 100) loop.turn(0.1)
    seen.push(doubts.left)
    assert.ok(Math.max(...slices) <= 0.35 * STALL_MS + LOOK_MS, `${Math.max(...slices)} ms`)
    const share = slices.reduce((sum, ms) => sum + ms, 0) / (loop.nowMs - begin)
    assert.ok(share > 0.1 && share < 0.2, `${share} of a busy loop`)
  })
  for (const { endedAt } of figures) assert.ok(endedAt < 1, `${endedAt} ms`)
  const [first, second, third, fourth] = seen as [number, number, number, number]
  assert.equal(first, 3000)
  assert.ok(second < 2800 && second > 2000, `${second} are left`)
  assert.ok(third <= second && third > second - 10, `${third} are left`)
  assert.ok(fourth < third - 200, `${fourth} are left`)
})

test('of one collection so many are looked up in an epoch at most', () => {
  const doubts = { left: 10_000 }
  rounds({ serviceMs: 0, steps: 1, load: 0, doubts }, [undefined], loop => {
    const begin = loop.nowMs
    while (loop.nowMs - begin < 2000) loop.turn(0.1)
  })
  assert.equal(doubts.left, 10_000 - 4096)
})
