/** The events of a store as those of any emitter: what Node.js itself does with one. */
import assert from 'node:assert/strict'
import { type EventEmitter, on, once } from 'node:events'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { open } from 'tidemark'
import { Events } from '../src/face/index.ts'
import { type FromWriter, InlineHost } from '../src/writer/index.ts'
import { SimulatedStore } from './support/simulated-store.ts'
import { failsWith } from './temporary.ts'

test('once and on of node:events leave nothing behind, and are told of a store that fails', async () => {
  const world = new SimulatedStore()
  const store = await world.open()
  const map = store.map<number>('map')
  const emitter = store as unknown as EventEmitter
  const first = once(emitter, 'checkpoint')
  map.set('a', 1)
  const point = await world.checkpoint()
  assert.deepEqual(await first, [point])
  const walk = async (): Promise<unknown> => {
    for await (const args of on(emitter, 'checkpoint')) return args
    return undefined
  }
  const second = walk()
  map.set('a', 2)
  const next = await world.checkpoint()
  assert.deepEqual(await second, [next])
  const never = assert.rejects(once(emitter, 'checkpoint'), { code: 'TIDEMARK_FENCED' })
  // Another writer takes the store over.
  const young = await world.open()
  young.map<number>('map').set('b', 1)
  await world.checkpoint()
  map.set('c', 1)
  await assert.rejects(world.run(store.checkpoint()), { code: 'TIDEMARK_FENCED' })
  await never
  // What a listener throws surfaces in a turn of its own.
  await setImmediate()
  await setImmediate()
  assert.equal(store.status, 'failed')
  await assert.rejects(world.run(store.close()))
  await world.close()
})

test('addListener and removeListener are on and off', async () => {
  const world = new SimulatedStore()
  const store = await world.open()
  let told = 0
  const listener = (): void => void told++
  const map = store.map<number>('map')
  assert.equal(store.addListener('barrier', listener), store)
  map.set('a', 1)
  await world.checkpoint()
  assert.equal(store.removeListener('barrier', listener), store)
  map.set('a', 2)
  await world.checkpoint()
  store.once('barrier', listener).removeListener('barrier', listener)
  map.set('a', 3)
  await world.checkpoint()
  assert.equal(told, 1)
  await world.close()
})

test('a listener that is written as function has the store as this, one of once, too', async () => {
  const world = new SimulatedStore()
  const store = await world.open()
  const told: unknown[] = []
  function listener(this: unknown): void {
    told.push(this)
  }
  store.on('checkpoint', listener).once('checkpoint', listener).addListener('checkpoint', listener)
  store.map<number>('map').set('a', 1)
  await world.checkpoint()
  assert.deepEqual(
    told.map(one => one === store),
    [true, true, true],
  )
  await world.close()
})

test('a listener of once that makes its event itself is told once', () => {
  const events = new Events()
  let told = 0
  const listener = (): void => {
    told++
    events.emit('recovered')
  }
  events.once('recovered', listener)
  events.emit('recovered')
  events.emit('recovered')
  events.once('recovered', listener)
  events.off('recovered', listener)
  events.emit('recovered')
  assert.equal(told, 1)
})

test('behind error nothing more is said of durability, whatever the writer says of its upkeep', async t => {
  let say: ((message: FromWriter) => void) | undefined
  const { onMessage } = InlineHost.prototype
  t.mock.method(InlineHost.prototype, 'onMessage', function (this: InlineHost, listener: (message: FromWriter) => void) {
    say = listener
    onMessage.call(this, listener)
  })
  const world = new SimulatedStore()
  const store = await world.open()
  const told: string[] = []
  for (const name of ['degraded', 'recovered', 'error'] as const) store.on(name, () => void told.push(name))
  const figures = { foldedEpoch: 0, segments: 0, segmentBytes: 0, bytesWritten: 0, allBytes: 0, ms: 0, files: 0 }
  const unread = (message: string): void => {
    say?.({ type: 'upkeep', did: 'failed', ...figures, unread: true, error: { code: 'TIDEMARK_LOG_DAMAGED', message } })
  }
  const folded = (): void => say?.({ type: 'upkeep', did: 'folded', ...figures })
  unread('a file is damaged')
  folded()
  unread('another file is damaged')
  assert.deepEqual(told, ['degraded', 'recovered', 'degraded'])
  say?.({ type: 'failed', attempt: 0, fatal: true, error: { code: 'TIDEMARK_STORAGE', message: 'no file can be made' } })
  folded()
  unread('a third file is damaged')
  assert.deepEqual(told.slice(3), ['error'])
  const { upkeep, degradedBy } = store.stats()
  assert.deepEqual([upkeep.folds, upkeep.failures, upkeep.lastError], [2, 3, 'a third file is damaged'])
  assert.deepEqual([store.status, degradedBy], ['failed', 'no file can be made'])
  await assert.rejects(world.run(store.close()), { code: 'TIDEMARK_STORAGE' })
})

test('many listeners of one event are nothing to warn of: the warning names a method that a store has not', async () => {
  const warnings: string[] = []
  const warned = ({ name }: Error): unknown => warnings.push(name)
  process.on('warning', warned)
  try {
    await using store = await open(':memory:', { checkpoint: { intervalMs: 0 } })
    for (let n = 0; n < 20; n++) store.on('checkpoint', () => {})
    // Node.js warns in a turn of its own.
    await setImmediate()
    assert.ok(!warnings.includes('MaxListenersExceededWarning'))
  } finally {
    process.off('warning', warned)
  }
})

test('an event that does not exist, and what is no function, is refused by name', async () => {
  await using store = await open(':memory:', { checkpoint: { intervalMs: 0 } })
  const listener = (): void => assert.fail('it was called')
  for (const call of ['on', 'once', 'off', 'addListener', 'removeListener'] as const) {
    for (const name of ['chekpoint', 'newListener', 'toString', '', 5, undefined, ['checkpoint'], Symbol('checkpoint')]) {
      const error = await failsWith('TIDEMARK_ARGUMENT', () => store[call](name as never, listener), { says: ['no event'] })
      assert.match(error.hint as string, /checkpoint.*degraded.*untracked/)
    }
    await failsWith('TIDEMARK_ARGUMENT', () => store[call]('chekpoint' as never, listener), { says: ["'chekpoint'"] })
    for (const given of [undefined, null, 5, {}])
      await failsWith('TIDEMARK_ARGUMENT', () => store[call]('checkpoint', given as never), { says: ['takes a function', 'checkpoint'] })
  }
  await failsWith('TIDEMARK_ARGUMENT', () => once(store as unknown as EventEmitter, 'chekpoint'), { says: ["'chekpoint'"] })
})
