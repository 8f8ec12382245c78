/**
 * The benchmark of spikes can fail: its bounds are handed figures that break them, its faults reach the writer's thread and nobody else, its
 * sampler sees a burst, and its comparison finds what was planted.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { runChild } from '../bench/harness/child.ts'
import { holds } from '../bench/harness/suite.ts'
import { bytesWritten } from '../bench/harness/written.ts'
import type { LoadSpec, SpikesResult } from '../bench/spikes/contract.ts'
import { FAULTS_VARIABLE, type FaultsSetting } from '../bench/spikes/faults.ts'
import { beyondBounds, drainWaste, evenness, type Judged } from '../bench/spikes/judge.ts'
import { makeLoad } from '../bench/spikes/loads.ts'
import type { Row } from '../bench/spikes/run.ts'
import { peak, Sampler } from '../bench/spikes/sampler.ts'
import { root } from './root.ts'
import { temporaryFolder } from './temporary.ts'

const four = (p999: number, max: number): SpikesResult['latencyMs'] => ({ p50: 0.1, p99: 0.5, p999, max })
const row = (name: string, changes: Partial<Row> = {}): Row =>
  ({
    name,
    rep: 0,
    latencyMs: four(3, 10),
    stallMs: four(0.4, 0.5),
    scheduledTurns: 50,
    windows: [10e6, 11e6, 9e6, 10e6],
    check: undefined,
    ...changes,
  }) as Row

const CHECK = { entries: 5, differences: 0, first: undefined, planted: 1, openMs: 1 }

function judged(changes: Partial<Row>, without?: string): Judged {
  const rows = [row('plain'), row('control'), row('tidemark', { check: CHECK, ...changes })].filter(({ name }) => name !== without)
  return { shape: 'a shape', rows, subject: 'tidemark', quick: false, latencyMs: { p999: 1, max: 1 } }
}

const broken = (of: Judged): string[] =>
  [...beyondBounds(of), evenness(of)].filter(bound => !holds(bound)).map(({ name }) => name.replace('a shape: ', ''))

test('what is within its bounds meets all of them', () => {
  assert.deepEqual(broken(judged({ latencyMs: four(3.9, 10.9), stallMs: four(0.8, 1.4) })), [])
})

test('each bound fails by what it is about, and by nothing else', () => {
  assert.deepEqual(broken(judged({ latencyMs: four(4.1, 10) })), ["latency p99.9 beyond the plain Map's"])
  assert.deepEqual(broken(judged({ latencyMs: four(3, 11.1) })), ["longest latency beyond the plain Map's"])
  assert.deepEqual(broken(judged({ stallMs: four(1, 1.2) })), ["stalls p99.9 beyond the control loop's"])
  assert.deepEqual(broken(judged({ stallMs: four(0.4, 1.6) })), ["longest stall beyond the control loop's"])
  assert.deepEqual(broken(judged({ scheduledTurns: 0 })), ['turns seen that the engine scheduled, least'])
  assert.deepEqual(broken(judged({ check: { ...CHECK, differences: 1 } })), ['entries that differ after reopening'])
  assert.deepEqual(broken(judged({ check: { ...CHECK, planted: 0 } })), ['differences found where one was planted'])
  assert.deepEqual(broken(judged({ windows: [1e6, 1e6, 1e6, 40e6] })), ['busiest 100 ms of writing'])
})

test('what was not measured meets no bound', () => {
  assert.equal(broken(judged({}, 'plain')).length, 2)
  assert.equal(broken(judged({}, 'control')).length, 2)
  assert.deepEqual(broken(judged({ windows: [] })), ['busiest 100 ms of writing'])
  assert.deepEqual(broken(judged({ windows: [0, 0, 0] })), ['busiest 100 ms of writing'])
})

test('what is no number comes out of a measuring process as what it is, and meets no bound', async t => {
  const file = join(temporaryFolder(t), 'worker.mjs')
  const harness = pathToFileURL(join(root, '.build/bench/harness/child.js')).href
  const result = '{ stallMs: { p999: NaN, max: NaN }, recoveredMs: Infinity, alive: undefined, windows: [1, NaN] }'
  writeFileSync(file, `import { deliver } from ${JSON.stringify(harness)}\nawait deliver(async () => (${result}))`)
  for (const under of [undefined, ['env']]) {
    const { result } = await runChild<Row>(file, {}, under === undefined ? {} : { under })
    assert.deepEqual(result, {
      stallMs: { p999: Number.NaN, max: Number.NaN },
      recoveredMs: Number.POSITIVE_INFINITY,
      alive: undefined,
      windows: [1, Number.NaN],
    })
    assert.deepEqual(broken(judged({ stallMs: result.stallMs })), [
      "stalls p99.9 beyond the control loop's",
      "longest stall beyond the control loop's",
    ])
  }
})

test('what the drain captured in vain is a share of what was captured meanwhile', () => {
  const stats = (bytesRaw: number, wasteBytes: number): unknown => ({ bytesRaw, drain: { bytes: 0, wasteBytes } })
  assert.equal(drainWaste(row('tidemark', { statsBefore: stats(100, 50), stats: stats(1100, 300) })), 0.25)
  assert.equal(drainWaste(row('tidemark', { statsBefore: { bytesRaw: 1 }, stats: { bytesRaw: 2 } })), undefined)
})

/** The state after so many operations, by a load that was made for more of them; the first `skipped` are known, not made. */
function stateAfter(spec: LoadSpec, operations: number, made: number, skipped = 0, from?: Map<string, unknown>): Map<string, unknown> {
  const map = from ?? new Map<string, unknown>()
  const target = {
    get: (key: string) => map.get(key),
    set: (key: string, value: unknown) => void map.set(key, value),
    delete: (key: string) => void map.delete(key),
  }
  const load = makeLoad(spec, made)
  if (from === undefined) for (let at = 0; at < load.entries; at++) load.put(target, at)
  load.skip?.(skipped)
  for (let at = skipped; at < operations; at++) load.make(target, at)
  load.turnEnd?.(target, operations)
  return map
}

const LOADS: readonly LoadSpec[] = [
  { kind: 'sessions', keys: 50, reads: 0.5, theta: 0.99 },
  { kind: 'sessions', keys: 50, reads: 0, theta: 0, giant: { parts: 3, every: 7 } },
  { kind: 'ticks', keys: 50, perTick: 10, theta: 0.99 },
  { kind: 'documents', keys: 3, theta: 0.99 },
  { kind: 'queue', keys: 20 },
  { kind: 'churn', keys: 20 },
]

test('loads: the state follows from the number of operations alone, however many were expected', () => {
  for (const spec of LOADS) {
    assert.deepEqual(stateAfter(spec, 40, 40), stateAfter(spec, 40, 4000), spec.kind)
    assert.notDeepEqual(stateAfter(spec, 40, 40), stateAfter(spec, 42, 40 + 2), spec.kind)
  }
})

test('loads: a process that goes on where another was killed comes to the same state', () => {
  const spec: LoadSpec = { kind: 'sessions', keys: 50, reads: 0.5, theta: 0.99, position: true }
  const resumed = stateAfter(spec, 90, 500, 40, stateAfter(spec, 40, 500))
  assert.deepEqual(resumed, stateAfter(spec, 90, 90))
})

/** Runs code in a thread of a process with the faults, and gives what it prints; `meanwhile` gets what was printed so far. */
async function inThread(
  folder: string,
  setting: FaultsSetting,
  code: string,
  meanwhile: (printed: () => string) => Promise<void> = async () => {},
): Promise<string> {
  const preload = pathToFileURL(join(root, '.build/bench/spikes/faults.js')).href
  const file = join(folder, 'thread.mjs')
  writeFileSync(file, `import fs from 'node:fs'\nimport { promisify } from 'node:util'\n${code}`)
  const main = `new (require('node:worker_threads').Worker)(${JSON.stringify(file)}, { execArgv: [], env: { ...process.env, NODE_OPTIONS: '' } })`
  const child = spawn(process.execPath, ['-e', main], {
    env: { ...process.env, NODE_OPTIONS: `--import=${preload}`, [FAULTS_VARIABLE]: JSON.stringify(setting) },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
  })
  const ended = new Promise<void>(resolve => child.on('close', () => resolve()))
  await meanwhile(() => output)
  await ended
  return output.trim()
}

const WRITES = `
  const file = fs.openSync('/dev/null', 'w')
  let failed = 0
  for (let at = 0; at < 2000; at++) try { fs.writeSync(file, 'x') } catch (error) { if (error.code === 'EIO') failed++ }
  const last = await promisify(fs.write)(file, Buffer.from('x'), 0, 1, null).then(({ bytesWritten }) => bytesWritten, error => error.code)
  console.log(failed, last)`

test('faults: one write in ten fails in a thread while they are switched on, none before, and callbacks keep their shape', async t => {
  const folder = temporaryFolder(t)
  const setting = { errorEvery: 10, on: join(folder, 'on'), stuck: join(folder, 'stuck') }
  assert.equal(await inThread(folder, setting, WRITES), '0 1')
  writeFileSync(setting.on, '')
  const failed = Number((await inThread(folder, setting, WRITES)).split(' ')[0])
  assert.ok(failed > 120 && failed < 280, `${failed} of 2000 failed`)
})

test('faults: no write returns while the storage is stuck', async t => {
  const folder = temporaryFolder(t)
  const setting = { on: join(folder, 'on'), stuck: join(folder, 'stuck') }
  writeFileSync(setting.stuck, '')
  const began = join(folder, 'began')
  const code = `
    fs.closeSync(fs.openSync(${JSON.stringify(began)}, 'w'))
    fs.writeSync(fs.openSync('/dev/null', 'w'), 'x')
    console.log(fs.existsSync(${JSON.stringify(setting.stuck)}))`
  const output = await inThread(folder, setting, code, async printed => {
    const pause = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))
    while (!existsSync(began)) await pause(20)
    await pause(300)
    assert.equal(printed(), '')
    rmSync(setting.stuck)
  })
  assert.equal(output, 'false')
})

/** Cumulative bytes at uneven times; the windows from 1,000 to 3,000 ms. */
function windowsOf(writtenAt: (ms: number) => number): number[] {
  const sampler = new Sampler('/nowhere')
  for (let ms = 900, step = 20; ms < 3200; ms += step, step = 20 + ((step * 7) % 13)) {
    sampler.add({ atMs: ms, written: writtenAt(ms), segments: 0, residentBytes: 0 })
  }
  return sampler.windows('written', 1000, 3000, 100)
}

test('the sampler tells a burst from an even stream, and what was not looked at from nothing', () => {
  const even = windowsOf(ms => ms * 1000)
  assert.equal(even.length, 20)
  assert.ok(Math.abs(peak(even) - 1) < 0.01, `an even stream: ${peak(even)}`)
  const burst = windowsOf(ms => (ms < 2040 ? 0 : 2e6))
  assert.ok(peak(burst) > 15, `a burst: ${peak(burst)}`)
  assert.equal(Math.round(burst.reduce((sum, bytes) => sum + bytes, 0)), 2e6)
  assert.ok(new Sampler('/nowhere').windows('written', 1000, 1100, 100).every(Number.isNaN))
})

const uncounted = existsSync('/proc/self/io') ? false : 'the system does not count writes'
test('what another process writes is seen', { skip: uncounted }, async t => {
  // Not in the folder for temporary files: what goes to memory is not counted as written.
  const folder = mkdtempSync(join(root, '.build', 'written-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const file = join(folder, 'file')
  const code = `require('fs').writeFileSync(${JSON.stringify(file)}, Buffer.alloc(5e6)); console.log('written'); setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['-e', code], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.after(() => child.kill('SIGKILL'))
  await new Promise(resolve => child.stdout.once('data', resolve))
  const written = bytesWritten(child.pid as number) as number
  assert.ok(written > 4e6 && written < 7e6, `${written} bytes`)
})
