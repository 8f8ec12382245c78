import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Manifest, RetainedPoint } from '../format/index.ts'
import { foldTo, trim } from './folding.ts'
import { PointAges } from './point-ages.ts'
import { firstManifest, roll } from './transitions.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS
const YEAR_MS = 365 * DAY_MS
const BEGIN_MS = 50 * YEAR_MS

/** A store that folds in its own file of the log each time, in a time that passes by hand beside a wall clock that says what it wants. */
class Folds {
  manifest: Manifest
  /** Since the store was made. */
  nowMs = 0
  /** What the wall clock is wrong by. */
  wrongMs = 0
  /** When each epoch was folded. */
  readonly madeAt = new Map<number, number>([[0, 0]])
  readonly #retention = { keepLast: 3, keepMs: HOUR_MS }
  #ages!: PointAges
  #monotonicFrom = 0

  constructor() {
    const first = firstManifest('aa'.repeat(16), 'bb'.repeat(16), { writer: '01'.repeat(16), createdBy: 'test' })
    const end = { file: null, bytes: 0, epoch: 0, digest: '00'.repeat(32) }
    this.manifest = roll(first, end, fileOf(1), null)
    this.open()
  }

  /** The clock of a process begins anew, and did not go on while there was none. */
  open(): void {
    this.#monotonicFrom = this.nowMs
    this.#ages = new PointAges(() => this.nowMs - this.#monotonicFrom, this.manifest.fold)
  }

  fold(): void {
    const epoch = (this.manifest.fold?.epoch ?? 0) + 1
    const end = { file: fileOf(epoch), bytes: 2000, epoch, digest: 'ab'.repeat(32) }
    const rolled = roll(this.manifest, end, fileOf(epoch + 1), null)
    const point = { ...end, timeMs: BEGIN_MS + this.nowMs + this.wrongMs, nextId: 2, catalogue: [] }
    this.manifest = foldTo(rolled, point, [], this.#retention, this.#ages.upTo(point))
    this.madeAt.set(epoch, this.nowMs)
    this.assertReach()
  }

  /** Nothing is folded, and the points are looked at each minute. */
  rest(ms: number): void {
    for (const end = this.nowMs + ms; this.nowMs < end; this.nowMs += MINUTE_MS) {
      this.manifest = trim(this.manifest, this.#retention, this.#ages.now) ?? this.manifest
      this.assertReach()
    }
  }

  assertReach(): void {
    for (const [at, age] of this.madeAt) {
      // One a minute is kept.
      if (this.nowMs - age <= HOUR_MS - MINUTE_MS) assert.ok(this.reachesMs >= this.nowMs - age, `epoch ${at} is gone`)
    }
  }

  foldFor(ms: number, everyMs = 30_000): void {
    for (const end = this.nowMs + ms; this.nowMs < end; this.nowMs += everyMs) this.fold()
  }

  /** How far back the oldest point that is kept goes. */
  get reachesMs(): number {
    const oldest = this.manifest.retained[0] as RetainedPoint
    return this.nowMs - (this.madeAt.get(oldest.epoch) as number)
  }

  /** As if the clock had always been right. */
  assertTrim(): void {
    const { retained, log } = this.manifest
    assert.ok(this.reachesMs <= HOUR_MS + 2 * MINUTE_MS, `${this.reachesMs / MINUTE_MS} minutes are kept`)
    assert.ok(retained.length <= 66 && log.length <= 128, `${retained.length} points, ${log.length} files`)
  }
}

function fileOf(sequence: number): string {
  return `log/00000001-${sequence.toString(16).padStart(8, '0')}.log`
}

for (const [name, jumpMs] of [
  ['ahead', YEAR_MS],
  ['back', -40 * YEAR_MS],
  ['ahead by less than is kept', HOUR_MS / 2],
] as const) {
  test(`one fold while the wall clock is ${name} drops nothing young, and the log is trimmed as before`, () => {
    const store = new Folds()
    store.foldFor(2 * HOUR_MS)
    store.assertTrim()
    store.wrongMs = jumpMs
    store.fold()
    store.wrongMs = 0
    store.nowMs += 10_000
    store.foldFor(3 * HOUR_MS)
    store.assertTrim()
  })

  test(`a wall clock that stays ${name} changes nothing, nor does its correction, nor the next run`, () => {
    const store = new Folds()
    store.foldFor(2 * HOUR_MS)
    store.wrongMs = jumpMs
    store.foldFor(3 * HOUR_MS)
    store.assertTrim()
    store.wrongMs = 0
    // Where nothing stands before those whose times are early, the next run could not tell them from old ones.
    store.foldFor(jumpMs > 0 ? 30 * MINUTE_MS : 2 * HOUR_MS)
    store.open()
    store.foldFor(2 * HOUR_MS)
    store.assertTrim()
  })

  test(`a run that begins or ends while the wall clock is ${name} drops nothing young, and the log is trimmed as before`, () => {
    for (const when of ['begins', 'ends']) {
      const store = new Folds()
      store.foldFor(2 * HOUR_MS)
      store.wrongMs = jumpMs
      if (when === 'ends') store.fold()
      store.open()
      if (when === 'ends') store.wrongMs = 0
      store.nowMs += 10_000
      store.fold()
      store.wrongMs = 0
      store.nowMs += 10_000
      store.foldFor(3 * HOUR_MS)
      store.assertTrim()
    }
  })
}

for (const wrongMs of [YEAR_MS, -40 * YEAR_MS, HOUR_MS / 2, -2 * HOUR_MS]) {
  test(`in the run after one in which the wall clock was ${wrongMs / HOUR_MS} hours wrong for a while nothing young is dropped, and the log is trimmed as before`, () => {
    const store = new Folds()
    store.fold()
    store.nowMs += 20 * MINUTE_MS
    store.wrongMs = wrongMs
    store.foldFor(10 * MINUTE_MS)
    store.wrongMs = 0
    store.foldFor(5 * MINUTE_MS)
    for (let run = 0; run < 3; run++) {
      store.open()
      store.foldFor(MINUTE_MS)
    }
    store.foldFor(3 * HOUR_MS)
    store.assertTrim()
  })
}

test('of a store that was closed for days the past stays until the point behind it is old, too; short runs add up', () => {
  const store = new Folds()
  store.foldFor(2 * HOUR_MS)
  store.nowMs += 3 * DAY_MS
  store.open()
  store.fold()
  assert.ok(store.reachesMs > 3 * DAY_MS, 'only a clock that may be wrong says so')
  // As many as are kept whatever their age.
  for (let run = 0; run < 2; run++) {
    store.nowMs += DAY_MS
    store.open()
    for (let count = 0; count < 3; count++) store.fold()
  }
  assert.ok(store.reachesMs < 3 * DAY_MS, `${store.reachesMs / DAY_MS} days`)
  store.foldFor(2 * HOUR_MS)
  store.assertTrim()
})

test('beside a wall clock that stands still, as a faked one, the log is trimmed by the time that passes, and in the run after it', () => {
  const store = new Folds()
  const standStill = (ms: number): void => {
    for (const end = store.nowMs + ms; store.nowMs < end; store.nowMs += 30_000) {
      store.wrongMs = -store.nowMs
      store.fold()
    }
  }
  standStill(3 * HOUR_MS)
  store.assertTrim()
  assert.ok(store.manifest.retained.length > 50, 'one a minute')
  store.open()
  standStill(3 * HOUR_MS)
  store.assertTrim()
  store.open()
  store.wrongMs = 0
  store.foldFor(3 * HOUR_MS)
  store.assertTrim()
})

for (const wrongMs of [0, YEAR_MS, -40 * YEAR_MS, HOUR_MS / 2]) {
  test(`at rest points age by the time that passes, with a wall clock that is ${wrongMs / HOUR_MS} hours wrong at times, and in a run that makes none`, () => {
    for (const opens of [false, true]) {
      for (const when of ['before', 'last']) {
        const store = new Folds()
        store.foldFor(2 * HOUR_MS)
        store.wrongMs = wrongMs
        if (when === 'before') store.foldFor(10 * MINUTE_MS)
        else store.fold()
        if (when === 'before') store.wrongMs = 0
        store.nowMs += 10_000
        store.fold()
        if (opens) store.open()
        store.rest(HOUR_MS / 2)
        assert.ok(store.manifest.retained.length > 20)
        store.rest(HOUR_MS)
        const { retained, log, fold } = store.manifest
        // Those that are kept whatever their age, and the log from the first of them on.
        assert.equal(retained.length, 2)
        const oldest = retained[0]?.epoch ?? 0
        assert.equal(log.length, (fold?.epoch ?? 0) - oldest + 2)
        const { number } = store.manifest
        store.rest(HOUR_MS)
        assert.equal(store.manifest.number, number)
      }
    }
  })
}
