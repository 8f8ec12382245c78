import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { DECISIONS_KEPT, SCHEDULE_BYTES_MAX } from '../base/limits.ts'
import { decodeSchedule, encodeSchedule, SCHEDULE_PARTS, type ScheduleRecord } from './index.ts'

const parts = (value: number): number[] => Array.from({ length: SCHEDULE_PARTS }, (_, part) => Number((value * part).toPrecision(4)))
const record: ScheduleRecord = {
  savedMs: 1767225600000,
  cycleMs: 86_400_000,
  load: parts(0.01),
  rate: parts(12.5),
  weight: parts(0.25),
  decisions: [
    { time: 1767225500000, type: 'barrier', reason: 'interval', numbers: { windowMs: 1000 }, times: 12, until: 1767225512000 },
    { time: 1767225512500, type: 'upkeep-held', reason: 'busy', numbers: { activity: 2.5 }, times: 1, until: 1767225512500 },
  ],
}

/** A file with this content and a right header, whatever it is. */
function sealed(content: string | Buffer, version = '1'): Buffer {
  const body = Buffer.from(content)
  const sum = createHash('sha256').update(`tidemark-schedule ${version} ${body.length}\n`).update(body).digest('hex')
  return Buffer.concat([Buffer.from(`tidemark-schedule ${version} ${sum} ${body.length}\n`), body])
}

test('what the scheduler learned comes back; a number keeps four digits', () => {
  assert.deepEqual(decodeSchedule(encodeSchedule(record)), record)
  const fine = { ...record, rate: Array.from({ length: SCHEDULE_PARTS }, (_, part) => part / 3), decisions: [] }
  const back = decodeSchedule(encodeSchedule(fine))
  for (const [part, rate] of (back?.rate ?? []).entries()) assert.ok(Math.abs(rate - part / 3) <= (part / 3) * 1e-3)
  assert.equal(back?.rate.length, SCHEDULE_PARTS)
})

test('the largest record there can be is read back', () => {
  const decision = {
    time: 1767225500000,
    type: 'x'.repeat(32),
    reason: 'y'.repeat(32),
    numbers: Object.fromEntries(Array.from({ length: 16 }, (_, n) => [`${'n'.repeat(30)}${n}`, -1.234e-300])),
    times: Number.MAX_SAFE_INTEGER,
    until: 1767225500000,
  }
  // Those of the engine are far smaller; more than are kept are cut.
  const usual = { ...decision, numbers: { windowMs: 123456.7, rpoMs: 123456.7, changedKeysMax: 1e9, deltaBytes: 1e9 } }
  const bytes = encodeSchedule({ ...record, decisions: new Array(DECISIONS_KEPT + 50).fill(usual) })
  assert.ok(bytes.length < SCHEDULE_BYTES_MAX / 2, `${bytes.length}`)
  assert.equal(decodeSchedule(bytes)?.decisions.length, DECISIONS_KEPT)
  assert.deepEqual(decodeSchedule(encodeSchedule({ ...record, decisions: [decision] }))?.decisions, [decision])
})

test('every bit and every length of it is checked', () => {
  const bytes = encodeSchedule(record)
  for (let at = 0; at < bytes.length; at++) {
    for (let bit = 0; bit < 8; bit++) {
      const flipped = Buffer.from(bytes)
      flipped[at] = (flipped[at] as number) ^ (1 << bit)
      assert.equal(decodeSchedule(flipped), undefined, `bit ${bit} of byte ${at}`)
    }
  }
  for (let length = 0; length < bytes.length; length++) assert.equal(decodeSchedule(bytes.subarray(0, length)), undefined)
  assert.equal(decodeSchedule(Buffer.concat([bytes, Buffer.from('\n')])), undefined)
})

test('a later version, and content out of bounds under a right checksum, are no record', () => {
  const content = JSON.parse(String(encodeSchedule(record).subarray(encodeSchedule(record).indexOf(10) + 1))) as Record<string, unknown>
  assert.deepEqual(decodeSchedule(sealed(JSON.stringify(content))), record)
  assert.equal(decodeSchedule(sealed(JSON.stringify(content), '2')), undefined)
  const [decision] = record.decisions
  const wrong: Record<string, unknown>[] = [
    { savedMs: '1' },
    { savedMs: 1e300 },
    { cycleMs: 0 },
    { load: parts(1) },
    { load: [0.5] },
    { rate: parts(-1) },
    { weight: null },
    { rate: [...parts(1).slice(1), null] },
    { decisions: {} },
    { decisions: new Array(DECISIONS_KEPT + 1).fill(decision) },
    { decisions: [null] },
    { decisions: [{ ...decision, type: '../x' }] },
    { decisions: [{ ...decision, type: 'A' }] },
    { decisions: [{ ...decision, times: 0 }] },
    { decisions: [{ ...decision, numbers: { ['a b']: 1 } }] },
    { decisions: [{ ...decision, numbers: { windowMs: '1' } }] },
    { decisions: [{ ...decision, numbers: Object.fromEntries(Array.from({ length: 17 }, (_, n) => [`n${n}`, n])) }] },
  ]
  for (const change of wrong)
    assert.equal(decodeSchedule(sealed(JSON.stringify({ ...content, ...change }))), undefined, JSON.stringify(change))
})

test('any bytes give a record within its bounds or none', () => {
  const check = (bytes: Buffer): void => {
    const read = decodeSchedule(bytes)
    if (read === undefined) return
    for (const of of [read.load, read.rate, read.weight]) {
      assert.equal(of.length, SCHEDULE_PARTS)
      assert.ok(of.every(value => Number.isFinite(value) && value >= 0))
    }
    assert.ok(read.decisions.length <= DECISIONS_KEPT)
  }
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), bytes => check(Buffer.from(bytes))),
    { numRuns: 2000 },
  )
  fc.assert(
    fc.property(fc.json(), text => check(sealed(text))),
    { numRuns: 2000 },
  )
  const fields = fc.record(
    {
      savedMs: fc.double(),
      cycleMs: fc.double(),
      load: fc.array(fc.double(), { minLength: 96, maxLength: 96 }),
      rate: fc.array(fc.double(), { minLength: 96, maxLength: 96 }),
      weight: fc.array(fc.double(), { minLength: 96, maxLength: 96 }),
      decisions: fc.array(fc.object()),
    },
    { requiredKeys: [] },
  )
  fc.assert(
    fc.property(fields, value => check(sealed(JSON.stringify(value)))),
    { numRuns: 2000 },
  )
})
