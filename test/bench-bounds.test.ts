/** Bounds of benchmarks that are about nothing when something did not happen: then they are not met, and never left out. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { BytesAssignment, BytesResult } from '../bench/bytes/contract.ts'
import { boundsOf as boundsOfBytes } from '../bench/bytes/suite.ts'
import type { ClosedLoopResult } from '../bench/closed-loop/contract.ts'
import { boundsOf as closedBounds } from '../bench/closed-loop/suite.ts'
import { runChild } from '../bench/harness/child.ts'
import { bucketsOf, showBuckets } from '../bench/harness/histogram.ts'
import { largest, medianOfAll } from '../bench/harness/stats.ts'
import { type Bound, holds } from '../bench/harness/suite.ts'
import { boundsLoaded, type Loaded } from '../bench/hydration/suite.ts'
import { type Row as LargerRow, boundsOf as largerBounds } from '../bench/larger-than-memory/suite.ts'
import { mayTrace, boundsOf as oneKeyBounds } from '../bench/one-key/suite.ts'
import { countCalls } from '../bench/one-key/trace.ts'
import { type Row as OpenRow, boundsOf as openBounds } from '../bench/open-loop/suite.ts'
import { boundsOf as awkwardBounds } from '../bench/spikes/awkward.ts'
import { boundsOf as dayBounds } from '../bench/spikes/flights-day.ts'
import { beyondBounds, keptUp } from '../bench/spikes/judge.ts'
import { flatOutBounds } from '../bench/spikes/rates.ts'
import type { Row } from '../bench/spikes/run.ts'
import { boundsOf as slowBounds } from '../bench/spikes/slow-storage.ts'
import type { IsolationResult, LongResult, ReopenedPhase, SteadyResult } from '../bench/upkeep/contract.ts'
import { boundsOf, boundsReopened, uncountedOf } from '../bench/upkeep/suite.ts'
import { BOUNDS_MS } from '../src/base/histogram.ts'
import { root } from './root.ts'
import { temporaryFolder } from './temporary.ts'

const broken = (bounds: readonly Bound[]): string[] => bounds.filter(bound => !holds(bound)).map(({ name }) => name.replace(/^[^:]*: /, ''))

const FEET = { segments: 1e6, log: 1e6, all: 2e6 }
const LONG = { bytesWritten: 3e6, deltaBytes: 1e6, after: FEET, emptied: { ...FEET, segments: 1e5 }, liveBytes: 1e6 } as LongResult
const STEADY = { windowMs: 100, all: [1, 2, 1], segments: [1, 1, 1], folds: 1 } as unknown as SteadyResult
const PHASE = { commits: [1, 2], delays: [1, 2], upkeepBytes: 5 }

test('upkeep: what was not measured is a bound that is not met', () => {
  const all = boundsOf([LONG], STEADY, { rest: PHASE, busy: PHASE })
  assert.deepEqual(broken(all), [])
  const cases: readonly [LongResult, SteadyResult, IsolationResult, string[]][] = [
    [
      LONG,
      { ...STEADY, folds: 0, segments: [0, 0, 0] },
      { rest: PHASE, busy: PHASE },
      ['busiest 100 ms of writing, segments', 'folds in the even stream'],
    ],
    [LONG, STEADY, { rest: PHASE, busy: { ...PHASE, upkeepBytes: 0 } }, ['upkeep beside the small checkpoints']],
    [{ ...LONG, deltaBytes: 0, bytesWritten: 0 }, STEADY, { rest: PHASE, busy: PHASE }, ['bytes written to all files']],
    [
      LONG,
      STEADY,
      { rest: PHASE, busy: { ...PHASE, commits: [], delays: [] } },
      ['p99 of small checkpoints beside upkeep, 2 x at rest + 10 ms', 'p99.9 of requests beside upkeep, at rest + 1 ms'],
    ],
  ]
  for (const [long, steady, isolation, names] of cases) {
    const bounds = boundsOf([long], steady, isolation)
    assert.equal(bounds.length, all.length)
    assert.deepEqual(broken(bounds), names)
  }
})

const FIGURES = { p50: 1, p99: 1, p999: 1, max: 1 }
const SEEN = { latencyMs: FIGURES, stallMs: FIGURES, scheduledTurns: 9 }
const loaded = (engine: string, rep: number, hydratedMs: number, checkpoints = 9, skipped = 0): Loaded =>
  ({ engine, rep, hydratedMs, checkpoints, skipped, ...SEEN }) as unknown as Loaded

test('hydration: a run in which hydration did not end is counted, whatever the others did', () => {
  const others = [0, 1].flatMap(rep => [loaded('plain', rep, Number.NaN), loaded('control', rep, Number.NaN)])
  const of = (...mine: Loaded[]): string[] => broken(boundsLoaded({ quick: false }, [...others, ...mine]))
  assert.deepEqual(of(loaded('tidemark', 0, 5), loaded('tidemark', 1, 6)), [])
  assert.deepEqual(of(loaded('tidemark', 0, 5), loaded('tidemark', 1, Number.NaN)), ['runs in which not all came into memory'])
  assert.deepEqual(of(loaded('tidemark', 0, 5, 9, 1)), [])
  assert.deepEqual(of(loaded('tidemark', 0, 5, 8, 2)), ['checkpoints left out'])
  assert.deepEqual(of(loaded('tidemark', 0, 5), loaded('tidemark', 1, 5, 0)), ['checkpoints left out'])
  assert.deepEqual(of({ ...loaded('tidemark', 0, 5), scheduledTurns: 0 }), ['turns seen that the engine scheduled, least'])
  assert.equal(of().length, 6)
})

test('flights day: one fold of the day that counts tells nothing of its halves', () => {
  const stats = (folds: number): object => ({ stats: { upkeep: { folds } }, statsBefore: { upkeep: { folds: 7 } } })
  const of = (figures: object): string[] => {
    const row = (name: string, changes = {}): Row =>
      ({ name, engine: name, rep: 0, ...SEEN, segmentWindows: [1], ...changes }) as unknown as Row
    const mine = row('tidemark', { checkpoints: 5, failedCheckpoints: 0, ...figures })
    const day = Array.from({ length: 24 }, () => true)
    return broken(dayBounds({ quick: false }, [row('plain'), row('control'), mine], 1, day))
  }
  assert.deepEqual(of(stats(9)), [])
  assert.deepEqual(of(stats(8)), ['folds in the day that counts, least'])
  assert.deepEqual(of({}), ['folds in the day that counts, least'])
})

test('restart under load: nothing acknowledged before, or nothing found again, is no restart', () => {
  const of = (acknowledged: number, from: number): string[] => {
    const figures = { ...SEEN, checkpoints: 5, failedCheckpoints: 0, rep: 0 }
    const rows = ['plain', 'control', 'tidemark'].map(name => ({ ...figures, name, engine: name, from }) as unknown as Row)
    const killed = { ...figures, name: 'tidemark, killed', engine: 'tidemark', acknowledged } as unknown as Row
    return broken(awkwardBounds({ quick: false, subject: undefined }, 'restart under load', [...rows, killed]))
  }
  assert.deepEqual(of(5, 6), [])
  assert.deepEqual(of(6, 5), ['operations lost that were acknowledged'])
  assert.deepEqual(of(0, 5), ['operations acknowledged before the kill, least'])
  assert.deepEqual(of(0, 0), ['operations acknowledged before the kill, least', 'operations that the restart found, least'])
})

test('open loop: checkpoints that were left out, or of which there was none', () => {
  const row = (engine: string, checkpoints: number, skipped: number): OpenRow =>
    ({ engine, rep: 0, checkpoints, skipped, ...SEEN }) as unknown as OpenRow
  const of = (intervalMs: number, ...figures: [checkpoints: number, skipped: number]): string[] =>
    broken(openBounds({ quick: false }, intervalMs, [row('plain', 0, 0), row('control', 0, 0), row('tidemark', ...figures)]))
  assert.deepEqual(of(5000, 9, 1), [])
  assert.deepEqual(of(5000, 8, 2), ['checkpoints left out'])
  assert.deepEqual(of(100, 8, 2), [])
  assert.deepEqual(of(100, 8, 9), ['checkpoints left out'])
  assert.deepEqual(of(100, 0, 0), ['checkpoints left out'])
  const rows = [0, 1, 2].flatMap(rep => ['plain', 'control', 'tidemark'].map(name => ({ ...row(name, rep < 2 ? 9 : 0, 0), rep })))
  assert.deepEqual(broken(openBounds({ quick: false }, 5000, rows)), ['checkpoints left out'])
  const blind = rows.map(some => ({ ...some, checkpoints: 9, scheduledTurns: some.engine === 'tidemark' && some.rep === 1 ? 0 : 9 }))
  assert.deepEqual(broken(openBounds({ quick: false }, 5000, blind)), ['turns seen that the engine scheduled, least'])
})

test('no spikes: what was not made durable meanwhile', () => {
  const of = (changes: Partial<Row>, subject = 'tidemark'): string[] => {
    const row = { name: subject, rep: 0, checkpoints: 10, skipped: 0, failedCheckpoints: 0, rpoMs: 5500, ...changes } as Row
    return broken(keptUp({ shape: 'W1', rows: [row], subject, quick: false, latencyMs: { p999: 1, max: 1 } }, 5000))
  }
  assert.deepEqual(of({}), [])
  assert.deepEqual(of({ skipped: 2 }), ['checkpoints left out'])
  assert.deepEqual(of({ checkpoints: 0 }), ['checkpoints left out'])
  assert.deepEqual(of({ failedCheckpoints: 1 }), ['checkpoints that failed'])
  assert.deepEqual(of({ rpoMs: 10_001 }), ['age of what could be lost'])
  assert.deepEqual(of({ rpoMs: undefined }), ['age of what could be lost'])
  assert.deepEqual(of({ rpoMs: undefined }, 'dirty-set'), [])
})

test('no spikes: one repetition in which the engine broke is not outvoted by those in which it did not', () => {
  const good = { name: 'tidemark', checkpoints: 10, skipped: 0, failedCheckpoints: 0, rpoMs: 5500, ...SEEN }
  const others = [0, 1, 2].flatMap(rep => ['plain', 'control'].map(name => ({ ...good, name, rep })))
  const of = (changes: Partial<Row>): string[] => {
    const mine = [
      { ...good, rep: 0 },
      { ...good, rep: 1 },
      { ...good, ...changes, rep: 2 },
    ]
    const rows = [...others, ...mine] as unknown as Row[]
    const judged = { shape: 'W1', rows, subject: 'tidemark', quick: false, latencyMs: { p999: 1, max: 1 } }
    return broken([...beyondBounds(judged), ...keptUp(judged, 5000)])
  }
  assert.deepEqual(of({}), [])
  assert.deepEqual(of({ checkpoints: 0, rpoMs: undefined, failedCheckpoints: 3 }), [
    'checkpoints left out',
    'checkpoints that failed',
    'age of what could be lost',
  ])
  assert.deepEqual(of({ rpoMs: 60_000 }), ['age of what could be lost'])
  assert.deepEqual(of({ latencyMs: { ...FIGURES, p999: Number.NaN } }), ["latency p99.9 beyond the plain Map's"])
  assert.deepEqual(of({ stallMs: { ...FIGURES, p999: Number.NaN, max: Number.POSITIVE_INFINITY } }), [
    "stalls p99.9 beyond the control loop's",
  ])
})

const SLOW_CHECKPOINTS = { p50: 60, p99: 2100, p999: 2100, max: 2100 }
const slowRow = (subject: string, rep: number, changes: Partial<Row> = {}): Row => {
  const figures = { ...SEEN, checkpoints: 5, checkpointMs: SLOW_CHECKPOINTS, rpoMs: 12_000 }
  return { name: subject, rep, ...figures, ...changes } as unknown as Row
}

test('slow storage: a run that did not recover breaks the bound, whatever the others did', () => {
  const name = 'stuck for 10 s'
  const of = (changes: Partial<Row>): string[] => {
    const rows = [1, 2, 3].flatMap(rep => [
      ...['plain', 'control'].map(subject => slowRow(subject, rep)),
      ...['plain, weighed', 'tidemark, weighed'].map(subject => slowRow(subject, rep, { alive: { before: 1, after: 2, dirtyKeys: 3 } })),
      slowRow(`tidemark, ${name}`, rep, { recoveredMs: 100, ...(rep === 2 && changes) }),
    ])
    return broken(slowBounds({ quick: false }, name, 5000, rows))
  }
  assert.deepEqual(of({}), [])
  assert.deepEqual(of({ recoveredMs: Number.POSITIVE_INFINITY }), ['until an acknowledged barrier is no older than the interval'])
  assert.deepEqual(of({ recoveredMs: undefined }), ['until an acknowledged barrier is no older than the interval'])
  assert.deepEqual(of({ rpoMs: 5500 }), ['age of what could be lost, least'])
  assert.deepEqual(of({ rpoMs: undefined }), ['age of what could be lost, least'])
})

test('slow storage: an engine that commits nothing, and faults that did not come', () => {
  const of = (name: string, failures: number, changes: Partial<Row> = {}): string[] => {
    const mine = (rep: number, figures: Partial<Row>): Row =>
      slowRow(`tidemark, ${name}`, rep, { statsBefore: { failures: 2 }, ...figures })
    const rows = [
      ...[0, 1].flatMap(rep => [slowRow('plain', rep), slowRow('control', rep)]),
      mine(0, { stats: { failures: 5 } }),
      mine(1, { stats: { failures: 2 + failures }, ...changes }),
    ]
    return broken(slowBounds({ quick: false }, name, 1000, rows))
  }
  const errors = 'errors in one of ten writes'
  assert.deepEqual(of(errors, 3), [])
  assert.deepEqual(of(errors, 0), ['epochs that failed, least'])
  assert.deepEqual(of(errors, 3, { checkpoints: 0 }), ['checkpoints, least'])
  const syncs = 'syncs of 50 ms'
  assert.deepEqual(of(syncs, 0), [])
  assert.deepEqual(of(syncs, 0, { checkpoints: 0 }), ['checkpoints, least'])
  assert.deepEqual(of(syncs, 0, { checkpointMs: { ...SLOW_CHECKPOINTS, p50: 5 } }), ['median of checkpoints, least'])
  const stalls = 'stalls of 2 s'
  assert.deepEqual(of(stalls, 0), [])
  assert.deepEqual(of(stalls, 0, { checkpointMs: { ...SLOW_CHECKPOINTS, max: 5 } }), ['longest checkpoint, least'])
  assert.deepEqual(of(stalls, 0, { checkpointMs: { ...SLOW_CHECKPOINTS, max: Number.NaN } }), ['longest checkpoint, least'])
  assert.deepEqual(of('no faults', 0, { checkpointMs: { ...SLOW_CHECKPOINTS, p50: 5, max: 5 } }), [])
})

test('no engine is compared that makes no checkpoint meanwhile, or whose checkpoints fail', () => {
  const figures = { ...SEEN, perSecond: 1000, heapBytes: 1e6, segmentWindows: [1], acknowledged: 5, from: 5 }
  const stats = { stats: { upkeep: { folds: 9 } }, statsBefore: { upkeep: { folds: 7 } } }
  const giant = { encodeMs: 1, bytes: 1, named: true }
  const row = (name: string, changes: Partial<Row> = {}): Row =>
    ({ name, engine: name, rep: 0, giant, ...stats, ...figures, ...changes }) as unknown as Row
  const day = Array.from({ length: 24 }, () => true)
  const ways: Readonly<Record<string, (rows: readonly Row[]) => Bound[]>> = {
    'flat out': rows => flatOutBounds({ shape: 'W4', rows, subject: 'tidemark', quick: false, latencyMs: { p999: 1, max: 1 } }),
    'flights day': rows => dayBounds({ quick: false }, rows, 1, day),
    ...Object.fromEntries(
      ['one giant value', 'tiny batches', 'queue', 'churn', 'restart under load'].map(shape => [
        shape,
        (rows: readonly Row[]) => awkwardBounds({ quick: false, subject: undefined }, shape, rows),
      ]),
    ),
  }
  for (const [way, bounds] of Object.entries(ways)) {
    const of = (checkpoints: number, failedCheckpoints: number): string[] =>
      broken(bounds([row('plain'), row('control'), row('tidemark, killed'), row('tidemark', { checkpoints, failedCheckpoints })]))
    assert.deepEqual(of(5, 0), [], way)
    assert.deepEqual(of(0, 0), ['checkpoints, least'], way)
    assert.deepEqual(of(5, 1), ['checkpoints that failed'], way)
  }
  const larger = (role: LargerRow['role'], checkpoints: number, rssMaxBytes: number): LargerRow =>
    ({ role, rep: 0, checkpoints, rssMaxBytes, latencyMs: FIGURES }) as LargerRow
  const ofLarger = (checkpoints: number): string[] =>
    broken(largerBounds({ quick: false }, [larger('plain', 5, 10e6), larger('tidemark', checkpoints, 3e6)]))
  assert.deepEqual(ofLarger(4), [])
  assert.deepEqual(ofLarger(0), ['checkpoints, least'])
})

test('bytes: an engine that writes nothing, or something else, meets no bound', () => {
  const mine: BytesResult = { loaded: 1e6, added: 8e5, addedAll: 9e5, changed: 10_000, check: { differences: 0, planted: 1 } }
  const naive: BytesResult = { ...mine, added: 1e6, check: undefined }
  const of = (changes: Partial<BytesResult>): string[] =>
    boundsOfBytes('each 5 s', { tidemark: [{ ...mine, ...changes }], 'dirty-set': [naive] })
      .filter(bound => !holds(bound))
      .map(({ name }) => name)
  assert.deepEqual(of({}), [])
  assert.deepEqual(of({ added: 95e4 }), ['bytes per checkpoint, each 5 s'])
  assert.deepEqual(of({ added: 0 }), ['bytes per changed key, each 5 s'])
  assert.deepEqual(of({ check: { differences: 1, planted: 1 } }), ['entries that differ after reopening, each 5 s'])
  assert.deepEqual(of({ check: { differences: 0, planted: 0 } }), ['differences found where one was planted, each 5 s'])
  assert.deepEqual(of({ check: undefined }), [
    'entries that differ after reopening, each 5 s',
    'differences found where one was planted, each 5 s',
  ])
})

test('bytes: what was left behind is opened and compared', async t => {
  const job: BytesAssignment = { engine: 'tidemark', folder: temporaryFolder(t), keys: 300, checkpoints: 3, updatesEach: 50, theta: 0.99 }
  const { result } = await runChild<BytesResult>(join(root, '.build/bench/bytes/worker.js'), job)
  assert.deepEqual(result.check, { differences: 0, planted: 1 })
  assert.ok(result.added > result.changed)
})

test('a median of all is no number as soon as one of them is none', () => {
  assert.equal(medianOfAll([3, 1, 2]), 2)
  assert.equal(medianOfAll([1, 2]), 1.5)
  assert.equal(medianOfAll([1, Number.POSITIVE_INFINITY, 2]), 2)
  assert.equal(medianOfAll([1, Number.POSITIVE_INFINITY]), Number.POSITIVE_INFINITY)
  assert.equal(medianOfAll([1, Number.NaN, 2]), Number.NaN)
  assert.equal(medianOfAll([]), Number.NaN)
  assert.equal(largest([1, 3, 2]), 3)
  assert.equal(largest([1, Number.NaN]), Number.NaN)
  assert.equal(largest([]), Number.NaN)
})

test('one key: a checkpoint without a call is no checkpoint, and one with two is too dear', () => {
  const of = (folder: string, ...calls: string[]): string[] =>
    broken(oneKeyBounds(countCalls(['open("/begin")', ...calls, 'open("/end")'].join('\n'), folder, '/begin', '/end').groups, 1))
  const calls = ['7 pwrite64(3</store/log>, ...)', '7 fdatasync(3</store/log>)', '7 pread64(3</store/log>, ...)']
  assert.deepEqual(of('/store', ...calls), [])
  assert.deepEqual(of('/store', ...calls, ...calls.slice(0, 1)), ['appends'])
  assert.deepEqual(of('/store', ...calls.slice(1)), ['appends'])
  assert.deepEqual(of('/link', ...calls), ['appends', 'syncs', 'reads'])
})

test('one key: strace writes what is not ASCII, and some of what is, in escapes, in the path of a descriptor more than in that of a call', () => {
  const folder = '/jürgen "a\\b<c>\u{1}7\n\u{7f}☃'
  const [ofDescriptor, ofCall] = [String.raw`\74c\76`, '<c>'].map(
    angled => String.raw`/j\303\274rgen \"a\\b` + angled + String.raw`\0017\n\177\342\230\203`,
  )
  const calls = ['pwrite64', 'fdatasync', 'pread64'].map(name => `7 ${name}(3<${ofDescriptor}/log>, "\\303", ...)`)
  const trace = [calls[0], `7 openat(AT_FDCWD</>, "${ofCall}/begin")`, ...calls, `7 openat(AT_FDCWD</>, "${ofCall}/end")`, calls[0]]
  const { groups } = countCalls(trace.join('\n'), folder, `${folder}/begin`, `${folder}/end`)
  assert.deepEqual(broken(oneKeyBounds(groups, 1)), [])
  assert.equal(countCalls(trace.join('\n'), '/jorgen', '/begin', '/end').groups.append, 0)
})

test('one key: a strace that is there and may not trace is none', t => {
  const folder = temporaryFolder(t)
  writeFileSync(join(folder, 'strace'), '#!/bin/sh\ntest "$1" = -V\n', { mode: 0o755 })
  assert.ok(!mayTrace({ ...process.env, PATH: folder }))
})

test('closed loop: a set that is fast only until it has to be made durable', () => {
  const result: ClosedLoopResult = {
    insert: 1,
    get: 1,
    set: 1,
    setSaturated: 1,
    setDurable: 1,
    heapNew: 1,
    heapDirty: 1,
    heapLongest: 1,
    gcMs: 1,
  }
  const of = (quick: boolean, setDurable: number): string[] =>
    broken(closedBounds({ quick }, { plain: [result], tidemark: [{ ...result, setDurable }] }))
  assert.deepEqual(of(false, 0.8), [])
  assert.deepEqual(of(false, 0.31), ['speed of set until all is durable'])
  assert.deepEqual(of(true, 0.31), [])
  assert.deepEqual(of(true, 0.05), ['speed of set until all is durable'])
})

test('stalls are counted between the bounds of the histograms of the store, each once', () => {
  const buckets = bucketsOf([0, 0.06, 0.0625, 0.9, 1, 5000])
  assert.deepEqual(
    buckets.map(({ belowMs }) => belowMs),
    BOUNDS_MS,
  )
  assert.deepEqual(
    buckets.map(({ count }) => count),
    [2, 1, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 1],
  )
  const [head, , mine, other] = showBuckets('stalls, ms', [
    ['tidemark', buckets],
    ['control', bucketsOf([3])],
    ['tidemark', buckets],
  ]).split('\n')
  assert.match(head as string, /^stalls, ms +< 0.0625 .* < 1024 +more$/)
  assert.match(mine as string, /^tidemark +4 +2 +0 +0 +2 +2 +0( +0)* +2$/)
  assert.match(other as string, /^control +0 +0 +0 +0 +0 +0 +1( +0)+$/)
})

test('bytes and upkeep: medians over the repetitions, but for what must never be', () => {
  const mine: BytesResult = { loaded: 1e6, added: 8e5, addedAll: 9e5, changed: 10_000, check: { differences: 0, planted: 1 } }
  const naive: BytesResult = { ...mine, added: 1e6, check: undefined }
  const ofBytes = (...changes: Partial<BytesResult>[]): string[] => {
    const tidemark = changes.map(change => ({ ...mine, ...change }))
    return boundsOfBytes('each 5 s', { tidemark, 'dirty-set': changes.map(() => naive) })
      .filter(bound => !holds(bound))
      .map(({ name }) => name)
  }
  assert.deepEqual(ofBytes({}, { added: 95e4 }, {}), [])
  assert.deepEqual(ofBytes({}, { added: 95e4 }, { added: 95e4 }), ['bytes per checkpoint, each 5 s'])
  assert.deepEqual(ofBytes({}, { check: { differences: 1, planted: 1 } }, {}), ['entries that differ after reopening, each 5 s'])
  assert.deepEqual(ofBytes({}, {}, { check: { differences: 0, planted: 0 } }), ['differences found where one was planted, each 5 s'])
  const ofLong = (...bytes: number[]): string[] => {
    const longs = bytes.map(bytesWritten => ({ ...LONG, bytesWritten }))
    return broken(boundsOf(longs, STEADY, { rest: PHASE, busy: PHASE }))
  }
  assert.deepEqual(ofLong(3e6, 5e6, 3e6), [])
  assert.deepEqual(ofLong(3e6, 5e6, 5e6), ['bytes written to all files'])
  assert.deepEqual(ofLong(0, 0, 0), ['bytes written to all files'])
})

test('upkeep: a system that counts fewer bytes than were committed counts none, and what the store wrote is taken', () => {
  const of = (bytesWritten: number, mergeBytes: number): string[] =>
    broken(boundsOf([{ ...LONG, bytesWritten, foldBytes: 1e6, mergeBytes }], STEADY, { rest: PHASE, busy: PHASE }))
  for (const uncounted of [0, 9e5, Number.NaN]) {
    assert.deepEqual(of(uncounted, 1e6), [])
    assert.deepEqual(of(uncounted, 3e6), ['bytes written to all files'])
    assert.deepEqual(uncountedOf([LONG, { ...LONG, bytesWritten: uncounted }], STEADY).length, 1)
  }
  assert.deepEqual(of(1e6, 3e6), [])
  assert.deepEqual(uncountedOf([LONG], STEADY), [])
  assert.equal(uncountedOf([LONG], { ...STEADY, all: undefined }).length, 1)
})

test('upkeep: hydration that holds up commits, does not end, or meets nothing', () => {
  const phase: ReopenedPhase = { ...PHASE, hydratedMs: 1000, commitsBefore: 20, tables: 5 }
  const of = (changes: Partial<ReopenedPhase>): string[] => broken(boundsReopened({ onDemand: phase, hydrating: { ...phase, ...changes } }))
  assert.deepEqual(of({}), [])
  assert.deepEqual(of({ commits: [1, 20] }), ['p99 of small checkpoints beside hydration, 2 x without + 10 ms'])
  assert.deepEqual(of({ commits: [] }), ['p99 of small checkpoints beside hydration, 2 x without + 10 ms'])
  assert.deepEqual(of({ hydratedMs: 20_000 }), ['hydration beside commits and folds, until all is home'])
  assert.deepEqual(of({ hydratedMs: Number.NaN }), ['hydration beside commits and folds, until all is home'])
  assert.deepEqual(of({ commitsBefore: 0 }), ['small checkpoints before all is home'])
  assert.deepEqual(of({ tables: 1 }), ['upkeep beside hydration'])
})
