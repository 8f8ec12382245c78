/** Checkpoints behind `open`, in simulated time. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CheckpointPoint } from '../src/checkpoint/index.ts'
import type { Key } from '../src/codec/index.ts'
import { openStore } from '../src/open.ts'
import type { Settings } from '../src/options.ts'
import type { Store } from '../src/store.ts'
import { SeededRandom, SimulatedScheduler, SimulatedStorage } from '../src/testing/index.ts'
import { SimulatedStore } from './support/simulated-store.ts'

async function opened(settings: Settings = { checkpoint: { intervalMs: 0 } }) {
  const scheduler = new SimulatedScheduler({ seed: 1 })
  const storage = new SimulatedStorage({ seed: 1, scheduler })
  const { clock } = scheduler
  // Compression would run in real time.
  const plain: Settings = { ...settings, compression: 'none' }
  const store = await scheduler.run(openStore('simulated', plain, { storage, scheduler, clock, random: new SeededRandom(1) }))
  const epochs: number[] = []
  store.on('checkpoint', point => epochs.push(point.epoch))
  const pass = (ms: number): Promise<void> => scheduler.run(clock.monotonic() + ms)
  return { scheduler, storage, store, epochs, pass, map: store.map<unknown, Key>('map') }
}

test('the interval makes checkpoints of what changed, and starts anew at every barrier', async () => {
  const { store, epochs, pass, map, scheduler } = await opened({ checkpoint: { intervalMs: 100 } })
  await pass(1000)
  assert.deepEqual(epochs, [], 'nothing changed')
  map.set('k', 1)
  await pass(200)
  assert.deepEqual(epochs, [1])
  await pass(1000)
  assert.deepEqual(epochs, [1])
  const barriers: number[] = []
  store.on('barrier', () => barriers.push(scheduler.clock.monotonic()))
  await scheduler.run(store.checkpoint())
  map.set('k', 2)
  await pass(300)
  assert.equal(barriers.length, 2)
  assert.ok((barriers[1] as number) - (barriers[0] as number) >= 100, 'a whole interval after the explicit one')
  await scheduler.run(store.close())
})

test('callers during a capture share the next epoch', async () => {
  const { scheduler, store, map } = await opened()
  map.set('k', 1)
  const first = store.checkpoint()
  map.set('k', 2)
  const others = [store.checkpoint(), store.durable(), store.checkpoint()]
  const points = await scheduler.run(Promise.all([first, ...others]))
  assert.deepEqual(
    points.map(point => (point as CheckpointPoint | undefined)?.epoch),
    [1, 2, undefined, 2],
  )
  assert.equal(store.stats().checkpoints, 2)
  await scheduler.run(store.close())
})

test('a caller whose time is up is told why; the engine goes on and recovers', async () => {
  const { scheduler, storage, store, map, pass } = await opened()
  const events: string[] = []
  for (const name of ['degraded', 'recovered'] as const) store.on(name, () => events.push(name))
  map.set('k', 1)
  const heal = storage.inject({ operation: 'append', errno: 'ENOSPC' })
  await assert.rejects(scheduler.run(store.checkpoint({ timeoutMs: 50 })), (error: Error & { code: string; cause?: Error }) => {
    assert.equal(error.code, 'TIDEMARK_TIMEOUT')
    assert.match(String(error.cause?.message), /ENOSPC/)
    return true
  })
  assert.equal(store.status, 'degraded')
  heal()
  await pass(1000)
  assert.equal(store.status, 'ok')
  assert.equal(events[0], 'degraded')
  assert.equal(events.at(-1), 'recovered')
  await scheduler.run(store.durable())
  assert.equal(store.stats().checkpoints, 1)
  await scheduler.run(store.close())
})

test('whoever asks ends the back-off', async () => {
  const { scheduler, storage, store, map, pass } = await opened()
  map.set('k', 1)
  const heal = storage.inject({ operation: 'sync', errno: 'EIO' })
  const early = store.checkpoint()
  await pass(5000)
  heal()
  const before = scheduler.clock.monotonic()
  await scheduler.run(Promise.all([early, store.checkpoint()]))
  assert.ok(scheduler.clock.monotonic() - before < 1000)
  await scheduler.run(store.close())
})

test('a hold keeps the barrier away until it ends, or is broken at its bound', async () => {
  const { scheduler, store, map, pass, epochs } = await opened({ checkpoint: { intervalMs: 10 } })
  const broken: number[] = []
  store.on('holdBroken', ({ ms }) => broken.push(ms))
  const short = store.hold(() => scheduler.sleep(50))
  map.set('k', 1)
  await pass(45)
  assert.deepEqual(epochs, [])
  await scheduler.run(short)
  await pass(50)
  assert.deepEqual(epochs, [1])
  const long = store.hold(() => scheduler.sleep(500), { msMax: 60 })
  map.set('k', 2)
  await pass(50)
  assert.deepEqual(epochs, [1])
  await pass(100)
  assert.deepEqual(epochs, [1, 2])
  assert.equal(broken.length, 1)
  await scheduler.run(long)
  await scheduler.run(store.close())
})

test('holds that follow one another without a gap do not keep the barrier away', async () => {
  const { scheduler, store, map, pass, epochs } = await opened({ checkpoint: { intervalMs: 10 } })
  let running = 0
  let most = 0
  let done = 0
  store.on('barrier', () => assert.equal(running, 0, 'a barrier during a hold'))
  const work = async (): Promise<void> => {
    most = Math.max(most, ++running)
    map.set(`k${done}`, done)
    await scheduler.sleep(20)
    running--
    done++
  }
  // A new one every 5 ms, each of 20 ms: some hold is always running.
  const holds: Promise<void>[] = []
  for (let n = 0; n < 100; n++) {
    holds.push(store.hold(work))
    await pass(5)
  }
  assert.ok(epochs.length >= 5, `${epochs.length} epochs`)
  assert.ok(most >= 3)
  await scheduler.run(Promise.all(holds))
  assert.equal(done, 100)
  await scheduler.run(store.close())
})

test('inside a transaction or a hold what would wait for a barrier throws at once', async () => {
  const { scheduler, store } = await opened()
  const refused = (where: string): void => {
    for (const call of [() => store.checkpoint(), () => store.durable(), () => store.close(), () => store.delete('map')]) {
      assert.throws(call, { code: 'TIDEMARK_INSIDE', message: new RegExp(where) })
    }
  }
  store.transaction(() => refused('transaction'))
  await scheduler.run(
    store.hold(async () => {
      refused('hold')
      await scheduler.sleep(10)
      refused('hold')
      await assert.rejects(
        store.hold(() => {}),
        { code: 'TIDEMARK_INSIDE' },
      )
    }),
  )
  await scheduler.run(store.checkpoint())
  await scheduler.run(store.close())
})

test('an engine that has stopped throws nothing at who asks it for a checkpoint: the promise is rejected', async () => {
  const { scheduler, storage, store, map } = await opened()
  const parts = { storage, scheduler, clock: scheduler.clock, random: new SeededRandom(2) }
  const other = await scheduler.run(openStore('simulated', { compression: 'none' }, parts))
  map.set('k', 1)
  await assert.rejects(scheduler.run(store.durable()), { code: 'TIDEMARK_FENCED' })
  assert.equal(store.status, 'failed')
  for (const call of ['checkpoint', 'durable'] as const) {
    await assert.rejects(store[call](), ({ code, cause }) => code === 'TIDEMARK_FAILED' && cause.code === 'TIDEMARK_FENCED')
    assert.throws(() => store[call]({ timeoutMs: -1 }), { code: 'TIDEMARK_ARGUMENT' })
    assert.throws(() => store.transaction(() => void store[call]()), { code: 'TIDEMARK_INSIDE' })
  }
  assert.equal(map.get('k'), 1)
  await scheduler.run(other.close())
  await assert.rejects(scheduler.run(store.close()), { code: 'TIDEMARK_FENCED' })
  for (const call of ['checkpoint', 'durable'] as const) assert.throws(() => store[call](), { code: 'TIDEMARK_CLOSED' })
})

test('close makes all durable once, and fails whoever uses the store behind it', async () => {
  const { scheduler, storage, store, map } = await opened()
  map.set('k', 1)
  const closing = store.close()
  assert.equal(store.close(), closing)
  assert.throws(() => map.set('k', 2), { code: 'TIDEMARK_CLOSED' })
  assert.throws(() => store.checkpoint(), { code: 'TIDEMARK_CLOSED' })
  await scheduler.run(closing)
  assert.throws(() => map.get('k'), { code: 'TIDEMARK_CLOSED' })
  const again: Store = await scheduler.run(
    openStore('simulated', { compression: 'none' }, { storage, scheduler, clock: scheduler.clock, random: new SeededRandom(2) }),
  )
  assert.equal(again.map('map').get('k'), 1)
  await scheduler.run(again.close())
})

test('close says what kept it, and has let go of everything all the same', async () => {
  const { scheduler, storage, store, map } = await opened()
  map.set('good', 1)
  map.set('bad', () => {})
  await assert.rejects(scheduler.run(store.close()), { code: 'TIDEMARK_VALUE_REFUSED', collection: 'map', key: 'bad' })
  const again = await scheduler.run(
    openStore('simulated', { compression: 'none' }, { storage, scheduler, clock: scheduler.clock, random: new SeededRandom(2) }),
  )
  assert.deepEqual([...again.map('map').keys()], ['good'])
  again.map('map').set('late', 1)
  storage.inject({ operation: 'any', errno: 'EIO' })
  await assert.rejects(scheduler.run(again.close({ timeoutMs: 200 })), { code: 'TIDEMARK_TIMEOUT' })
})

test('two checkpoints that were asked for before `close` both resolve', async () => {
  const { scheduler, store, map } = await opened()
  map.set('k', 1)
  const asked = [store.checkpoint(), store.checkpoint()]
  await scheduler.run(store.close())
  assert.deepEqual(
    (await Promise.all(asked)).map(({ epoch }) => epoch),
    [1, 1],
  )
})

test('a checkpoint that waits for the epoch under way has a barrier of its own, also where `durable` waits for that epoch', async () => {
  const { scheduler, storage, store, map } = await opened()
  let position = 1
  store.on('barrier', () => map.set('position', position))
  map.set('k', 1)
  const asked = [store.checkpoint()]
  position = 2
  asked.push(store.checkpoint())
  const durable = store.durable()
  const points = await scheduler.run(Promise.all(asked))
  assert.deepEqual(
    points.map(({ epoch }) => epoch),
    [1, 2],
  )
  await scheduler.run(Promise.all([durable, store.close()]))
  const again: Store = await scheduler.run(
    openStore('simulated', { compression: 'none' }, { storage, scheduler, clock: scheduler.clock, random: new SeededRandom(2) }),
  )
  assert.equal(again.map('map').get('position'), 2)
  await scheduler.run(again.close())
})

test('a checkpoint that waits for its barrier when `close` is called resolves', async () => {
  const { scheduler, store, map } = await opened()
  map.set('k', 1)
  const [first, second] = [store.checkpoint(), store.checkpoint()]
  const closed = first.then(() => store.close())
  await scheduler.run(Promise.all([second, closed]))
  assert.deepEqual([(await first).epoch, (await second).epoch], [1, 2])
})

test('a checkpoint that waits for a hold when `close` is called resolves', async () => {
  const { scheduler, store, epochs } = await opened()
  const held = store.hold(() => scheduler.sleep(50))
  const point = store.checkpoint()
  await scheduler.run(Promise.all([held, point, store.close()]))
  assert.equal((await point).epoch, epochs.at(-1))
})

test("the time that listeners take is not the engine's", async () => {
  const { scheduler, store, map, pass } = await opened({ checkpoint: { intervalMs: 100 } })
  const told = new Set<string>()
  const take = (name: string) => (): void => {
    told.add(name)
    scheduler.clock.advance(50)
  }
  store.on('barrier', take('barrier')).on('checkpoint', take('checkpoint')).on('decision', take('decision')).on('refused', take('refused'))
  const stalls: unknown[] = []
  store.on('stall', stall => stalls.push(stall))
  for (let n = 0; n < 10; n++) {
    map.set('k', n)
    map.set('bad', () => {})
    await pass(300)
  }
  assert.deepEqual([...told].toSorted(), ['barrier', 'checkpoint', 'decision', 'refused'])
  assert.deepEqual(stalls, [])
  assert.equal(store.stats().stallsOver, 0)
  map.delete('bad')
  await scheduler.run(store.close())
})

test('a hold that waits for the last barrier does not begin on a store that is closing', async () => {
  const { scheduler, store, map } = await opened()
  map.set('k', 1)
  const first = store.hold(() => scheduler.sleep(50))
  const asked = store.checkpoint()
  const late = assert.rejects(
    store.hold(() => assert.fail('it began')),
    { code: 'TIDEMARK_CLOSED' },
  )
  await scheduler.run(Promise.all([first, asked, store.close(), late]))
})

test('write amplification: all that was written, log, folds and merges with their manifests, over the bytes of the log', async t => {
  const world = new SimulatedStore()
  world.thresholds = { bytes: 2000, records: 20, fanIn: 2, baseBytes: 1000 }
  const store = await world.open()
  assert.equal(store.stats().writeAmplification, undefined)
  const map = store.map<number, number>('map')
  map.set(0, 0)
  await world.checkpoint()
  assert.equal(store.stats().writeAmplification, 1)
  const created = t.mock.method(world.storage, 'createIfAbsent')
  for (let n = 1; n <= 300; n++) {
    map.set(n, n)
    if (n % 20 === 0) {
      await world.checkpoint()
      await world.pass(5000)
    }
  }
  const { writeAmplification, bytesWritten, upkeep } = store.stats()
  assert.ok(upkeep.foldBytes > 0 && upkeep.mergeBytes > 0)
  const manifests = created.mock.calls.filter(({ arguments: [path] }) => path.startsWith('manifest/'))
  const manifestBytes = manifests.reduce((sum, { arguments: [, bytes] }) => sum + bytes.length, 0)
  assert.ok(manifestBytes > 0)
  assert.equal(upkeep.bytesWritten, upkeep.foldBytes + upkeep.mergeBytes + manifestBytes)
  assert.equal(writeAmplification, (bytesWritten + upkeep.bytesWritten) / bytesWritten)
  await world.close()
})

test('a wall clock that stands before 1970 keeps nothing from being durable, folded and found again', async () => {
  const world = new SimulatedStore()
  world.thresholds = { bytes: 2000, records: 20, fanIn: 2, baseBytes: 1000 }
  world.clock.jump(-world.clock.now() - 1e9)
  const store = await world.open()
  const map = store.map<number, number>('map')
  for (let n = 1; n <= 100; n++) {
    map.set(n, n)
    if (n % 20 === 0) assert.equal((await world.checkpoint()).time, 0)
    await world.pass(1000)
  }
  assert.ok(store.stats().upkeep.foldedEpoch > 0)
  await world.close()
  assert.equal((await world.open()).map<number, number>('map').size, 100)
  await world.close()
})

test('a wall clock that stands beyond what a Date holds keeps nothing from being durable and found again', async () => {
  const world = new SimulatedStore()
  const map = (await world.open()).map<number, number>('map')
  world.clock.jump(9e15)
  map.set(1, 1)
  const { time } = await world.checkpoint()
  assert.equal(new Date(time).getTime(), time)
  world.clock.jump(-9e15)
  await world.close()
  assert.equal((await world.open()).map<number, number>('map').get(1), 1)
  await world.close()
})

test('a hold that never ends may ask for a checkpoint once it is broken', async () => {
  const { scheduler, store, pass } = await opened()
  const codes: unknown[] = []
  const ask = (): void => {
    try {
      void store.checkpoint()
      codes.push('asked')
    } catch (error) {
      codes.push((error as { code?: unknown }).code)
    }
  }
  const work = async (): Promise<void> => {
    for (;;) {
      await scheduler.sleep(80)
      ask()
      if (codes.length === 2) await new Promise(() => {})
    }
  }
  void store.hold(work, { msMax: 100 })
  await pass(200)
  assert.deepEqual(codes, ['TIDEMARK_INSIDE', 'asked'])
  await scheduler.run(store.close())
})
