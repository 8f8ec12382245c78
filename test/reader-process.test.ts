/** An older process still reads a store while another one opens it, folds and merges, and removes every file that the reader stands on. */
import assert from 'node:assert/strict'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import type { Settings } from 'tidemark'
import { openFailing } from './crash/open-failing.ts'
import { Remote } from './faults/remote.ts'
import { temporaryFolder } from './temporary.ts'

const WRITER: Settings = { checkpoint: { intervalMs: 0 }, retention: { keepLast: 1, keepMs: 0 } }
const COUNT = 400
/** All is written again and again so long, at most: what the manifest before the newest names goes no sooner than the one after it comes. */
const ROUNDS_MS_MAX = 60_000
/** For folds, merges, and the grace of what they leave. */
const ROUND_MS = 150

const files = (directory: string): string[] =>
  ['segment', 'log'].flatMap(folder => readdirSync(join(directory, folder)).map(name => join(directory, folder, name)))

async function readBeside(t: TestContext, hydrate: 'on-demand' | 'background'): Promise<void> {
  const directory = temporaryFolder(t)
  const first = await openFailing(directory, WRITER)
  for (let at = 0; at < COUNT; at++) first.map('map').set(`key ${at}`, { at, round: 0 })
  first.map('map').set('gone later', true)
  await first.checkpoint()
  // A close gives a fold two seconds at most.
  while (first.stats().upkeep.foldedEpoch < 1) await setTimeout(20)
  await first.close()
  const tail = await openFailing(directory, WRITER)
  tail.map('map').set('in the tail', true)
  await tail.checkpoint()
  await tail.close()

  const older = new Remote(t)
  await older.call({ op: 'open', directory, settings: { readOnly: true, restore: { hydrate } } })
  const stoodOn = files(directory)
  assert.ok(
    ['segment', 'log'].every(folder => stoodOn.some(path => path.startsWith(join(directory, folder)))),
    stoodOn.join(),
  )

  const store = await openFailing(directory, WRITER)
  const map = store.map('map')
  map.delete('gone later')
  let round = 0
  const end = performance.now() + ROUNDS_MS_MAX
  for (let left = stoodOn; left.length > 0; left = stoodOn.filter(path => existsSync(path))) {
    assert.ok(performance.now() < end, `${left.join()} stayed over ${round} rounds`)
    round++
    for (let at = 0; at < COUNT; at++) map.set(`key ${at}`, { at, round })
    await store.checkpoint()
    await setTimeout(ROUND_MS)
  }
  // It is told behind the whole sweep.
  for (let look = 0; look < 1000 && store.stats().upkeep.filesRemoved < stoodOn.length; look++) await setTimeout(20)
  const { folds, merges, filesRemoved } = store.stats().upkeep
  assert.ok(folds > 0 && merges > 0 && filesRemoved >= stoodOn.length, JSON.stringify(store.stats().upkeep))

  const expected = new Map<string, unknown>(Array.from({ length: COUNT }, (_, at) => [`key ${at}`, { at, round: 0 }]))
  assert.deepEqual(await older.entries(), expected.set('gone later', true).set('in the tail', true))
  await older.call({ op: 'close' })
  await older.leave()

  const younger = new Remote(t)
  await younger.call({ op: 'open', directory, settings: { readOnly: true, restore: { hydrate } } })
  assert.deepEqual(await younger.entries(), new Map(map))
  await younger.call({ op: 'close' })
  await younger.leave()
  await store.close()
}

for (const hydrate of ['on-demand', 'background'] as const) {
  test(`an older process reads all it opened (${hydrate}) when another has removed every file of it`, t => readBeside(t, hydrate))
}
