/** A block that cannot be handed to the writer: its records are not lost, and no epoch is acknowledged without them. */
import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import type { TidemarkError } from '../src/base/errors.ts'
import { BLOCK_RAW_BYTES, IN_FLIGHT_BYTES_MAX } from '../src/base/limits.ts'
import { Collection } from '../src/capture/index.ts'
import { type Key, tideCodec, type ValueCodec } from '../src/codec/index.ts'
import { isErrno } from '../src/storage/index.ts'
import type { ToWriter } from '../src/writer/index.ts'
import { alone, type FakeHost, quiet } from './support/checkpointer-rig.ts'

const KEYS = 40
const text = (n: number): string => `${n} `.padEnd(4000, 'x')

/** The first message of this type is not taken. */
function refusesOne(host: FakeHost, type: ToWriter['type']): { readonly refused: boolean } {
  const state = { refused: false }
  const { post } = host
  host.post = message => {
    if (message.type !== type || state.refused) return post.call(host, message)
    state.refused = true
    throw new Error('no way to the thread')
  }
  return state
}

/** The first buffer for a block cannot be had. */
function wantsMemoryOnce(): { readonly wanted: boolean; restore(): void } {
  const state = { wanted: false, restore: () => allocate.mock.restore() }
  const original = Buffer.allocUnsafeSlow
  const allocate = mock.method(Buffer, 'allocUnsafeSlow', (size: number) => {
    if (state.wanted || size < BLOCK_RAW_BYTES) return original(size)
    state.wanted = true
    throw new RangeError('Array buffer allocation failed')
  })
  return state
}

for (const how of ['a batch that is not taken', 'a commit that is not taken', 'no memory for a block'] as const) {
  test(`${how} fails the attempt, and the next has every record`, async () => {
    const { scheduler, host, map, checkpointer, seen } = alone()
    for (let n = 0; n < KEYS; n++) map.set(`k${n}`, text(n))
    const memory = how === 'no memory for a block' ? wantsMemoryOnce() : undefined
    const state = refusesOne(host, how === 'a commit that is not taken' ? 'commit' : memory === undefined ? 'batch' : 'close')
    const asked = checkpointer.checkpoint(1e9)
    try {
      scheduler.pass(0)
    } finally {
      memory?.restore()
    }
    assert.ok(state.refused || memory?.wanted)
    assert.deepEqual(seen, ['barrier 1', 'degraded'])
    const { degradedBy } = checkpointer
    assert.deepEqual([degradedBy?.code, degradedBy?.kind], ['TIDEMARK_STORAGE', 'retry'])
    if (memory !== undefined) assert.ok(isErrno(degradedBy, 'ENOMEM'))
    scheduler.pass(1000)
    assert.equal(host.keys(1), KEYS)
    host.commit()
    assert.equal((await asked).refusedCount, 0)
    assert.equal(checkpointer.dirty, false)
    assert.deepEqual(seen.slice(2), ['barrier 1', 'recovered', 'checkpoint'])
  })
}

test('a reset that is not taken is posted again', async () => {
  const { scheduler, host, map, checkpointer } = alone()
  map.set('a', 1)
  const asked = checkpointer.checkpoint(1e9)
  scheduler.pass(0)
  refusesOne(host, 'reset')
  host.fail(0)
  scheduler.pass(5000)
  assert.deepEqual(
    host.posted.map(({ type }) => type),
    ['commit', 'reset', 'commit'],
  )
  host.commit()
  assert.equal((await asked).epoch, 1)
})

for (const call of ['get', 'set', 'delete', 'clear', 'a void'] as const) {
  test(`a call of the service that meets it goes on (${call}), and no cut that moves leaves the records out`, async () => {
    const { scheduler, host, map, checkpointer, seen } = alone(0, true)
    const values = Array.from({ length: KEYS }, (_, n) => ({ text: text(n) }))
    for (const [n, value] of values.entries()) map.set(`k${n}`, value)
    quiet(checkpointer.checkpoint(1e9))
    const state = refusesOne(host, 'batch')
    const keys = [...map.live.keys()]
    const touch = (key: Key): unknown => (call === 'set' ? map.set(key, 'new') : call === 'delete' ? map.delete(key) : map.get(key))
    if (call === 'clear') map.clear()
    else for (const key of keys.slice(0, 30)) touch(key)
    assert.ok(state.refused)
    // It proves that a pre-image is lost: what the cut wrote so far would stand.
    if (call === 'a void') map.set('k39', values[39])
    assert.deepEqual(seen, ['barrier 1'], 'nobody is told inside the call')
    scheduler.pass(1000)
    assert.deepEqual(seen.slice(0, 3), ['barrier 1', 'degraded', 'barrier 1'])
    assert.equal(host.keys(1), call === 'delete' ? KEYS - 30 : call === 'clear' ? 0 : KEYS)
    host.commit()
    assert.deepEqual(seen.slice(3), ['recovered', 'checkpoint'])
  })
}

for (const call of ['set', 'clear'] as const) {
  test(`a cut that a codec makes void (${call}) while it encodes the record with which a block is lost does not move: its records are not taken for written`, () => {
    const { scheduler, host, space, collections, map, checkpointer, seen } = alone(0, true)
    const value = { n: 1 }
    let meddles = false
    const meddling: ValueCodec = {
      ...tideCodec,
      name: 'meddling',
      encodeInto(writer, encoded) {
        if (meddles) call === 'set' ? other.set(0, value) : other.clear()
        meddles = false
        tideCodec.encodeInto(writer, encoded)
      },
    }
    const other = new Collection(space, 'other', 'map', tideCodec, space.nextId++)
    const large = new Collection(space, 'large', 'map', meddling, space.nextId++)
    for (const collection of [other, large]) collections.set(collection.name, collection)
    for (let n = 0; n < 5; n++) map.set(`k${n}`, { text: text(n) })
    for (let n = 0; n < 300; n++) other.set(n, value)
    large.set('fills it', { text: 'x'.repeat(BLOCK_RAW_BYTES) })
    quiet(checkpointer.checkpoint(1e9))
    const state = refusesOne(host, 'batch')
    for (let n = 0; n < 5; n++) map.get(`k${n}`)
    meddles = true
    large.get('fills it')
    assert.deepEqual([state.refused, seen], [true, ['barrier 1', 'voided']])
    scheduler.pass(1000)
    assert.deepEqual(seen.slice(2), ['degraded', 'barrier 1'])
    assert.equal(host.keys(1), call === 'set' ? 306 : 6)
    host.commit()
    assert.deepEqual([checkpointer.status, checkpointer.dirty], ['ok', false])
  })
}

test('a block as large as all that may be in flight, which is not taken in a call of the service, does not hang its epoch', () => {
  const { scheduler, host, map, checkpointer, seen } = alone(0, true)
  map.set('large', { text: 'x'.repeat(IN_FLIGHT_BYTES_MAX) })
  map.set('small', 1)
  quiet(checkpointer.checkpoint(1e9))
  const state = refusesOne(host, 'batch')
  map.get('large')
  assert.ok(state.refused)
  scheduler.pass(1000)
  assert.deepEqual(seen.slice(0, 2), ['barrier 1', 'degraded'])
  // The writer takes in what it got.
  host.say({ type: 'credit', attempt: 1, bytes: checkpointer.outbox.inFlight })
  scheduler.pass(1000)
  assert.equal(host.keys(1), 2)
  host.commit()
  assert.deepEqual([checkpointer.status, checkpointer.dirty], ['ok', false])
})

test('what was drained into a block that is not taken is in the next attempt, and deleting it takes a tombstone', () => {
  const { scheduler, host, map, checkpointer, seen } = alone(1000)
  const state = refusesOne(host, 'batch')
  for (let n = 0; n < KEYS; n++) map.set(`k${n}`, text(n))
  for (let ms = 0; ms < 5000 && !state.refused; ms++) scheduler.pass(1)
  assert.deepEqual(seen, ['degraded'], 'before the barrier')
  map.delete('k0')
  scheduler.pass(2000)
  assert.equal(host.commits.length, 1)
  assert.equal(host.keys(1), KEYS - 1)
  assert.equal(host.commits[0]?.catalogue[0]?.entries, KEYS - 1)
  host.commit()
  assert.equal(checkpointer.dirty, false)
})

for (const answer of ['committed', 'committed, and who is told of it asks for the next', 'failed'] as const) {
  test(`what is drained behind a commit into a block that is not taken waits for the writer's answer to that commit (${answer})`, () => {
    const { scheduler, host, map, checkpointer, seen } = alone(1000)
    for (let n = 0; n < KEYS; n++) map.set(`k${n}`, text(n))
    for (let ms = 0; ms < 5000 && host.commits.length === 0; ms++) scheduler.pass(1)
    const state = refusesOne(host, 'batch')
    for (let n = 0; n < KEYS; n++) map.set(`n${n}`, text(n))
    for (let ms = 0; ms < 5000 && !state.refused; ms++) scheduler.pass(1)
    assert.deepEqual([state.refused, host.commits.length], [true, 1])
    const posted = host.posted.length
    map.set('later', text(0))
    scheduler.pass(5000)
    assert.equal(host.posted.length, posted, 'the writer would forget the commit, or take more behind what is lost')
    assert.deepEqual(seen, ['barrier 1'])
    if (answer === 'failed') host.fail(0)
    else {
      const { push } = seen
      seen.push = name => {
        seen.push = push
        if (answer !== 'committed') quiet(checkpointer.checkpoint(1e9))
        return seen.push(name)
      }
      host.commit()
    }
    assert.deepEqual(seen.slice(1), answer === 'failed' ? ['degraded'] : ['checkpoint', 'degraded'])
    assert.equal(host.posted.length, posted)
    scheduler.pass(2000)
    assert.deepEqual([host.posted[posted]?.type, host.commits.length], ['reset', 2])
    assert.equal(host.commits[1]?.epoch, answer === 'failed' ? 1 : 2)
    assert.equal(host.keys(1), answer === 'failed' ? 2 * KEYS + 1 : KEYS + 1)
    host.commit()
    assert.deepEqual([checkpointer.status, checkpointer.dirty], ['ok', false])
  })
}

test('no memory for another block while one is sent early, in a turn of the drain, stops nothing', () => {
  const { scheduler, host, map, checkpointer, seen } = alone(1000)
  for (let n = 0; n < 10; n++) map.set(`k${n}`, text(n))
  const memory = wantsMemoryOnce()
  try {
    for (let ms = 0; ms < 1000 && !memory.wanted; ms++) scheduler.pass(1)
    assert.deepEqual([memory.wanted, seen], [true, ['degraded']])
  } finally {
    memory.restore()
  }
  scheduler.pass(2000)
  assert.equal(host.keys(1), 10)
  host.commit()
  assert.deepEqual([checkpointer.status, checkpointer.dirty], ['ok', false])
})

test('a failure that fails itself stops the engine, and gets out to nobody', async () => {
  const { scheduler, host, map, checkpointer, seen } = alone()
  for (let n = 0; n < KEYS; n++) map.set(`k${n}`, text(n))
  refusesOne(host, 'batch')
  const asked = checkpointer.checkpoint(1e9)
  checkpointer.outbox.reset = () => {
    throw new Error('broken')
  }
  scheduler.pass(0)
  assert.deepEqual(seen, ['barrier 1', 'failed'])
  await assert.rejects(asked, (error: TidemarkError) => error.code === 'TIDEMARK_BUG')
})
