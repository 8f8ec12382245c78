/** No memory to encode a value: that passes, and says nothing of the value. Waited for, but not for ever: all else waits with it. */
import assert from 'node:assert/strict'
import { mock, type TestContext, test } from 'node:test'
import { ByteWriter } from '../src/base/bytes.ts'
import type { TidemarkError } from '../src/base/errors.ts'
import { type Codec, tideCodec, wrapCodec } from '../src/codec/index.ts'
import { isErrno } from '../src/storage/index.ts'
import { numbered, Rig } from './support/capture-rig.ts'
import { alone, quiet } from './support/checkpointer-rig.ts'
import { SimulatedStore } from './support/simulated-store.ts'

const LARGE_BYTES = 512 * 1024
const LARGE = 'x'.repeat(LARGE_BYTES)
const SHORT = { code: 'TIDEMARK_STORAGE', kind: 'retry', message: /ENOMEM.*Array buffer allocation failed/, hint: /memory/ } as const

/** While it is so, buffers that are large cannot be had. */
function shortOfMemory(t: TestContext): { short: boolean } {
  const memory = { short: true }
  const original = Buffer.allocUnsafeSlow
  mock.method(Buffer, 'allocUnsafeSlow', (size: number) => {
    if (memory.short && size >= LARGE_BYTES) throw new RangeError('Array buffer allocation failed')
    return original(size)
  })
  t.after(() => mock.restoreAll())
  return memory
}

const large: Codec<string> = {
  name: 'large',
  encode: value => Buffer.allocUnsafeSlow(value.length).fill(120),
  decode: bytes => String(bytes),
}

test('a codec says that there was no memory, and not that the value cannot be stored', t => {
  const memory = shortOfMemory(t)
  for (const codec of [tideCodec, wrapCodec(large)]) {
    for (memory.short of [true, false]) {
      const writer = new ByteWriter()
      const encode = (): void => codec.encodeInto(writer, LARGE)
      if (memory.short) assert.throws(encode, { name: 'RangeError', message: /allocation/ })
      else encode()
    }
  }
})

test('an epoch waits for the memory that one of its values needs', async t => {
  const memory = shortOfMemory(t)
  const { scheduler, host, map, checkpointer, seen } = alone()
  for (const [key, value] of [...numbered(20), ['large', LARGE] as const]) map.set(key, value)
  const asked = checkpointer.checkpoint(1e9)
  scheduler.pass(0)
  assert.deepEqual(seen, ['barrier 1', 'degraded'])
  assert.ok(isErrno(checkpointer.degradedBy, 'ENOMEM'))
  assert.match(checkpointer.degradedBy?.message ?? '', /'map', key large/)
  memory.short = false
  scheduler.pass(1000)
  assert.equal(host.keys(1), 21)
  host.commit()
  assert.equal((await asked).refusedCount, 0)
  assert.equal(checkpointer.dirty, false)
})

test('where it does not come the value is refused for that, and all else is durable; the next epochs do not wait again, and take it once it can be', async t => {
  const memory = shortOfMemory(t)
  const { scheduler, host, map, checkpointer, seen } = alone()
  for (const [key, value] of [...numbered(20), ['large', LARGE] as const]) map.set(key, value)
  const asked = checkpointer.checkpoint(1e9)
  scheduler.pass(5000)
  const failed = ['barrier 1', 'degraded']
  assert.deepEqual(seen, [...failed, ...failed, ...failed, 'barrier 1', 'refused'])
  assert.equal(host.keys(3), 20)
  host.commit()
  await assert.rejects(asked, (error: TidemarkError) => {
    assert.equal(error.code, 'TIDEMARK_VALUE_REFUSED')
    return /'map', key large: .*ENOMEM/.test(error.message) && /memory/.test(error.hint ?? '')
  })
  assert.equal(checkpointer.status, 'ok')
  map.set('k0', 'new')
  quiet(checkpointer.checkpoint(1e9))
  scheduler.pass(0)
  assert.equal(host.commits.at(-1)?.refused, 1)
  assert.equal(host.commits.at(-1)?.catalogue[0]?.entries, 20)
  host.commit()
  memory.short = false
  const again = checkpointer.checkpoint(1e9)
  scheduler.pass(0)
  host.commit()
  assert.equal((await again).entries, 21)
  assert.equal(checkpointer.dirty, false)
  // It is waited for as ever.
  memory.short = true
  map.set('large', `${LARGE}x`)
  quiet(checkpointer.checkpoint(1e9))
  scheduler.pass(0)
  assert.equal(checkpointer.status, 'degraded')
})

test('the drain leaves it to the barrier', t => {
  const memory = shortOfMemory(t)
  const rig = new Rig()
  const map = rig.collection(numbered(5))
  rig.checkpoint()
  map.set('k1', LARGE)
  map.set('new', LARGE)
  map.set('k2', 'small')
  rig.pass(2000)
  assert.equal(rig.drain.records, 1)
  memory.short = false
  rig.checkpoint()
  rig.check(map)
  assert.deepEqual(rig.refusals, [])
})

test('a transaction hands out nothing that it could not put back, and goes on', async t => {
  const memory = shortOfMemory(t)
  memory.short = false
  const world = new SimulatedStore()
  const store = await world.open()
  const map = store.map<{ list: Set<string> }>('map')
  const cell = store.value<{ text: string }>('cell', { text: LARGE })
  // What is plain would be copied.
  map.set('a', { list: new Set([LARGE]) })
  memory.short = true
  const reason = new Error('no')
  assert.throws(
    () =>
      store.transaction(() => {
        assert.throws(() => map.get('a'), SHORT)
        assert.throws(() => cell.get(), SHORT)
        assert.throws(() => map.get('a'), SHORT)
        assert.throws(() => cell.get(), SHORT)
        memory.short = false
        map.get('a')?.list.add('more')
        cell.get().text = 'other'
        throw reason
      }),
    reason,
  )
  assert.deepEqual(map.get('a'), { list: new Set([LARGE]) })
  assert.equal(cell.get().text, LARGE)
  memory.short = true
  // There is room for one from before.
  const b = { list: new Set([LARGE, `${LARGE}x`, `${LARGE}xx`]) }
  assert.throws(() => store.transaction(() => map.set('b', b)), SHORT)
  assert.equal(map.has('b'), false)
  memory.short = false
  store.transaction(() => map.set('b', b))
  await world.close()
})
