/** Stores as the command line reads them: what it walks over once does not stay in the heap. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CELL, Contents } from '../src/tools/stores.ts'
import { SimulatedStore } from './support/simulated-store.ts'

const CELLS = 50

test('of values that are walked over none stays in the heap, as of the entries of maps', async () => {
  const world = new SimulatedStore()
  const made = await world.open()
  for (let at = 0; at < CELLS; at++) made.value<object>(`cell ${at}`, {}).set({ at })
  made.map<object>('map').set('k', { at: -1 })
  made.value('unset', { at: 0 })
  made.value('undefined', 0 as number | undefined).set(undefined)
  await world.checkpoint()
  await world.close()
  const store = await world.open({ readOnly: true, restore: { hydrate: 'on-demand' } })
  const contents = new Contents(store)
  const walk = (): unknown[] => contents.names.flatMap(name => [...contents.entriesOf(name).scan()].map(([, value]) => value))
  const [first, again] = [walk(), walk()]
  assert.deepEqual(first, again)
  assert.equal(first.length, CELLS + 2)
  // What is in the heap is given itself.
  for (const [at, value] of first.entries()) if (value !== undefined) assert.notEqual(value, again[at])
  const cell = contents.entriesOf('cell 7')
  assert.equal(cell.get(CELL), cell.get(CELL))
  const { size, ...entries } = contents.entriesOf('unset')
  assert.deepEqual([size, entries.has(CELL), [...entries.keys()], entries.get(CELL)], [0, false, [], undefined])
  assert.equal(contents.entriesOf('undefined').has(CELL), true)
  assert.equal(contents.entriesOf('undefined').has('another'), false)
  await world.close()
})

test('a name that there is not is told some of those that there are', async () => {
  const world = new SimulatedStore()
  const store = await world.open()
  const names = Array.from({ length: 20 }, (_, at) => `name ${10 + at}`)
  for (const name of names) store.map(name)
  assert.throws(() => new Contents(store).entriesOf('nam'), { status: 1, hint: `there are: ${names.join(', ')}` })
  for (let at = 30; at < 60; at++) store.map(`name ${at}`)
  const hint = `there are: ${names.join(', ')} and 30 more: tidemark status`
  assert.throws(() => new Contents(store).entriesOf('nam'), { hint })
  await world.close()
})
