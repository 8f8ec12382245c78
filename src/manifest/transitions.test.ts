import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hasCode } from '../base/errors.ts'
import { GENESIS, type LogPosition, logName, type Manifest } from '../format/index.ts'
import { firstManifest, fork, giveUp, roll, takeOver, unfork } from './transitions.ts'

const author = { writer: '01'.repeat(16), createdBy: 'test' }
const rival = { writer: '02'.repeat(16), createdBy: 'test' }
const at = (file: string, epoch: number): LogPosition => ({ file, bytes: 2000, epoch, digest: 'cd'.repeat(32) })
const [one, two, three] = [logName(1, 1), logName(1, 2), logName(1, 3)] as const

function sample(): Manifest {
  const first = firstManifest('aa'.repeat(16), 'bb'.repeat(16), author)
  return roll(roll(first, GENESIS, one, null), at(one, 3), two, null)
}

const isBug = (error: unknown): boolean => hasCode(error, 'TIDEMARK_BUG')

test('a roll closes the open file at the accepted end and opens the next', () => {
  const { log, number } = sample()
  assert.equal(number, 3)
  assert.deepEqual(log, [
    { file: one, end: { bytes: 2000, epoch: 3, digest: 'cd'.repeat(32) } },
    { file: two, end: null },
  ])
  assert.deepEqual(
    roll(sample(), at(one, 3), three, null).log.map(entry => entry.file),
    [one, three],
  )
})

test('a roll changes no closed file, drops none, and begins no file twice', () => {
  assert.throws(() => roll(sample(), at(one, 2), three, null), isBug)
  assert.throws(() => roll(sample(), { ...at(one, 3), bytes: 1999 }, three, null), isBug)
  assert.throws(() => roll(sample(), GENESIS, three, null), isBug)
  assert.throws(() => roll(sample(), at(two, 5), one, null), isBug)
  assert.throws(() => roll(sample(), at(two, 5), two, null), isBug)
  assert.throws(() => roll(sample(), at(three, 5), logName(1, 4), null), isBug)
  assert.throws(() => roll(sample(), at(two, 2), three, null), isBug)
})

test('a takeover raises number and token by as much, and keeps the log', () => {
  const old = sample()
  const next = takeOver(old, old.number, old.log, rival)
  assert.equal(next.token, old.token + 1)
  assert.equal(takeOver(old, 10, old.log, rival).token, old.token + 8)
  assert.throws(() => takeOver(old, old.number - 1, old.log, rival), isBug)
  // The manifest that named the third file was lost, and the second one holds nothing that counts.
  const followed = [...old.log.slice(0, 1), { file: three, end: null }]
  assert.deepEqual(takeOver(old, old.number + 1, followed, rival).log, followed)
  assert.throws(() => takeOver(old, old.number, [{ file: three, end: null }], rival), isBug)
  assert.throws(() => takeOver(old, old.number, old.log.slice(0, 1), rival), isBug)
  assert.throws(() => takeOver(old, old.number, [], rival), isBug)
})

test('the log of a takeover reaches to the fold point', () => {
  const old = sample()
  const folded: Manifest = { ...old, fold: { ...at(two, 5), file: two, timeMs: 1, nextId: 1, catalogue: [] } }
  const goesOn = (epoch: number) => [...old.log.slice(0, 1), { file: two, end: { ...at(two, epoch) } }, { file: three, end: null }]
  for (const log of [folded.log, goesOn(5)]) assert.equal(takeOver(folded, folded.number, log, rival).log, log)
  for (const log of [goesOn(4), [...old.log.slice(0, 1), { file: three, end: null }]])
    assert.throws(() => takeOver(folded, folded.number, log, rival), isBug)
})

test('only a fork goes back behind a closed end, and it says so in the lineage', () => {
  const old = roll(sample(), at(two, 6), three, null)
  const forked = fork(old, at(one, 2), 'cc'.repeat(16))
  assert.deepEqual(forked.log, [{ file: one, end: { bytes: 2000, epoch: 2, digest: 'cd'.repeat(32) } }])
  assert.deepEqual(forked.lineage.at(-1), { id: 'cc'.repeat(16), forkEpoch: 2 })
  assert.throws(() => fork(old, at(one, 2), 'bb'.repeat(16)), isBug)
  assert.throws(() => giveUp(old, at(one, 2)), isBug)
  assert.deepEqual(giveUp(old, at(two, 6)).log.at(-1)?.end?.epoch, 6)
})

test('a fork forgets the lineages of which no epoch is left, so that going back again and again makes no list of them', () => {
  const forks = ({ lineage }: Manifest): number[] => lineage.map(({ forkEpoch }) => forkEpoch)
  let next = roll(sample(), at(two, 6), three, null)
  let ids = 0
  const back = (epoch: number): string => {
    const id = (++ids).toString(16).padStart(32, '0')
    next = fork(next, epoch === 0 ? GENESIS : at(epoch > 3 ? two : one, epoch), id)
    assert.equal(next.lineage.at(-1)?.id, id)
    return id
  }
  const [first] = next.lineage
  back(3)
  const second = back(2)
  assert.deepEqual(forks(next), [0, 2])
  next = { ...next, log: sample().log }
  back(5)
  back(5)
  assert.deepEqual(forks(next), [0, 2, 5])
  assert.deepEqual(next.lineage.slice(0, 2), [first, { id: second, forkEpoch: 2 }])
  for (let times = 0; times < 3; times++) back(1)
  assert.deepEqual(forks(next), [0, 1])
  for (let times = 0; times < 3; times++) back(0)
  assert.deepEqual(forks(next), [0, 0])
  assert.equal(next.lineage[0], first)
})

test('nor does going back to points that rise, where those before are not kept: what is kept has the lineage that it had', () => {
  const ofEpoch = (lineage: Manifest['lineage'], epoch: number) => lineage.findLast(({ forkEpoch }) => forkEpoch < epoch)?.id
  let next = sample()
  let all = next.lineage
  for (let round = 1; round <= 50; round++) {
    const [fold, to] = [{ ...at(one, round * 10), file: one, timeMs: 1, nextId: 1, catalogue: [] }, round * 10 + (round % 3)]
    const retained = round % 4 === 0 ? [] : [{ number: 1, epoch: fold.epoch - 15, timeMs: 1 }]
    const folded = { ...next, fold, retained, log: [{ file: one, end: at(one, to + 5) }] }
    const id = round.toString(16).padStart(32, '0')
    next = fork(folded, at(one, to), id)
    all = [...all, { id, forkEpoch: to }]
    assert.ok(next.lineage.length <= 5, next.lineage.map(({ forkEpoch }) => forkEpoch).join())
    for (let epoch = retained[0]?.epoch ?? fold.epoch; epoch <= to + 1; epoch++)
      assert.equal(ofEpoch(next.lineage, epoch), ofEpoch(all, epoch), `round ${round}, epoch ${epoch}`)
  }
  assert.equal(next.lineage[0], all[0])
})

test('nothing but a fork changes the lineages', () => {
  const old = sample()
  const other = { ...old, lineage: [...old.lineage, { id: 'cc'.repeat(16), forkEpoch: 2 }] }
  assert.equal(roll(other, at(two, 5), three, null).lineage, other.lineage)
  assert.equal(giveUp(other, at(two, 5)).lineage, other.lineage)
  assert.equal(takeOver(other, other.number, other.log, rival).lineage, other.lineage)
  assert.equal(unfork(old, fork(old, at(one, 3), 'dd'.repeat(16))).lineage, old.lineage)
})
