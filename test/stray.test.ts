/** Promises and generators where none is taken: refused, and the failure of a promise ends nothing. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { type Codec, open, type TidemarkError } from 'tidemark'
import { temporaryFolder } from './temporary.ts'

const failing = async (): Promise<never> => {
  throw new Error('later')
}

/** What the process would have ended with, in the turns that follow `run`. */
async function unhandled(t: TestContext, run: () => unknown): Promise<unknown[]> {
  const found: unknown[] = []
  const listener = (reason: unknown): void => void found.push(reason)
  process.on('unhandledRejection', listener)
  t.after(() => process.off('unhandledRejection', listener))
  await run()
  await setImmediate()
  await setImmediate()
  return found
}

test('an async function given to update, of a map or a cell', async t => {
  await using store = await open(':memory:', { checkpoint: { intervalMs: 0 } })
  const map = store.map<number>('map')
  const cell = store.value('cell', 0)
  const found = await unhandled(t, () => {
    assert.throws(() => map.update('a', failing as never), { code: 'TIDEMARK_ARGUMENT' })
    map.set('a', 1)
    assert.throws(() => map.update('a', failing as never), { code: 'TIDEMARK_ARGUMENT' })
    assert.throws(() => cell.update(failing as never), { code: 'TIDEMARK_ARGUMENT' })
    assert.throws(() => store.transaction((() => failing()) as never), { code: 'TIDEMARK_TRANSACTION_ASYNC' })
  })
  assert.deepEqual(found, [])
})

test('work that begins when it is waited for does not begin when it is refused', async () => {
  await using store = await open(':memory:', { checkpoint: { intervalMs: 0 } })
  let begun = 0
  // biome-ignore lint/suspicious/noThenProperty: it is one
  const query = { then: () => begun++ }
  assert.throws(() => store.map('map').update('a', () => query), { code: 'TIDEMARK_ARGUMENT' })
  assert.throws(() => store.transaction((() => query) as never), { code: 'TIDEMARK_TRANSACTION_ASYNC' })
  assert.equal(begun, 0)
})

test('a generator is refused wherever a function has to do its work at once: none of it is done later', async () => {
  await using store = await open(':memory:', { checkpoint: { intervalMs: 0 } })
  const map = store.map<unknown>('map', { significant: () => true })
  const cell = store.value<unknown>('cell', 0)
  const never = (): never => assert.fail('it ran')
  function* steps(_default = never()) {
    yield never()
  }
  async function* asyncSteps(_default = never()) {
    yield never()
  }
  for (const written of [steps, asyncSteps]) {
    for (const fn of [written, written.bind(undefined)] as (() => never)[]) {
      assert.throws(() => store.transaction(fn), { code: 'TIDEMARK_TRANSACTION_ASYNC', message: /generator/ })
      await assert.rejects(store.hold(fn), { code: 'TIDEMARK_ARGUMENT', message: /hold takes a function.*not a generator/ })
    }
  }
  function* plain() {
    yield map.set('from', 'a generator')
  }
  async function* plainAsync() {
    yield map.set('from', 'a generator')
  }
  map.set('a', 1)
  cell.set(1)
  for (const written of [plain, plainAsync]) {
    await store.checkpoint()
    const giving = (() => written()) as () => never
    assert.throws(() => store.transaction(giving), { code: 'TIDEMARK_TRANSACTION_ASYNC', message: /generator/ })
    assert.throws(() => store.transaction(() => store.transaction(giving)), { code: 'TIDEMARK_TRANSACTION_ASYNC' })
    for (const change of [written, giving] as (() => never)[]) {
      for (const key of ['a', 'absent']) assert.throws(() => map.update(key, change), { code: 'TIDEMARK_ARGUMENT', message: /generator/ })
      assert.throws(() => cell.update(change), { code: 'TIDEMARK_ARGUMENT', message: /generator/ })
      assert.throws(() => store.value<unknown>('unset', 0).update(change), { code: 'TIDEMARK_ARGUMENT', message: /generator/ })
    }
    for (const held of [giving, async () => giving()])
      await assert.rejects(store.hold(held), { code: 'TIDEMARK_ARGUMENT', message: /the function given to hold returned a generator/ })
    const failures: unknown[] = []
    store.once('significantFailed', ({ key, error }) => failures.push([key, (error as TidemarkError).code]))
    store.map<unknown>('map', { significant: written as never }).set('a', 2)
    await setImmediate()
    assert.deepEqual(failures, [['a', 'TIDEMARK_ARGUMENT']])
    store.map<unknown>('map', { significant: () => true }).set('a', 1)
  }
  assert.deepEqual([[...map], cell.get(), store.value('unset', 0).get()], [[['a', 1]], 1, 0])
  // What only walks, as a map does, is a value like any other.
  assert.deepEqual([...store.transaction(() => map.keys())], ['a'])
  assert.deepEqual([...(await store.hold(() => map.keys()))], ['a'])
})

test('a codec that encodes asynchronously', async t => {
  await using store = await open(':memory:', { checkpoint: { intervalMs: 0 } })
  const codec = { name: 'async', encode: failing as never, decode: () => 1 } satisfies Codec<number>
  const map = store.map('map', { codec })
  const found = await unhandled(t, async () => {
    map.set('a', 1)
    await assert.rejects(store.checkpoint(), { code: 'TIDEMARK_VALUE_REFUSED', hint: 'encode must be synchronous' })
  })
  assert.deepEqual(found, [])
  map.delete('a')
})

test('a codec that decodes asynchronously', async t => {
  const decode = async (bytes: Uint8Array) => JSON.parse(String(bytes))
  const encode = (value: unknown) => Buffer.from(JSON.stringify(value))
  const refused = { code: 'TIDEMARK_CODEC', message: /decode.*a promise/ }
  const folder = temporaryFolder(t)
  const settings = { checkpoint: { intervalMs: 0 } } as const
  const store = await open(folder, settings)
  const map = store.map<{ n: number }>('map', { codec: { name: 'async', encode, decode } as never })
  map.set('a', { n: 1 })
  const found = await unhandled(t, () => {
    const change = (): void => {
      ;(map.get('a') as { n: number }).n = 2
      throw new Error('back')
    }
    assert.throws(() => store.transaction(change), refused)
    assert.equal(map.get('a')?.n, 2, 'the value stays an object')
  })
  await store.close()
  const again = await open(folder, settings)
  const cold = again.map<{ n: number }>('map', { codec: { name: 'async', encode, decode: failing } as never })
  const foundAgain = await unhandled(t, () => {
    assert.throws(() => cold.get('a'), { ...refused, hint: 'decode must be synchronous', collection: 'map', key: 'a' })
  })
  assert.deepEqual([...found, ...foundAgain], [])
  await again.close()
  const mended = await open(folder, settings)
  const sound = mended.map<{ n: number }>('map', { codec: { name: 'async', encode, decode: bytes => JSON.parse(String(bytes)) } })
  assert.deepEqual(sound.get('a'), { n: 2 }, 'the bytes are as they were written')
  await mended.close()
})

test('an async `significant` is a failure of it: the change counts, and the event says so', async t => {
  await using store = await open(':memory:', { checkpoint: { intervalMs: 0 } })
  const map = store.map<number>('map', { significant: failing as never })
  const failures: unknown[] = []
  store.on('significantFailed', ({ key, error }) => failures.push([key, (error as TidemarkError).code]))
  map.set('a', 1)
  await store.checkpoint()
  const found = await unhandled(t, () => map.set('a', 2))
  assert.deepEqual(found, [])
  assert.deepEqual(failures, [['a', 'TIDEMARK_ARGUMENT']])
  assert.equal((await store.checkpoint()).records, 1)
})
