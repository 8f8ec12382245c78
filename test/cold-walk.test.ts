/** Walks over cold entries on a disk that now and then does not give back what is stored: each entry is given once, as it is. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Eviction } from '../src/capture/index.ts'
import { begin } from './support/cold-rig.ts'

const entriesOf = (iterator: Iterator<[unknown, unknown]>): [unknown, unknown][] => {
  const given: [unknown, unknown][] = []
  for (let step = iterator.next(); step.done !== true; step = iterator.next()) given.push(step.value)
  return given
}

for (const pick of ['entries', 'scan'] as const) {
  test(`what left the heap behind a walk and is set while it cannot be read is given once, as set (${pick})`, () => {
    const { map, collection, cold } = begin(3, { evicts: true, lies: 8, home: ['k0'] })
    const walk = map[pick]()
    assert.equal(walk.next().value?.[0], 'k1')
    assert.equal(new Eviction(collection).run(1), 1)
    cold.damaged = true
    map.set('k0', 'new')
    cold.damaged = false
    assert.deepEqual(entriesOf(walk), [
      ['k2', { n: 2 }],
      ['k0', 'new'],
    ])
  })
}
