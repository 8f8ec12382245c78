import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FAILPOINTS, type Failpoint } from '../../src/base/failpoint.ts'
import { EARLY_SYNC_BYTES, EARLY_SYNC_BYTES_MAX, EARLY_SYNC_MS, LINEAGE_MAX } from '../../src/base/limits.ts'
import type { Scheduler } from '../../src/base/scheduler.ts'
import { MemoryDisk, MemoryStorage } from '../../src/storage/index.ts'
import { SimulatedScheduler, SimulatedStorage } from '../../src/testing/index.ts'
import { InlineHost, type WriterFacts } from '../../src/writer/index.ts'
import { blockBytes, Life, pseudoRandom, readAll } from '../support/log-store.ts'

test('what is committed is there for a reader, for the next writer, and across rolls', async () => {
  const disk = new MemoryDisk()
  const expected: unknown[] = []
  for (let life = 0; life < 3; life++) {
    const writer = await Life.open({ storage: new MemoryStorage(disk), name: `life ${life}`, fileBytesMax: 2000 })
    assert.deepEqual(writer.found.epochs, expected)
    for (let count = 0; count < 5; count++) {
      const blocks = [
        [
          ['a', `${life}.${count}`],
          ['b', 'x'.repeat(300)],
        ],
        [['a', undefined]],
      ] as const
      const message = await writer.mustCommit(blocks)
      expected.push({ epoch: message.epoch, blocks })
    }
    await writer.close()
  }
  const { epochs, report, opened } = await readAll(new MemoryStorage(disk))
  assert.deepEqual(epochs, expected)
  assert.deepEqual(report.healed, [])
  assert.equal(report.torn, null)
  assert.equal(report.damage, null)
  assert.equal(opened.manifest.token, 3)
  assert.ok(opened.manifest.log.length > 3)
})

test('an epoch without records is an epoch', async () => {
  const disk = new MemoryDisk()
  const writer = await Life.open({ storage: new MemoryStorage(disk) })
  await writer.mustCommit([])
  await writer.close()
  const { epochs } = await readAll(new MemoryStorage(disk))
  assert.deepEqual(epochs, [{ epoch: 1, blocks: [] }])
})

test('every failpoint is reached, and no other', async () => {
  const reached = new Set<string>()
  const failpoint: Failpoint = async name => {
    reached.add(name)
  }
  const storage = new SimulatedStorage({ seed: 1 })
  for (let life = 0; life < 2; life++) {
    const writer = await Life.open({ storage, name: `life ${life}`, failpoint, compression: 'none' })
    await writer.mustCommit([[['big', 'x'.repeat(EARLY_SYNC_BYTES_MAX + 1)]], [['small', 'y']]])
    storage.inject({ operation: 'sync', errno: 'EIO', nth: 1 })
    assert.equal((await writer.commit([])).type, 'failed')
    // Header, commit, seal: without it the next life has to make that epoch durable.
    storage.inject({ operation: 'append', errno: 'ENOSPC', nth: 3 })
    await writer.mustCommit([])
    await writer.close()
  }
  assert.deepEqual([...reached].sort(), [...FAILPOINTS].sort())
})

test('blocks are synced early: by bytes, by time, not before a commit that has come, and seldom where syncs are slow', async () => {
  const scheduler = new SimulatedScheduler({ seed: 1 })
  const { clock } = scheduler
  const storage = new SimulatedStorage({ seed: 1, scheduler, latencyMs: { min: 0, max: 0 } })
  const writer = await scheduler.run(
    Life.open({
      storage,
      host: facts => new InlineHost({ storage, facts: { ...facts, compression: 'none' }, clock, random: pseudoRandom('early') }),
    }),
  )
  const post = async (bytes: number, afterMs: number): Promise<number> => {
    const before = storage.calls.length
    const raw = blockBytes([['key', 'x'.repeat(bytes)]])
    writer.host.post({ type: 'batch', attempt: writer.attempt, bytes: raw, records: 1 })
    await scheduler.run(clock.monotonic() + afterMs)
    return storage.calls.slice(before).filter(call => call.operation === 'sync').length
  }
  await scheduler.run(writer.mustCommit([]))
  assert.equal(await post(EARLY_SYNC_BYTES / 2, 10), 0)
  assert.equal(await post(EARLY_SYNC_BYTES / 2 + 100, 10), 1)
  assert.equal(await post(10, EARLY_SYNC_MS), 0)
  assert.equal(await post(10, 10), 1)
  const syncs = (): number => storage.calls.filter(call => call.operation === 'sync').length
  const before = syncs()
  await scheduler.run(writer.mustCommit([[['a', 'x'.repeat(EARLY_SYNC_BYTES)]], [['b', 'y']]]))
  assert.equal(syncs(), before + 1)
  await scheduler.run(writer.close())

  const slow = new SimulatedStorage({ disk: storage.disk, seed: 1, scheduler, latencyMs: { min: 100, max: 100 } })
  const other = await scheduler.run(
    Life.open({
      storage: slow,
      host: facts => new InlineHost({ storage: slow, facts: { ...facts, compression: 'none' }, clock, random: pseudoRandom('slow') }),
    }),
  )
  await scheduler.run(other.mustCommit([]))
  const begin = slow.calls.length
  for (let block = 0; block < 40; block++) {
    other.host.post({ type: 'batch', attempt: other.attempt, bytes: blockBytes([['key', 'value']]), records: 1 })
    await scheduler.run(clock.monotonic() + 250)
  }
  const early = slow.calls.slice(begin).filter(call => call.operation === 'sync').length
  // Ten seconds: an eighth of the time is twelve syncs of 100 ms.
  assert.ok(early >= 8 && early <= 13, `${early}`)
  const { syncMs } = await scheduler.run(other.mustCommit([]))
  assert.equal(syncMs, 100, 'that of the commit, by which the device is judged')
  await scheduler.run(other.close())
})

test('a roll for which a manifest has no room is a failure as any other, not the end', async () => {
  const storage = new MemoryStorage()
  const lineage = Array.from({ length: LINEAGE_MAX + 1 }, () => ({ id: '01'.repeat(16), forkEpoch: 0 }))
  const { clock } = new SimulatedScheduler()
  const writer = await Life.open({
    storage,
    host: facts => {
      const manifest = { ...facts.manifest, lineage }
      return new InlineHost({ storage, facts: { ...facts, manifest, compression: 'none' }, clock, random: pseudoRandom('full') })
    },
  })
  for (let at = 0; at < 2; at++) {
    const answer = await writer.commit([[['a', '1']]])
    assert.ok(answer.type === 'failed')
    assert.deepEqual([answer.error.code, answer.fatal], ['TIDEMARK_MANIFEST_FULL', false])
  }
  await writer.close()
})

test('a broken invariant ends the writer for good, and nothing else that is thrown does', async () => {
  for (const broken of [true, false]) {
    const failpoint: Failpoint = async name => {
      if (name === 'block.append' && !broken) throw new Error('no memory')
    }
    const writer = await Life.open({ storage: new MemoryStorage(), failpoint })
    await writer.mustCommit([[['a', '1']]])
    const bytes = blockBytes([['b', '2']])
    writer.host.post({ type: 'batch', attempt: writer.attempt, bytes, records: broken ? 2 : 1 })
    const answer = await writer.commit([])
    assert.ok(answer.type === 'failed')
    assert.deepEqual([answer.error.code, answer.fatal], ['TIDEMARK_BUG', broken])
    assert.match(answer.error.message, broken ? /a batch of 2 records has 1/ : /no memory/)
    await writer.close()
  }
})

test('a reset leaves the epoch that was begun: none of its blocks is in the one that follows', async () => {
  for (const before of [0, 1]) {
    const storage = new MemoryStorage()
    const writer = await Life.open({ storage, compression: 'none' })
    const first = [[['first', '0']]] as const
    writer.attempt = 0
    if (before > 0) await writer.mustCommit(first)
    writer.host.post({ type: 'batch', attempt: 0, bytes: blockBytes([['ghost', '0']]), records: 1 })
    writer.attempt = 1
    writer.host.post({ type: 'reset', attempt: 1 })
    const { rolled } = await writer.mustCommit([[['k', '1']]])
    assert.equal(rolled, true)
    await writer.close()
    const { epochs, report } = await readAll(storage)
    const last = { epoch: before + 1, blocks: [[['k', '1']]] }
    assert.deepEqual(epochs, before > 0 ? [{ epoch: 1, blocks: first }, last] : [last])
    assert.equal(report.damage, null)
  }
})

test('what fails in a message that is of no attempt fails the one under way: its commit is answered, and the next comes through', async () => {
  const scheduler = new SimulatedScheduler({ seed: 1 })
  const { clock } = scheduler
  const storage = new SimulatedStorage({ seed: 1, scheduler })
  let fails = false
  const failing: Scheduler = {
    immediate: fn => scheduler.immediate(fn),
    after: (ms, fn) => {
      if (!fails) return scheduler.after(ms, fn)
      fails = false
      throw new Error('no memory')
    },
  }
  const tail = { rawBytes: 0, records: 0, logBytes: 0 }
  const upkeep = { retention: { keepLast: 1, keepMs: 0 }, tail, catalogue: [], follow: false }
  const host = (facts: Pick<WriterFacts, 'manifest' | 'acceptedEnd' | 'unproven'>): InlineHost =>
    new InlineHost({
      ...{ storage, clock, random: pseudoRandom('level'), upkeep: { storage, scheduler: failing, sliceMs: 1 } },
      facts: { ...facts, compression: 'none', upkeep },
    })
  const writer = await scheduler.run(Life.open({ storage, host }))
  await scheduler.run(writer.mustCommit([[['a', '1']]]))
  fails = true
  writer.host.post({ type: 'upkeep-level', level: 'free', ms: 1000 })
  const answer = await scheduler.run(writer.commit([[['b', '2']]]))
  assert.ok(answer.type === 'failed' && !answer.fatal)
  assert.equal(answer.attempt, 1)
  await scheduler.run(writer.mustCommit([[['b', '2']]]))
  await scheduler.run(writer.close())
})
