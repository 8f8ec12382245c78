/** `tidemark profile` as it is published: over real stores, beside a living writer, over a damaged one. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { open, type Profile, profile } from 'tidemark'
import { textOf } from '../src/tools/profile.ts'
import { root } from './root.ts'
import { fails, json, MANUAL, run } from './support/cli.ts'
import { temporaryFolder } from './temporary.ts'

const EPOCHS = 24
const BLOCK_FRAME = Buffer.from([0xf7, 0x54, 0x4d, 0x46, 1])
const FRAME_HEADER_BYTES = 24

/** A hot map, a map of lines that are written once, a value; a checkpoint after each round. */
async function make(folder: string, epochs = EPOCHS): Promise<string> {
  const store = await open(folder, MANUAL)
  const hot = store.map<{ n: number }>('hot')
  const lines = store.map<string, number>('lines')
  const total = store.value('total', 0)
  for (let round = 0; round < epochs; round++) {
    for (let key = 0; key < 20; key++) hot.set(`k${key}`, { n: round * key })
    for (let line = 0; line < 5; line++) lines.set(round * 5 + line, `line ${line} of round ${round}`)
    total.set(round)
    await store.checkpoint()
  }
  await store.close()
  return folder
}

test('profile says how a store is written, as text and as data, and writes nothing', async t => {
  const folder = await make(temporaryFolder(t))
  const before = readdirSync(folder, { recursive: true }).sort()
  const found = json('profile', folder) as Profile
  assert.deepEqual([found.ok, found.history.epochs, found.history.firstEpoch], [true, EPOCHS, 1])
  // Key 0 is set to the same in every round, which the engine writes once.
  const hot = 19 * EPOCHS + 1
  assert.deepEqual(found.collections.map(({ name, kind, records, distinctKeys }) => [name, kind, records, distinctKeys]).sort(), [
    ['hot', 'map', hot, 20],
    ['lines', 'map', 5 * EPOCHS, 5 * EPOCHS],
    ['total', 'value', EPOCHS, 1],
  ])
  assert.equal(found.collections.find(({ name }) => name === 'hot')?.redundantShare, 0)
  assert.equal(found.blocks.length, 20)
  const { status, out } = run(['profile', folder])
  assert.equal(status, 0)
  for (const part of [/^history +24 epochs, 1 to 24/m, /^"hot" {2}map, 20 entries$/m, /^interval +log bytes\/s/m, /^zstd 1 +4.00 KiB/m])
    assert.match(out, part)
  const one = json('profile', folder, '--collection', 'total') as Profile
  assert.deepEqual([one.all.records, one.collections.length], [EPOCHS, 1])
  assert.deepEqual(readdirSync(folder, { recursive: true }).sort(), before)
  assert.equal((await profile(folder)).history.logBytes, found.history.logBytes)
})

test('of a young store no figure is told that its history cannot give', async t => {
  for (const epochs of [1, 2, 3, 5]) {
    const folder = await make(temporaryFolder(t), epochs)
    assert.doesNotMatch(run(['profile', folder]).out, /Infinity|NaN/, `${epochs}`)
    assert.doesNotMatch(run(['profile', folder, '--json']).out, /null/, `${epochs}`)
    const { intervals } = await profile(folder)
    assert.ok(
      intervals.every(({ errorShare }) => Number.isFinite(errorShare)),
      `${epochs}`,
    )
    assert.ok(intervals.every(({ factor }, index) => index > 0 || factor === 1))
  }
})

test('a figure is told without an exponent wherever it is rounded up', async t => {
  const found = await profile(await make(temporaryFolder(t), 3))
  const told = (recordsPerSecond: number): string =>
    /written +(\S+) records\/s/.exec(textOf({ ...found, all: { ...found.all, recordsPerSecond } }, false).join('\n'))?.[1] ?? ''
  const values = [0.25, 9.94, 9.95, 9.97, 99.4, 99.5, 99.7, 99.96, 100.2, 999.6, 1234.5]
  assert.deepEqual(values.map(told), ['0.25', '9.9', '9.9', '10', '99', '100', '100', '100', '100', '1,000', '1,235'])
})

test('commits that come seldom have a rate', async t => {
  const found = await profile(await make(temporaryFolder(t), 3))
  const [interval] = found.intervals
  assert.ok(interval !== undefined)
  const told = (commitsPerSecond: number): string =>
    / (\S+)$/.exec(
      textOf({ ...found, intervals: [{ ...interval, commitsPerSecond }] }, false).find(line => /\/s +\d\S*$/.test(line)) ?? '',
    )?.[1] ?? ''
  assert.deepEqual([4.678, 0.624, 0.1, 0.0333, 1 / 3600].map(told), ['4.68', '0.62', '0.10', '0.033', '0.00028'])
})

test('where nothing was written, or no time passed, no rate and no share is told', async t => {
  const text = async (found: Profile): Promise<string> => textOf(found, false).join('\n')
  const one = await text(await profile(await make(temporaryFolder(t), 1)))
  assert.match(one, /^interval +not known: no time lies between two epochs$/m)
  assert.match(one, /^ {2}written +\d+ records, 0 % deletes$/m)
  assert.doesNotMatch(one, /\/s|over time|lulls/)
  const folder = temporaryFolder(t)
  const store = await open(folder, MANUAL)
  store.map('quiet')
  store.value('total', 0).set(1)
  await store.checkpoint()
  await store.close()
  const quiet = await text(await profile(folder, { collection: 'quiet' }))
  assert.match(quiet, /^"\(all\)" {2}0 entries\n {2}written +nothing$/m)
  assert.doesNotMatch(quiet, /hot set|redundant|left of the bytes/)
})

test('what is asked wrongly is refused', async t => {
  const folder = await make(temporaryFolder(t))
  for (const seconds of ['x', '0', '-1', '']) fails(2, /is no number of seconds/, 'profile', folder, `--for=${seconds}`)
  for (const seconds of ['604801', 'Infinity']) fails(2, /is more than 604800 seconds/, 'profile', folder, '--for', seconds)
  fails(2, /'' is no name of a collection/, 'profile', folder, '--collection', '')
  fails(1, /no collection 'nothing'/, 'profile', folder, '--collection', 'nothing')
  fails(1, /TIDEMARK_NO_STORE/, 'profile', join(folder, 'none'))
})

test('a store that wrote nothing while it was followed is said to have written nothing', async t => {
  const folder = await make(temporaryFolder(t))
  const { status, out } = run(['profile', folder, '--for', '0.3'])
  assert.deepEqual([status, out], [0, 'nothing was written in the time it was followed\n'])
  fails(1, /no collection 'nothing'/, 'profile', folder, '--for', '0.3', '--collection', 'nothing')
})

test('a damaged log: what lies before it, said as such, and status 1', async t => {
  const folder = await make(temporaryFolder(t))
  const [name] = readdirSync(join(folder, 'log'))
  const path = join(folder, 'log', name as string)
  const bytes = readFileSync(path)
  // A block in the middle: what else stands there may be healed.
  const at = bytes.indexOf(BLOCK_FRAME, bytes.length >> 1) + FRAME_HEADER_BYTES
  assert.ok(at > bytes.length >> 1)
  bytes[at] = (bytes[at] as number) ^ 1
  writeFileSync(path, bytes)
  const { status, out } = run(['profile', folder])
  assert.equal(status, 1)
  assert.match(out, new RegExp(`^damaged: log/${name} at \\d+: `))
  const said = JSON.parse(run(['profile', folder, '--json']).out) as Profile
  assert.ok(!said.ok && said.history.damage?.file === `log/${name}` && said.history.epochs > 0 && said.history.epochs < EPOCHS)
})

test('beside a living writer it follows what comes, and only that', async t => {
  const folder = temporaryFolder(t)
  const store = await open(folder, { checkpoint: { intervalMs: 50 } })
  const map = store.map<number>('hot')
  map.set('before', 1)
  const first = await store.checkpoint()
  const { bin } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { bin: { tidemark: string } }
  const child = spawn(process.execPath, [join(root, bin.tidemark), 'profile', folder, '--for', '5', '--json'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let out = ''
  child.stdout.setEncoding('utf8').on('data', text => {
    out += text
  })
  const ended = once(child, 'close')
  let writes = 0
  while (child.exitCode === null) {
    for (let key = 0; key < 10; key++) map.set(`k${key}`, writes++)
    await sleep(10)
  }
  assert.deepEqual(await ended, [0, null])
  const last = await store.checkpoint()
  await store.close()
  const { ok, history, all } = JSON.parse(out) as Profile
  assert.ok(ok && history.epochs >= 3, `${history.epochs} epochs`)
  assert.ok(history.firstEpoch > first.epoch && history.lastEpoch <= last.epoch)
  assert.equal(history.epochs, history.lastEpoch - history.firstEpoch + 1)
  assert.equal(all.distinctKeys, 10)
})
