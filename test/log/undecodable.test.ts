/** A block whose checksums and digest hold, and which does not unpack or is no records: damage of the log, told and fallen back from as any other. */
import assert from 'node:assert/strict'
import { syncBuiltinESMExports } from 'node:module'
import { test } from 'node:test'
import zlib, { deflateRawSync } from 'node:zlib'
import { hasCode, type TidemarkError } from '../../src/base/errors.ts'
import { COMPRESSION_DEFLATE, COMPRESSION_NONE } from '../../src/format/index.ts'
import { LogScan } from '../../src/log/index.ts'
import { openStore } from '../../src/open.ts'
import { profileStore } from '../../src/profile/read.ts'
import { openForReading } from '../../src/restore/index.ts'
import { verifyStore } from '../../src/restore/verify.ts'
import { MemoryStorage } from '../../src/storage/index.ts'
import { rewriteEpoch } from '../support/hostile-log.ts'
import { SimulatedStore } from '../support/simulated-store.ts'

const SETTINGS = { checkpoint: { intervalMs: 0 }, compression: 'none' } as const

/** What the blocks of the epoch are made of, but for the first. */
const KINDS: Record<string, (raw: Uint8Array) => { id: number; payload: Uint8Array }> = {
  'does not unpack': raw => ({ id: COMPRESSION_DEFLATE, payload: deflateRawSync(raw).subarray(0, -20) }),
  'is no records': raw => ({ id: COMPRESSION_DEFLATE, payload: deflateRawSync(Buffer.alloc(raw.length, 3)) }),
  'ends within a record': raw => ({ id: COMPRESSION_NONE, payload: Buffer.concat([raw.subarray(0, -1), Buffer.of(0)]).fill(0xff, 7, 10) }),
}

/** Four epochs in one file; of the one with the damage the first block is whole, and changes what the one before wrote. */
async function hostile(kind: string, bad = 3): Promise<{ storage: MemoryStorage; file: string; offset: number }> {
  const storage = new MemoryStorage()
  const store = await openStore('memory', SETTINGS, { storage, writer: 'inline' })
  const map = store.map<string, string>('map')
  for (let epoch = 1; epoch <= 4; epoch++) {
    for (const key of ['a', 'b', 'c']) map.set(key, `${epoch}`.repeat(50_000))
    map.set(`only ${epoch}`, '')
    await store.checkpoint()
  }
  await store.close()
  let blocks = 0
  const { file, at } = await rewriteEpoch(storage, bad, raw =>
    ++blocks === 1
      ? { id: COMPRESSION_NONE, payload: raw }
      : (KINDS[kind] as (raw: Uint8Array) => { id: number; payload: Uint8Array })(raw),
  )
  assert.ok(at.length > 1, 'a block before it is whole')
  return { storage, file, offset: at[1] as number }
}

for (const kind of Object.keys(KINDS)) {
  test(`a block that ${kind}: open refuses it with its place, and falls back to the epoch before it, of which all is there`, async () => {
    const { storage, file, offset } = await hostile(kind)
    await assert.rejects(openStore('memory', SETTINGS, { storage, writer: 'inline' }), (error: TidemarkError) => {
      assert.equal(error.code, 'TIDEMARK_LOG_DAMAGED')
      assert.equal(error.file, file)
      assert.deepEqual([error.info?.['offset'], error.info?.['firstLostEpoch'], error.info?.['lastSeenEpoch']], [offset, 3, 4])
      assert.match(error.hint ?? '', /epochs 3 to 4 .* go on at epoch 2/)
      assert.ok(hasCode(error.cause, 'TIDEMARK_VALUE_DAMAGED'))
      return true
    })

    const fallen = await openStore('memory', { ...SETTINGS, restore: { onDamage: 'fall-back' } }, { storage, writer: 'inline' })
    const { epoch, lost } = fallen.restored
    assert.deepEqual([epoch, lost?.firstLostEpoch, lost?.lastSeenEpoch, lost?.file], [2, 3, 4, file])
    const map = fallen.map<string, string>('map')
    assert.deepEqual([...map.keys()], ['a', 'b', 'c', 'only 1', 'only 2'])
    for (const key of ['a', 'b', 'c']) assert.equal(map.get(key), '2'.repeat(50_000))
    map.set('new', '1')
    await fallen.checkpoint()
    await fallen.close()
    const again = await openStore('memory', SETTINGS, { storage, writer: 'inline' })
    assert.deepEqual([again.restored.epoch, again.restored.lost, again.map('map').size], [3, undefined, 6])
    await again.close()
  })

  test(`a block that ${kind}: what is asked for before it is restored; verify and profile name its file and place`, async () => {
    const { storage, file, offset } = await hostile(kind)
    const back = await openStore('memory', { ...SETTINGS, readOnly: true, restore: { at: 2 } }, { storage })
    assert.deepEqual([back.restored.epoch, back.map('map').size], [2, 5])
    await back.close()

    const { ok, epoch, files } = await verifyStore(storage, () => undefined)
    assert.deepEqual([ok, epoch], [false, 2])
    const wrong = files.filter(({ problem }) => problem !== undefined)
    assert.deepEqual(
      wrong.map(each => each.file),
      [file],
    )
    assert.match(wrong[0]?.problem ?? '', new RegExp(`^damaged at ${offset}: `))
    const { history } = await profileStore(storage, {}, { monotonic: () => 0, pause: () => undefined, wait: async () => {} })
    assert.deepEqual([history.lastEpoch, history.damage?.file, history.damage?.offset], [2, file, offset])
  })
}

test('a block that does not unpack, in the first epoch of all: nothing is left to fall back to, and the store goes on empty', async () => {
  const { storage, file } = await hostile('does not unpack', 1)
  const fallen = await openStore('memory', { ...SETTINGS, restore: { onDamage: 'fall-back' } }, { storage, writer: 'inline' })
  const { epoch, lost } = fallen.restored
  assert.deepEqual([epoch, lost?.firstLostEpoch, lost?.lastSeenEpoch, lost?.file], [0, 1, 4, file])
  assert.equal(fallen.map('map').size, 0)
  fallen.map('map').set('new', 1)
  await fallen.checkpoint()
  await fallen.close()
  const again = await openStore('memory', SETTINGS, { storage, writer: 'inline' })
  assert.deepEqual([again.restored.epoch, [...again.map('map').keys()]], [1, ['new']])
  await again.close()
})

test('a block that does not unpack: those before it come, no commit does', async () => {
  const { storage, offset } = await hostile('does not unpack')
  const { storeId, log } = (await openForReading(storage)).manifest
  const scan = new LogScan({ storage, storeId, log, onDamage: 'fall-back' })
  const came: string[] = []
  for await (const { type, commit } of scan) if (commit.epoch > 1) came.push(`${type} ${commit.epoch}`)
  assert.equal(came.at(-1), 'block 3')
  assert.equal(came.filter(each => each.startsWith('commit')).join(), 'commit 2')
  const { end, damage, unproven } = scan.report
  assert.deepEqual([end.epoch, damage?.offset, damage?.firstLostEpoch, damage?.lastSeenEpoch, unproven], [2, offset, 3, 4, null])
})

test('a block that does not unpack, met by a fold: the store is degraded and says where it stands, commits go on', async () => {
  const world = new SimulatedStore()
  world.thresholds = { bytes: 2000, records: 1_000_000, logBytes: 1_000_000, graceMs: 100 }
  const store = await world.open({ compression: 'deflate' })
  const { deflateRawSync: sound } = zlib
  zlib.deflateRawSync = (...of) => sound(...of).subarray(0, -5)
  syncBuiltinESMExports()
  try {
    store.map('map').set('a', 'some text '.repeat(500))
    await world.checkpoint()
  } finally {
    zlib.deflateRawSync = sound
    syncBuiltinESMExports()
  }
  await world.pass(5000)
  const { lastError } = store.stats().upkeep
  assert.match(lastError ?? '', /^log\/\S+ is damaged at \d+: a block whose checksums hold/)
  assert.equal(store.status, 'degraded')
  store.map('map').set('b', 1)
  assert.equal((await world.checkpoint()).epoch, 2)
  await world.close()
})

test('want of memory to unpack a block is told by whoever reads the log, with its file, and is no damage', async t => {
  const storage = new MemoryStorage()
  const settings = { checkpoint: { intervalMs: 0 }, compression: 'deflate' } as const
  const store = await openStore('memory', settings, { storage, writer: 'inline' })
  store.map('map').set('a', 'some text '.repeat(500))
  await store.checkpoint()
  await store.close()
  const { mock } = t.mock.method(zlib, 'inflateRawSync', () => {
    throw new RangeError('Array buffer allocation failed')
  })
  syncBuiltinESMExports()
  try {
    const told = { code: 'TIDEMARK_STORAGE', kind: 'retry', file: /^log\//, message: /Array buffer allocation failed/, hint: /memory/ }
    for (const restore of [{}, { at: 1 }, { onDamage: 'fall-back' }] as const) {
      await assert.rejects(openStore('memory', { ...settings, restore }, { storage, writer: 'inline' }), told)
      await assert.rejects(openStore('memory', { ...settings, restore, readOnly: true }, { storage }), told)
    }
    await assert.rejects(
      verifyStore(storage, () => undefined),
      told,
    )
    await assert.rejects(profileStore(storage, {}, { monotonic: () => 0, pause: () => undefined, wait: async () => {} }), told)
  } finally {
    mock.restore()
    syncBuiltinESMExports()
  }
  const again = await openStore('memory', settings, { storage, writer: 'inline' })
  assert.deepEqual([again.restored.epoch, again.restored.lost], [1, undefined])
  await again.close()
})

test('a fold that has no memory to unpack a block says that, and comes to it later', async t => {
  const world = new SimulatedStore()
  world.thresholds = { bytes: 2000, records: 1_000_000, logBytes: 1_000_000, graceMs: 100 }
  const store = await world.open({ compression: 'deflate' })
  const { mock } = t.mock.method(zlib, 'inflateRawSync', () => {
    throw new RangeError('Array buffer allocation failed')
  })
  syncBuiltinESMExports()
  try {
    store.map('map').set('a', 'some text '.repeat(500))
    await world.checkpoint()
    await world.pass(5000)
    assert.match(store.stats().upkeep.lastError ?? '', /^unpack of log\/\S+ failed: ENOMEM/)
  } finally {
    mock.restore()
    syncBuiltinESMExports()
  }
  await world.pass(120_000)
  assert.deepEqual([store.stats().upkeep.folds, store.status], [1, 'ok'])
  await world.close()
})
