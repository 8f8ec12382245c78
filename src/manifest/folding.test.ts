import assert from 'node:assert/strict'
import { test } from 'node:test'
import { segment as aSegment } from '../../test/support/manifest.ts'
import { LOG_FILES_KEPT_MAX } from '../base/limits.ts'
import {
  type BaseRange,
  decodeManifest,
  encodeManifest,
  FIRST_PLACE,
  type Manifest,
  type Place,
  type SegmentEntry,
  segmentName,
} from '../format/index.ts'
import { dropDead, foldTo, isDead, mergeBase, raiseBase, trim, wordsOn } from './folding.ts'
import { agesAt } from './retention.ts'
import { firstManifest } from './transitions.ts'

const place = (key: string): Place => (key === '' ? FIRST_PLACE : { collection: 1, key })
let files = 0

function segment(through: number, first: string, last: string, from = 0): SegmentEntry {
  const ends = { first: { collection: 1, key: first }, last: { collection: 1, key: last } }
  return aSegment({ file: segmentName(1, ++files), bytes: 1000, describedAt: 900, from, through, rawBytes: 1000, ...ends })
}

const range = (start: string, through: number, full = false): BaseRange => ({
  start: place(start),
  through,
  segment: full ? segment(Math.max(1, through), start, `${start}ff`) : null,
})

function manifest(epoch: number, young: readonly SegmentEntry[], base: readonly BaseRange[]): Manifest {
  const first = firstManifest('aa'.repeat(16), 'bb'.repeat(16), { writer: '01'.repeat(16), createdBy: 'test' })
  const file = 'log/00000001-00000001.log'
  const fold = { file, bytes: 1, epoch, digest: 'ab'.repeat(32), timeMs: epoch, nextId: 2, catalogue: [] }
  return { ...first, log: [{ file, end: null }], fold, young, base }
}

const show = ({ base }: Manifest): string =>
  base.map(({ start, through, segment }) => `${start.key}:${through}${segment === null ? '' : '*'}`).join(' ')

test('empty neighbours in the base that know as much are one, however they came to be; others are not', () => {
  const young = segment(3, '60', '70', 2)
  const raised = raiseBase(
    manifest(
      3,
      [young],
      [range('', 2), range('10', 3), range('20', 2), range('30', 3, true), range('40', 2), range('50', 2), range('60', 2)],
    ),
    3,
  )
  assert.equal(show(raised), ':3 30:3* 40:3 60:2')

  const merged = [range('20', 3, true), range('40', 3)]
  const before = manifest(3, [young], [range('', 3), range('10', 2, true), range('20', 2), range('50', 3), range('60', 2)])
  const [ten, twenty] = before.base.slice(1, 3) as [BaseRange, BaseRange]
  assert.equal(show(mergeBase(before, [ten, twenty], [range('10', 3), ...merged])), ':3 20:3* 40:3 60:2')

  // A start behind its own first place, and one that what was written before it reaches over.
  for (const wrong of [{ ...range('21', 3), segment: segment(3, '20', '22') }, range('20', 3)]) {
    const one = { ...range('10', 3), segment: segment(3, '10', wrong.segment === null ? '20' : '1f') }
    assert.throws(() => mergeBase(before, [ten, twenty], [one, wrong]), { code: 'TIDEMARK_BUG' })
  }

  const dead = manifest(3, [young], [range('', 2), range('10', 2, true), range('20', 2, true), range('30', 3), range('40', 2, true)])
  const gone = new Set(dead.base.slice(0, 2).flatMap(one => one.segment?.file ?? []))
  assert.equal(show(dropDead(dead, gone)), ':2 20:2* 30:3 40:2*')
})

test('a young segment has a word on the range that begins with its last key, and none on the one that ends before its first', () => {
  const base = [range('', 2), range('10', 2, true), range('20', 2)]
  const raised = (young: SegmentEntry): string => show(raiseBase(manifest(3, [young], base), 3))
  const [upTo, from] = [segment(3, '05', '10', 2), segment(3, '10', '15', 2)]
  assert.equal(raised(upTo), ':2 10:2* 20:3')
  assert.equal(raised(from), ':3 10:2* 20:3')
  const ten = base[1] as BaseRange
  assert.deepEqual(wordsOn([upTo, from, segment(3, '20', '25', 2)], ten, place('20'), 3), [upTo, from])
})

test('a young segment goes once every range of the base knows what it holds, and no sooner', () => {
  const young = [segment(3, '10', '20', 2), segment(2, '00', '70', 1), segment(1, '00', '70')]
  const left = ({ young }: Manifest): number[] => young.map(({ through }) => through)
  let now = manifest(3, young, [range('', 1), range('30', 0), range('60', 2)])
  const merge = (at: number, through: number): void => {
    const replaced = now.base[at] as BaseRange
    now = mergeBase(now, [replaced], [range(replaced.start.key as string, through, true)])
  }
  merge(0, 2)
  assert.deepEqual(left(now), [3, 2, 1])
  merge(1, 1)
  assert.deepEqual(left(now), [3, 2])
  merge(1, 2)
  assert.deepEqual(left(now), [3])
  merge(1, 3)
  assert.deepEqual(left(raiseBase(now, 3)), [3])
  merge(0, 3)
  assert.deepEqual(left(now), [3])
  assert.deepEqual(left(raiseBase(now, 3)), [])
})

test('a log of more files than are to be named loses its beginning, and the points kept for their age that stand on it', () => {
  const count = LOG_FILES_KEPT_MAX + 100
  const log = Array.from({ length: count }, (_, at) => ({
    file: `log/00000001-${(at + 1).toString(16).padStart(8, '0')}.log`,
    end: at === count - 1 ? null : { bytes: 2000, epoch: at + 1, digest: 'ab'.repeat(32) },
  }))
  const retention = { keepLast: 2, keepMs: Number.MAX_SAFE_INTEGER }
  const pointAt = (epoch: number) => ({ number: epoch, epoch, timeMs: epoch * 86_400_000 })
  const old = manifest(count - 2, [], [range('', 0)])
  const fold = { ...(old.fold as NonNullable<Manifest['fold']>), file: log.at(-3)?.file as string, timeMs: count * 86_400_000 }
  const full = { ...old, number: count, fold, log, retained: [1, 90, 110, count - 10].map(pointAt) }
  const point = { ...fold, epoch: count - 1, file: log.at(-2)?.file as string }
  const next = foldTo(full, point, [], retention, agesAt(point.timeMs))
  assert.deepEqual(
    next.retained.map(({ epoch }) => epoch),
    [110, count - 10, count - 2],
  )
  assert.equal(next.log[0]?.end?.epoch, 110)
  assert.deepEqual(
    trim(full, retention, agesAt(point.timeMs))?.retained.map(({ epoch }) => epoch),
    [110, count - 10],
  )
  // Whatever their age: those are asked for by number.
  const last = { keepLast: 5, keepMs: Number.MAX_SAFE_INTEGER }
  assert.equal(trim(full, last, agesAt(point.timeMs)), undefined)
  assert.equal(foldTo(full, point, [], last, agesAt(point.timeMs)).log[0]?.end?.epoch, 90)
})

test('a store that keeps fold points for longer than a manifest has room for has manifests that can be read', () => {
  const MINUTE_MS = 60_000
  const count = 65_536
  const old = manifest(count + 1, [], [range('', 0)])
  const retained = Array.from({ length: count }, (_, at) => ({ number: at + 1, epoch: at + 1, timeMs: at * MINUTE_MS }))
  const fold = old.fold as NonNullable<Manifest['fold']>
  const full = { ...old, number: count + 1, fold: { ...fold, timeMs: count * MINUTE_MS }, retained }
  const point = { ...fold, epoch: count + 2, timeMs: (count + 1) * MINUTE_MS }
  const part = segment(count + 2, '00', '01', count + 1)
  const next = foldTo(full, point, [part], { keepLast: 3, keepMs: Number.MAX_SAFE_INTEGER }, agesAt(point.timeMs))
  assert.deepEqual(decodeManifest(encodeManifest(next), 'manifest'), next)
  assert.equal(next.retained[0]?.epoch, 1, 'it reaches as far back as before')
})

test('which segments are dead is found with few looks at the collections, however many there are', () => {
  let looks = 0
  const alive = (ids: readonly number[]): readonly number[] =>
    new Proxy(ids, {
      get(target, name) {
        looks++
        return Reflect.get(target, name)
      },
    })
  const many = alive(Array.from({ length: 65_536 }, (_, at) => 3 + 2 * at))
  const spanning = (first: number, last: number) =>
    ({ first: { collection: first, key: '' }, last: { collection: last, key: '' } }) as SegmentEntry
  for (let at = 0; at < 65_536; at += 1000) {
    const id = 3 + 2 * at
    assert.equal(isDead(spanning(id, id), many), false)
    assert.equal(isDead(spanning(id + 1, id + 1), many), true)
    assert.equal(isDead(spanning(id + 1, id + 2), many), false)
    assert.equal(isDead(spanning(id - 1, id), many), false)
  }
  assert.ok(looks < 4 * 66 * 40, `${looks} looks`)
  const last = 3 + 2 * 65_535
  for (const [first, end, ids, dead] of [
    [1, 2, many, true],
    [1, last + 5, many, false],
    [last + 1, last + 5, many, true],
    [1, 9, alive([]), true],
    [4, 4, alive([4]), false],
  ] as const) {
    assert.equal(isDead(spanning(first, end), ids), dead, `${first} to ${end}`)
  }
})
