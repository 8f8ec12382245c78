/** Profiles of histories of which the truth is known: with every key followed, the figures are the truth. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CollectionProfile, Profile } from '../../src/profile/types.ts'
import {
  BEGIN_MS,
  bytesOf,
  dice,
  type EpochOf,
  History,
  joined,
  lifeOf,
  profileOf,
  truthOf,
  type Write,
} from '../support/profile-history.ts'

const HOUR_MS = 3_600_000

function only({ collections }: Profile): CollectionProfile {
  assert.equal(collections.length, 1)
  return collections[0] as CollectionProfile
}

function near(actual: number, wanted: number, share: number, what: string): void {
  assert.ok(Math.abs(actual - wanted) <= share * wanted, `${what}: ${actual} instead of ${wanted} ± ${100 * share} %`)
}

for (const exponent of [0, 0.9, 1.3]) {
  test(`writes by Zipf's law with exponent ${exponent}: every figure is the truth`, async () => {
    const epochs = lifeOf({ epochs: 96, perEpoch: 500, keys: 3000, exponent, seed: 7, redundantShare: 0.2 })
    const truth = truthOf(epochs)
    const profile = await profileOf(epochs)
    const found = only(profile)
    assert.equal(found.records, truth.records)
    assert.equal(found.bytes, truth.bytes)
    assert.equal(found.distinctKeys, truth.distinct)
    assert.equal(found.rewriteRatio, truth.records / truth.distinct)
    assert.equal(found.sampledShare, 1)
    assert.equal(found.distinctErrorShare, 0)
    assert.equal(found.distinctBytes, bytesOf(joined(epochs, epochs.length)))
    near(found.redundantShare, truth.redundant / truth.records, 1e-9, 'redundant')
    assert.deepEqual([found.hotSet.keys50, found.hotSet.keys90], [truth.keys50, truth.keys90])
    assert.equal(found.wastedBytesShare, 0)
    for (const { factor, recordsShare, bytesShare, errorShare } of found.merged) {
      const after = joined(epochs, factor)
      near(recordsShare, after.flatMap(epoch => epoch.writes).length / truth.records, 1e-9, `records of ${factor}`)
      near(bytesShare, bytesOf(after) / truth.bytes, 1e-9, `bytes of ${factor}`)
      assert.equal(errorShare, 0)
    }
    assert.equal(profile.history.intervalMs >= 980 && profile.history.intervalMs <= 1020, true)
    assert.equal(profile.history.regularShare, 1)
    near(profile.history.coveredMs, 96_000, 0.01, 'covered time')
    near(found.recordsPerSecond, truth.records / 96, 0.01, 'rate')
    assert.equal(profile.all.records, truth.records)
    assert.equal(profile.all.distinctKeys, truth.distinct)
  })
}

test('what an interval of 2, 4 and 8 times is said to take is what the joined history takes, within its error', async () => {
  const lives = [
    { epochs: 160, perEpoch: 60, keys: 400, exponent: 0.9, seed: 1 },
    { epochs: 160, perEpoch: 500, keys: 800, exponent: 0, seed: 2 },
    { epochs: 320, perEpoch: 4, keys: 6, exponent: 0.5, seed: 3 },
  ]
  for (const life of lives) {
    const epochs = lifeOf(life)
    const { intervals } = await profileOf(epochs)
    for (const { factor, bytesPerSecond, commitsPerSecond, errorShare } of intervals) {
      const after = await profileOf(joined(epochs, factor))
      const measured = (1000 * after.history.logBytes) / (life.epochs * 1000)
      near(bytesPerSecond, measured, errorShare + 0.01, `${factor} times, ${JSON.stringify(life)}`)
      near(commitsPerSecond, 1 / factor, 0.02, 'commits')
      assert.ok(errorShare < 0.25, `an error of ${errorShare} says nothing`)
    }
  }
})

test('keys that are never written twice: nothing is rewritten, and nothing is recommended', async () => {
  const epochs = Array.from(
    { length: 60 },
    (_, epoch): EpochOf => ({
      timeMs: BEGIN_MS + epoch * 1000,
      writes: Array.from({ length: 300 }, (_, at): Write => ['log', `line-${epoch}-${at}`, `text ${epoch * at}`]),
    }),
  )
  const profile = await profileOf(epochs)
  const found = only(profile)
  assert.equal(found.rewriteRatio, 1)
  assert.deepEqual(
    found.merged.map(({ bytesShare }) => bytesShare),
    [1, 1, 1],
  )
  assert.equal(found.hotSet.keys50, found.records / 2)
  assert.deepEqual(profile.recommendations, [])
})

test('one hot key is the hot set, and an interval of 8 times leaves an eighth of it', async () => {
  const epochs = Array.from(
    { length: 200 },
    (_, epoch): EpochOf => ({
      timeMs: BEGIN_MS + epoch * 100,
      writes: [['counter', 'total', `${epoch} ${'x'.repeat(2000)}`]],
    }),
  )
  const profile = await profileOf(epochs)
  const found = only(profile)
  assert.deepEqual([found.hotSet.keys50, found.hotSet.keys90, found.distinctKeys, found.rewriteRatio], [1, 1, 1, 200])
  for (const { factor, recordsShare } of found.merged) near(recordsShare, 1 / factor, 1e-9, `factor ${factor}`)
})

test('deletes, large values, and several records of a key within an epoch are told', async () => {
  const big = 'x'.repeat(100_000)
  const epochs = Array.from(
    { length: 20 },
    (_, epoch): EpochOf => ({
      timeMs: BEGIN_MS + epoch * 1000,
      writes: [
        ['a', 'big', big + epoch],
        ['a', 'gone', undefined],
        ['b', 'twice', `first ${epoch}`],
        ['b', 'twice', `other ${epoch}`],
      ],
    }),
  )
  const { collections, all } = await profileOf(epochs)
  const [a, b] = ['a', 'b'].map(name => collections.find(each => each.name === name) as CollectionProfile) as [
    CollectionProfile,
    CollectionProfile,
  ]
  assert.equal(a.deletedShare, 0.5)
  assert.equal(a.large.records, 20)
  assert.ok(a.large.bytesShare > 0.99 && a.large.maxBytes > 100_000)
  near(b.wastedBytesShare, 0.5, 1e-9, 'written twice')
  assert.equal(all.records, 80)
  assert.equal(all.entries, 2)
  near(a.bytesPerEpoch.max, a.bytes / 20, 1e-4, 'the largest epoch')
  near(a.bytesPerEpoch.mean, a.bytes / 20, 1e-9, 'the mean epoch')
})

test('percentiles of epochs and records are within their bound', async () => {
  const random = dice(5)
  const sizes: number[] = []
  const epochs = Array.from({ length: 500 }, (_, epoch): EpochOf => {
    const size = 10 + Math.floor(5000 * random() ** 4)
    sizes.push(size)
    return { timeMs: BEGIN_MS + epoch * 1000, writes: [['a', 'k', 'x'.repeat(size)]] }
  })
  const { bytesPerEpoch, recordBytes } = only(await profileOf(epochs))
  sizes.sort((a, b) => a - b)
  const beside = bytesPerEpoch.max - (sizes.at(-1) as number)
  for (const [name, share] of [
    ['p50', 0.5],
    ['p90', 0.9],
    ['p99', 0.99],
  ] as const) {
    near(bytesPerEpoch[name], (sizes[Math.ceil(share * 500) - 1] as number) + beside, 0.02, name)
    assert.equal(bytesPerEpoch[name], recordBytes[name])
  }
})

test('days with quiet nights: the hours and the lulls are found; a short history says that it is too short', async () => {
  const history = await History.make()
  const quiet = (hour: number): boolean => hour < 6
  const minutes = 3 * 24 * 60
  let count = 0
  for (let minute = 0; minute < minutes; minute++) {
    const hour = Math.floor(minute / 60) % 24
    const writes = Array.from({ length: quiet(hour) ? 1 : 20 }, (_, at): Write => ['a', `k-${minute}-${at}`, `v ${count++}`])
    history.add({ timeMs: BEGIN_MS + (minute + 1) * 60_000 - 1, writes })
  }
  const { daily, lulls, history: told } = await history.report()
  near(told.coveredMs, 3 * 24 * HOUR_MS, 0.001, 'covered')
  assert.ok(daily.enough)
  for (const { hour, recordsPerSecond, coveredMs } of daily.hours) {
    near(recordsPerSecond, (quiet(hour) ? 1 : 20) / 60, 0.02, `hour ${hour}`)
    near(coveredMs, 3 * HOUR_MS, 0.001, `time in hour ${hour}`)
  }
  assert.equal(lulls.count, 3)
  near(lulls.timeShare, 0.25, 0.05, 'time in lulls')
  for (const [index, { fromMs, durationMs }] of lulls.longest.toSorted((a, b) => a.fromMs - b.fromMs).entries()) {
    near(durationMs, 6 * HOUR_MS, 0.05, 'a night')
    assert.ok(Math.abs(fromMs - (BEGIN_MS + index * 24 * HOUR_MS)) < 0.3 * HOUR_MS)
  }
  assert.equal((await profileOf(lifeOf({ epochs: 50, perEpoch: 5, keys: 50, exponent: 0, seed: 1 }))).daily.enough, false)
})

test('a gap that is most of the time is told, as of a clock that was set, and no day is known by it', async () => {
  const DAY_MS = 24 * HOUR_MS
  for (const gapMs of [0, 50 * DAY_MS]) {
    const history = await History.make()
    for (let at = 0; at < 40; at++) {
      const timeMs = BEGIN_MS + at * 1000 + (at < 20 ? 0 : gapMs)
      history.add({ timeMs, writes: [['a', `k${at}`, 'v']] })
    }
    const { daily, history: told } = await history.report()
    assert.equal(daily.enough, false)
    assert.deepEqual(
      told.notes.map(note => note.split(',')[0]),
      gapMs === 0 ? [] : ['between epochs 20 and 21 lie 1200.0 h'],
    )
  }
})

test('time between two lives, or beside epochs that were missed, is not covered; a clock put back adds none', async () => {
  const history = await History.make()
  const epochs = (from: number): void => {
    for (let at = 0; at < 20; at++) history.add({ timeMs: from + at * 1000, writes: [['a', `k${at}`, `${from}`]] })
  }
  epochs(BEGIN_MS)
  history.profiler.restarted()
  epochs(BEGIN_MS + 10 * HOUR_MS)
  history.profiler.missed(5)
  epochs(BEGIN_MS + 20 * HOUR_MS)
  epochs(BEGIN_MS)
  const { history: told, lulls, all } = await history.report()
  assert.deepEqual([told.restarts, told.missedEpochs, told.epochs], [1, 5, 80])
  // Of the first epoch of each of the three stretches the usual interval; of the one behind the clock's step nothing.
  near(told.coveredMs, 79_000, 0.001, 'covered')
  assert.equal(lulls.count, 0)
  assert.equal(all.records, 80)
})

test('a history of nothing, and one of a single epoch, have figures and no advice', async () => {
  const none = await (await History.make()).report()
  assert.deepEqual([none.ok, none.history.epochs, none.all.records, none.recommendations, none.intervals], [true, 0, 0, [], []])
  const one = await profileOf([{ timeMs: BEGIN_MS, writes: [['a', 'k', 'v']] }])
  assert.deepEqual([one.all.records, one.all.recordsPerSecond, one.history.coveredMs, one.recommendations], [1, 0, 0, []])
  const empty = await profileOf([{ timeMs: BEGIN_MS, writes: [] }])
  for (const { all } of [none, empty])
    assert.deepEqual([all.wastedBytesShare, all.hotSet], [0, { keys50: 0, keys90: 0, bytes90: 0 }], 'nothing was written, so nothing twice')
  assert.deepEqual([empty.history.epochs, empty.all.records, empty.collections], [1, 0, []])
  for (const { all, history } of [none, one, empty]) {
    for (const value of [all.rewriteRatio, all.redundantShare, all.deletedShare, history.regularShare]) assert.ok(Number.isFinite(value))
  }
})

test('one collection is looked at alone, or refused by name', async () => {
  const epochs = Array.from(
    { length: 20 },
    (_, epoch): EpochOf => ({
      timeMs: BEGIN_MS + epoch * 1000,
      writes: [
        ['a', 'k', `${epoch}`],
        ['b', `k${epoch}`, 'x'.repeat(100)],
      ],
    }),
  )
  const whole = await profileOf(epochs)
  const alone = await profileOf(epochs, { collection: 'a' })
  assert.deepEqual(
    alone.collections,
    whole.collections.filter(({ name }) => name === 'a'),
  )
  assert.equal(alone.all.bytes, alone.collections[0]?.bytes)
  await assert.rejects(profileOf(epochs, { collection: 'c' }), { code: 'TIDEMARK_ARGUMENT', hint: 'there are: a, b' })
  const names = Array.from({ length: 50 }, (_, at) => `name ${10 + at}`)
  const many: EpochOf = { timeMs: BEGIN_MS, writes: names.map(name => [name, 'k', 'x'] as const) }
  const hint = `there are: ${names.slice(0, 20).join(', ')} and more: tidemark status`
  await assert.rejects(profileOf([many], { collection: 'c' }), { hint })
})

test('a collection that was deleted has no entries, and nothing is recommended for it', async () => {
  const history = await History.make()
  // Half of the records say nothing new.
  const life = lifeOf({ epochs: 60, perEpoch: 500, keys: 600, exponent: 0, seed: 3, redundantShare: 0.5 })
  const named = (name: string, { writes }: EpochOf): Write[] => writes.map(([, key, value]) => [name, key, value])
  for (const epoch of life) history.add({ timeMs: epoch.timeMs, writes: [...named('gone', epoch), ...named('(others)', epoch)] })
  const before = await history.report()
  assert.ok(before.recommendations.some(({ collection }) => collection === 'gone'))
  history.deleteCollection('gone')
  history.add({ timeMs: BEGIN_MS + 61_000, writes: [['(others)', 'k', '1']] })
  const after = await history.report()
  const entries = Object.fromEntries(after.collections.map(one => [one.name, one.entries]))
  assert.equal(entries['gone'], 0)
  assert.ok((entries['(others)'] as number) > 500)
  assert.equal(entries['(others)'], after.all.entries)
  assert.deepEqual(
    after.recommendations.filter(({ collection }) => collection === 'gone'),
    [],
  )
})

test('a map of the name under which others are counted together is counted by itself', async () => {
  const { collections } = await profileOf(
    Array.from({ length: 3 }, (_, epoch): EpochOf => ({ timeMs: BEGIN_MS + epoch * 1000, writes: [['(others)', 'k', `${epoch}`]] })),
  )
  assert.deepEqual(
    collections.map(({ name, entries }) => [name, entries]),
    [['(others)', 1]],
  )
})

test('of a store that was followed all of the time counts, also before its first epoch and after its last', async () => {
  for (const epochs of [1, 3]) {
    const history = await History.make()
    for (let at = 0; at < epochs; at++) history.add({ timeMs: BEGIN_MS + at * 10_000, writes: [['a', `k${at}`, '1']] })
    history.profiler.followed(60_000)
    const { all, history: found } = await history.report()
    assert.equal(found.coveredMs, 60_000)
    assert.equal(all.recordsPerSecond, epochs / 60)
  }
})

test('the time in which a followed store wrote nothing has its place in the rate and among the lulls', async () => {
  const history = await History.make()
  const [quietMs, epochs, leftMs] = [30_000, 20, 50_000]
  for (let at = 0; at < epochs; at++) {
    history.profiler.followed(quietMs + at * 1000)
    history.add({ timeMs: BEGIN_MS + quietMs + at * 1000, writes: [['a', `k${at}`, '1']] })
  }
  const lastMs = BEGIN_MS + quietMs + (epochs - 1) * 1000
  const coveredMs = quietMs + (epochs - 1) * 1000 + leftMs
  history.profiler.followed(coveredMs)
  const { history: found, rate, lulls } = await history.report()
  assert.equal(found.coveredMs, coveredMs)
  assert.ok(rate.stepMs * rate.recordsPerSecond.length >= coveredMs && rate.stepMs * (rate.recordsPerSecond.length - 1) < coveredMs)
  const [behind, before] = lulls.longest
  assert.ok(behind !== undefined && before !== undefined && lulls.count === 2)
  near(before.fromMs, BEGIN_MS, 1e-12, 'the begin of the first lull')
  assert.ok(Math.abs(before.durationMs - quietMs) <= rate.stepMs, `${before.durationMs}`)
  assert.ok(Math.abs(behind.fromMs - lastMs) <= rate.stepMs, `${behind.fromMs - lastMs}`)
  // Of the last step nothing is said.
  assert.ok(Math.abs(behind.durationMs - leftMs) <= 2 * rate.stepMs, `${behind.durationMs}`)
})
