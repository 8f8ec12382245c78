/** A delete of a cold entry asks the disk once whether it is there, also while a capture or a transaction looks on. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { begin, transaction } from './support/cold-rig.ts'

for (const evicts of [false, true]) {
  test(`a delete during a capture looks once (evicts: ${evicts})`, () => {
    const { rig, map, cold } = begin(4, { lies: 8, evicts })
    map.set('k0', 'changed')
    rig.cut()
    const { looks } = cold
    assert.equal(map.delete('k1'), true)
    assert.equal(cold.looks - looks, 1)
    assert.equal(map.delete('k1'), false)
    assert.equal(cold.looks - looks, 1)
    assert.equal(map.delete('not there'), false)
    assert.equal(cold.looks - looks, 2)
    rig.commit()
    rig.checkpoint()
    assert.equal(map.size, 3)
    assert.deepEqual([...map.keys()].toSorted(), ['k0', 'k2', 'k3'])
  })
}

test('a delete in a transaction is taken back with it', () => {
  const { rig, map } = begin(2, { lies: 8 })
  transaction(rig, () => assert.equal(map.delete('k1'), true), 'rollback')
  assert.deepEqual([...map].toSorted(), [
    ['k0', { n: 0 }],
    ['k1', { n: 1 }],
  ])
  transaction(rig, () => assert.equal(map.delete('k1'), true), 'commit')
  assert.deepEqual([...map.keys()], ['k0'])
})
