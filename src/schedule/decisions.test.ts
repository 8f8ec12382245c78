import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DECISIONS_KEPT } from '../base/limits.ts'
import { Decisions } from './decisions.ts'
import { Delta } from './delta.ts'

test('like decisions in a row take one place, the newest stay, those of earlier runs come first', () => {
  const decisions = new Decisions()
  for (let time = 0; time < 1000; time++) decisions.add({ time, type: 'barrier', reason: 'interval', numbers: { windowMs: time } })
  assert.deepEqual(decisions.list(), [
    { time: 0, type: 'barrier', reason: 'interval', numbers: { windowMs: 999 }, times: 1000, until: 999 },
  ])
  decisions.remember([{ time: -5, type: 'pause', reason: 'loop', numbers: {}, times: 1, until: -5 }])
  assert.deepEqual(
    decisions.list().map(({ type }) => type),
    ['pause', 'barrier'],
  )
  for (let time = 0; time < 1000; time++)
    decisions.add({ time, type: 'barrier', reason: time % 2 === 0 ? 'interval' : 'asked', numbers: {} })
  assert.equal(decisions.list().length, DECISIONS_KEPT)
  assert.equal(decisions.list().at(-1)?.time, 999)
  assert.equal(decisions.made, 2000)
})

test('that the RPO of a critical collection is broken, or met, takes a place beside that of the store', () => {
  const decisions = new Decisions()
  const add = (type: 'rpo-broken' | 'rpo-met', rpoMsMax: number): void =>
    decisions.add({ time: 0, type, reason: type === 'rpo-met' ? 'durable' : 'storage', numbers: { rpoMs: 9000, rpoMsMax } })
  for (const type of ['rpo-broken', 'rpo-met'] as const) for (const rpoMsMax of [50, 50, 4000]) add(type, rpoMsMax)
  assert.deepEqual(
    decisions.list().map(({ type, numbers: { rpoMsMax }, times }) => [type, rpoMsMax, times]),
    [
      ['rpo-broken', 50, 2],
      ['rpo-broken', 4000, 1],
      ['rpo-met', 50, 2],
      ['rpo-met', 4000, 1],
    ],
  )
})

test('the delta of a collection is estimated by its own records, of a new one by all, and a collection that is gone is forgotten', () => {
  const delta = new Delta()
  assert.equal(delta.bytes([{ id: 1, keys: 10 }]), 1000)
  for (let n = 0; n < 20; n++) {
    delta.cut([
      { id: 1, keys: 10 },
      { id: 2, keys: 100 },
    ])
    delta.committed(
      new Map([
        [1, 50_000],
        [2, 1000],
        [3, 0],
      ]),
    )
  }
  assert.ok(Math.abs(delta.bytes([{ id: 1, keys: 2 }]) - 10_000) < 1)
  assert.ok(Math.abs(delta.bytes([{ id: 2, keys: 2 }]) - 20) < 1)
  assert.ok(Math.abs(delta.bytes([{ id: 3, keys: 1 }]) - 51_000 / 110) < 5)
  delta.cut([])
  delta.committed(new Map([[2, 0]]))
  assert.ok(Math.abs(delta.bytes([{ id: 1, keys: 1 }]) - 51_000 / 110) < 5, 'as a new one')
})
