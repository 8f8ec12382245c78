import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LifeResult } from './chain.ts'
import { Tally } from './tally.ts'

const life = (place: string, end: LifeResult['end']): LifeResult => ({ place, end, acks: 2, epochs: 1, operations: 5, failures: [] })

test('a life that closed before it was killed counts as no kill, and lives that all did show nothing', () => {
  const tally = new Tally()
  tally.add(life('none: it closed before', 'closed'))
  tally.add(life('commit.seal', 'closed'))
  assert.deepEqual(tally.lines('3').slice(1), [
    '  commit.seal                          0 (1)',
    '  none: it closed before               0 (1)',
    '2 cycles, 0 of them killed (2 with acknowledgements), 4 acknowledgements, 2 epochs and 10 operations restored and compared, 3 s',
  ])
  assert.equal(tally.nothingShown(undefined), 'no life was killed: nothing was shown')
  tally.add(life('random, at work', 'killed'))
  assert.match(tally.lines('3').at(-1) as string, /^3 cycles, 1 of them killed /)
  assert.equal(tally.nothingShown(undefined), undefined)
})

test('a life that was killed elsewhere has not come to its failpoint', () => {
  const tally = new Tally()
  tally.add(life('merge.end', 'killed'))
  assert.equal(tally.nothingShown('merge.end'), 'no life came to merge.end: nothing was shown of it')
  tally.add(life('merge.end', 'failpoint'))
  assert.equal(tally.lines('3')[1], '  merge.end                            1 (1)')
  assert.equal(tally.nothingShown('merge.end'), undefined)
})
