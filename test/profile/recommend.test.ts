/** What is recommended, and that nothing is where nothing is to gain. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { recommend } from '../../src/profile/recommend.ts'
import type { Recommendation } from '../../src/profile/types.ts'
import { BEGIN_MS, dice, type EpochOf, joined, lifeOf, profileOf, type Write } from '../support/profile-history.ts'

const HOT = { epochs: 160, perEpoch: 400, keys: 300, exponent: 0.8, seed: 4 }

function find(recommendations: readonly Recommendation[], setting: string): Recommendation | undefined {
  return recommendations.find(each => each.setting === setting)
}

test('a longer interval is recommended where keys come again soon, and does what is expected of it', async () => {
  const epochs = lifeOf(HOT)
  const found = find((await profileOf(epochs)).recommendations, 'checkpoint.intervalMs')
  assert.ok(found !== undefined && typeof found.to === 'number' && typeof found.from === 'number')
  const factor = Math.round(found.to / found.from)
  assert.ok(factor === 8 || factor === 4)
  assert.match(found.why, /^keys are written again within /)
  const { bytesPerSecond, commitsPerSecond, lossMsMax } = found.expected
  const { history } = await profileOf(joined(epochs, factor))
  const measured = history.logBytes / HOT.epochs
  assert.ok(
    bytesPerSecond && Math.abs(bytesPerSecond.after / measured - 1) <= bytesPerSecond.errorShare + 0.01,
    `${bytesPerSecond?.after}, ${measured}`,
  )
  assert.ok(bytesPerSecond.after < 0.85 * bytesPerSecond.before)
  assert.ok(commitsPerSecond && Math.abs(commitsPerSecond.after - 1 / factor) < 0.05 / factor + 0.01)
  assert.ok(lossMsMax && lossMsMax.after > lossMsMax.before)
})

test('no interval is recommended where calls make the checkpoints, or where the store hardly writes', async () => {
  const random = dice(9)
  let timeMs = BEGIN_MS
  const irregular = lifeOf(HOT).map(({ writes }) => ({ writes, timeMs: (timeMs += 10 + 5000 * random() ** 4) }))
  assert.equal(find((await profileOf(irregular)).recommendations, 'checkpoint.intervalMs'), undefined)
  const slow = lifeOf({ ...HOT, perEpoch: 2, intervalMs: 10_000 })
  assert.deepEqual((await profileOf(slow)).recommendations, [])
  assert.deepEqual((await profileOf(lifeOf({ ...HOT, epochs: 8 }))).recommendations, [], 'too short')
})

test('redundant writes are named with what they cost', async () => {
  const { recommendations } = await profileOf(lifeOf({ ...HOT, redundantShare: 0.5 }))
  const found = recommendations.find(({ setting }) => setting.startsWith('significant'))
  assert.ok(found?.kind === 'hint' && found.collection === 'things')
  const { before, after } = found.expected.bytesPerSecond as { before: number; after: number }
  assert.ok(after / before > 0.4 && after / before < 0.65, `${after} of ${before}`)
  assert.equal(
    (await profileOf(lifeOf(HOT))).recommendations.find(({ setting }) => setting.startsWith('significant')),
    undefined,
  )
})

test('a collection of few keys that are written again and again may be rebuildable; one of many keys is not', async () => {
  const cache = lifeOf({ ...HOT, keys: 200, perEpoch: 800, seed: 2 })
  const epochs = cache.map(
    ({ timeMs, writes }, epoch): EpochOf => ({
      timeMs,
      writes: [
        ...writes.map(([, key, value]): Write => ['cache', key, value]),
        ...Array.from({ length: 150 }, (_, at): Write => ['orders', `${epoch}-${at}`, `order ${epoch * at} of many`]),
      ],
    }),
  )
  const found = (await profileOf(epochs)).recommendations.filter(({ setting }) => setting === 'class')
  assert.deepEqual(
    found.map(({ collection, to, kind }) => [collection, to, kind]),
    [['cache', 'rebuildable', 'hint']],
  )
})

test('compression is turned on where records shrink, off where they do not, and left alone where it is right', async () => {
  const random = dice(1)
  const text = lifeOf({ ...HOT, epochs: 40, keys: 100_000 })
  const on = find((await profileOf(text, {}, 'none')).recommendations, 'compression')
  assert.deepEqual([on?.from, on?.to], ['none', 'zstd'])
  assert.ok(on?.expected.bytesPerSecond && on.expected.bytesPerSecond.after < 0.6 * on.expected.bytesPerSecond.before)
  const noise = (): Buffer => Buffer.from(Array.from({ length: 1000 }, () => Math.floor(random() * 256)))
  const packed = Array.from(
    { length: 20 },
    (_, epoch): EpochOf => ({
      timeMs: BEGIN_MS + epoch * 1000,
      writes: Array.from({ length: 50 }, (_, at): Write => ['a', `${epoch}-${at}`, noise()]),
    }),
  )
  assert.equal(find((await profileOf(packed, {}, 'none')).recommendations, 'compression'), undefined)
  assert.equal(find((await profileOf(text)).recommendations, 'compression'), undefined)
  // What does not shrink is stored as it is: as if compression were off, and turning it off would change nothing but the time it takes.
  assert.equal(find((await profileOf(packed)).recommendations, 'compression'), undefined)
})

test('compression is not turned on where it is on and epochs are too small for it; what longer intervals give is told as compressed', async () => {
  const epochs = Array.from(
    { length: 80 },
    (_, epoch): EpochOf => ({ timeMs: BEGIN_MS + 250 * epoch, writes: [['a', `key${epoch}`, 'state ok, state ok']] }),
  )
  const { history, intervals, recommendations } = await profileOf(epochs)
  assert.equal(history.compression, 'unknown')
  assert.equal(find(recommendations, 'compression'), undefined)
  for (const { factor, bytesPerSecond, errorShare } of intervals) {
    const { logBytes } = (await profileOf(joined(epochs, factor))).history
    const measured = logBytes / 20
    assert.ok(Math.abs(bytesPerSecond / measured - 1) <= errorShare + 0.02, `${factor}: ${bytesPerSecond}, ${measured}`)
  }
  // No key came again: what a longer interval saves is commits.
  const longer = find(recommendations, 'checkpoint.intervalMs')
  assert.match(longer?.why ?? '', /^fewer commits, .* are \d+ % fewer bytes in the log; a crash may then lose \d times as long$/)
  // Beside them blocks that would have shrunk: nothing compressed them.
  const one = { timeMs: BEGIN_MS + 20_000, writes: [['a', 'key', 'state ok, '.repeat(20)]] } satisfies EpochOf
  assert.equal((await profileOf([...epochs, one])).history.compression, 'zstd')
  assert.equal((await profileOf([...epochs, one], {}, 'none')).history.compression, 'none')
})

test('what compression is expected to make of the log is what it makes of the same epochs, commits and all, and more than its error', async () => {
  const random = dice(8)
  const noise = (bytes: number): string => Buffer.from(Array.from({ length: bytes }, () => Math.floor(128 * random()))).toString('latin1')
  const small = (bytes: number): EpochOf[] =>
    Array.from({ length: 80 }, (_, epoch) => ({
      timeMs: BEGIN_MS + 250 * epoch,
      writes: [['a', `key${epoch}`, 'state ok, '.repeat(bytes / 10)]],
    }))
  const large = (zeros: number): EpochOf[] =>
    Array.from({ length: 20 }, (_, epoch) => ({
      timeMs: BEGIN_MS + 1000 * epoch,
      writes: Array.from({ length: 50 }, (_, at): Write => ['a', `${epoch}-${at}`, `${noise(1000 - zeros)}${'0'.repeat(zeros)}`]),
    }))
  const told: boolean[] = []
  for (const epochs of [small(100), small(400), small(2000), large(50), large(120), large(500)]) {
    const found = find((await profileOf(epochs, {}, 'none')).recommendations, 'compression')
    told.push(found !== undefined)
    if (found === undefined) continue
    const { before, after, errorShare } = found.expected.bytesPerSecond as { before: number; after: number; errorShare: number }
    const measured = (before * (await profileOf(epochs)).history.logBytes) / (await profileOf(epochs, {}, 'none')).history.logBytes
    assert.ok(Math.abs(after / measured - 1) <= 0.05, `${after}, ${measured}`)
    assert.ok(before - after > errorShare * after && before - after >= 0.15 * before, `${before}, ${after} ± ${errorShare}`)
  }
  assert.deepEqual(told, [false, true, true, false, true, true])
})

test('large values that are written again are named', async () => {
  const random = dice(3)
  const epochs = Array.from(
    { length: 30 },
    (_, epoch): EpochOf => ({
      timeMs: BEGIN_MS + epoch * 1000,
      writes: [['documents', 'one', Array.from({ length: 20_000 }, () => `word${Math.floor(random() * 5000)}`).join(' ')]],
    }),
  )
  const { recommendations, collections } = await profileOf(epochs)
  assert.ok((collections[0]?.large.records ?? 0) === 30)
  const found = find(recommendations, 'size of values')
  assert.ok(found?.kind === 'hint' && found.collection === 'documents')
})

test('what is recommended of a collection is the same whether it is looked at alone or with the others', async () => {
  const random = dice(6)
  const noise = (bytes: number): Buffer => Buffer.from(Array.from({ length: bytes }, () => Math.floor(256 * random())))
  const others = Array.from({ length: 1000 }, () => noise(1024))
  const epochs = Array.from(
    { length: 20 },
    (_, epoch): EpochOf => ({
      timeMs: BEGIN_MS + 1000 * epoch,
      writes: [['a', 'one', noise(70 * 1024)], ...others.map((value, at): Write => ['b', `${epoch}-${at}`, value])],
    }),
  )
  const whole = await profileOf(epochs)
  const alone = await profileOf(epochs, { collection: 'a' })
  const [one, other] = [whole, alone].map(({ recommendations }) => find(recommendations, 'size of values')?.expected.bytesPerSecond)
  assert.ok(one !== undefined && other !== undefined)
  assert.ok(one.before > 60_000 && one.before < 80_000, `${one.before}`)
  assert.ok(Math.abs(other.before / one.before - 1) < 1e-9, `${other.before}, ${one.before}`)
  assert.equal(alone.history.rawBytes, whole.all.bytes)
})

test('a collection beside others may be rebuildable whether it is looked at alone or with them', async () => {
  const cache = lifeOf({ ...HOT, keys: 200, perEpoch: 800, seed: 2 })
  const beside = (share: number): EpochOf[] =>
    cache.map(({ timeMs, writes }, epoch) => ({
      timeMs,
      writes: [
        ...writes.map(([, key, value]): Write => ['cache', key, value]),
        ...Array.from({ length: share }, (_, at): Write => ['orders', `${epoch}-${at}`, `order ${epoch * at} of many`]),
      ],
    }))
  const of = async (epochs: readonly EpochOf[], collection?: string): Promise<Recommendation[]> =>
    (await profileOf(epochs, { collection })).recommendations.filter(({ collection: name }) => name === 'cache')
  for (const [epochs, settings] of [
    [beside(150), ['class']],
    // Less than a fifth of all bytes, though it is all that was looked at; or nothing else is there.
    [beside(1200), []],
    [beside(0), []],
  ] as const) {
    const [whole, alone] = [await of(epochs), await of(epochs, 'cache')]
    assert.deepEqual(
      alone.map(({ setting }) => setting),
      settings,
    )
    assert.deepEqual(alone, whole)
  }
})

test('memory: a small hot set in a large store is worth a bound', async () => {
  const epochs = lifeOf({ ...HOT, keys: 100, intervalMs: 250 })
  const fill = Array.from(
    { length: 4 },
    (_, epoch): EpochOf => ({
      timeMs: BEGIN_MS - (4 - epoch) * 1000,
      writes: Array.from({ length: 5000 }, (_, at): Write => ['things', `cold-${epoch}-${at}`, `${'data '.repeat(520)}${at}`]),
    }),
  )
  const busy = [
    ...fill,
    ...Array.from({ length: 25 }, (_, round) => epochs.map(({ timeMs, writes }) => ({ timeMs: timeMs + round * 40_000, writes }))).flat(),
  ]
  const found = await profileOf(busy)
  const memory = find(found.recommendations, 'budget.memoryBytesMax')
  assert.ok(memory !== undefined && typeof memory.to === 'number', JSON.stringify(found.all.hotSet))
  assert.ok(memory.to < 0.3 * (memory.expected.heapBytes?.before ?? 0))
  assert.equal(find((await profileOf(epochs)).recommendations, 'budget.memoryBytesMax'), undefined)
  const idle = { ...found, history: { ...found.history, coveredMs: 1000 * found.history.coveredMs } }
  assert.deepEqual(recommend(idle, { collections: 1, logRatios: new Map() }), [], 'a store that hardly writes')
})
