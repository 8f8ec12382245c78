/** Bounds of benchmarks that are about nothing when something did not happen: then they are not met, and never left out. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Bound, holds } from '../bench/harness/suite.ts'
import { boundsLoaded, type Loaded } from '../bench/hydration/suite.ts'
import { boundsOf as oneKeyBounds } from '../bench/one-key/suite.ts'
import { countCalls } from '../bench/one-key/trace.ts'
import { type Row as OpenRow, boundsOf as openBounds } from '../bench/open-loop/suite.ts'
import { keptUp } from '../bench/spikes/judge.ts'
import type { Row } from '../bench/spikes/run.ts'
import type { IsolationResult, LongResult, SteadyResult } from '../bench/upkeep/contract.ts'
import { boundsOf } from '../bench/upkeep/suite.ts'

const broken = (bounds: readonly Bound[]): string[] => bounds.filter(bound => !holds(bound)).map(({ name }) => name.replace(/^[^:]*: /, ''))

const FEET = { segments: 1e6, log: 1e6, all: 2e6 }
const LONG = { bytesWritten: 3e6, deltaBytes: 1e6, after: FEET, emptied: { ...FEET, segments: 1e5 }, liveBytes: 1e6 } as LongResult
const STEADY = { windowMs: 100, all: [1, 2, 1], segments: [1, 1, 1], folds: 1 } as unknown as SteadyResult
const PHASE = { commits: [1, 2], delays: [1, 2], upkeepBytes: 5 }

test('upkeep: what was not measured is a bound that is not met', () => {
  const all = boundsOf(LONG, STEADY, { rest: PHASE, busy: PHASE })
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
    const bounds = boundsOf(long, steady, isolation)
    assert.equal(bounds.length, all.length)
    assert.deepEqual(broken(bounds), names)
  }
})

const FIGURES = { p50: 1, p99: 1, p999: 1, max: 1 }
const loaded = (engine: string, rep: number, hydratedMs: number): Loaded =>
  ({ engine, rep, hydratedMs, latencyMs: FIGURES, stallMs: FIGURES }) as unknown as Loaded

test('hydration: a run in which hydration did not end is counted, whatever the others did', () => {
  const others = [0, 1].flatMap(rep => [loaded('plain', rep, Number.NaN), loaded('control', rep, Number.NaN)])
  const of = (...mine: Loaded[]): string[] => broken(boundsLoaded({ quick: false }, [...others, ...mine]))
  assert.deepEqual(of(loaded('tidemark', 0, 5), loaded('tidemark', 1, 6)), [])
  assert.deepEqual(of(loaded('tidemark', 0, 5), loaded('tidemark', 1, Number.NaN)), ['runs in which not all came into memory'])
  assert.equal(of().length, 4)
})

test('open loop: checkpoints that were left out, or of which there was none', () => {
  const row = (engine: string, checkpoints: number, skipped: number): OpenRow =>
    ({ engine, rep: 0, checkpoints, skipped, latencyMs: FIGURES, stallMs: FIGURES }) as unknown as OpenRow
  const of = (intervalMs: number, ...figures: [checkpoints: number, skipped: number]): string[] =>
    broken(openBounds({ quick: false }, intervalMs, [row('plain', 0, 0), row('control', 0, 0), row('tidemark', ...figures)]))
  assert.deepEqual(of(5000, 9, 1), [])
  assert.deepEqual(of(5000, 8, 2), ['checkpoints left out'])
  assert.deepEqual(of(100, 8, 2), [])
  assert.deepEqual(of(100, 8, 9), ['checkpoints left out'])
  assert.deepEqual(of(100, 0, 0), ['checkpoints left out'])
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

test('one key: a checkpoint without a call is no checkpoint, and one with two is too dear', () => {
  const of = (folder: string, ...calls: string[]): string[] =>
    broken(oneKeyBounds(countCalls(['open("/begin")', ...calls, 'open("/end")'].join('\n'), folder, '/begin', '/end').groups, 1))
  const calls = ['7 pwrite64(3</store/log>, ...)', '7 fdatasync(3</store/log>)', '7 pread64(3</store/log>, ...)']
  assert.deepEqual(of('/store', ...calls), [])
  assert.deepEqual(of('/store', ...calls, ...calls.slice(0, 1)), ['appends'])
  assert.deepEqual(of('/store', ...calls.slice(1)), ['appends'])
  assert.deepEqual(of('/link', ...calls), ['appends', 'syncs', 'reads'])
})
