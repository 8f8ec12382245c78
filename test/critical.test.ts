/** Critical collections with an `rpoMs`: what counts as a change that a barrier follows within that time. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TidemarkMap } from '../src/capture/index.ts'
import type { CheckpointPoint } from '../src/checkpoint/index.ts'
import type { Settings } from '../src/options.ts'
import type { Decision } from '../src/schedule/index.ts'
import type { Store } from '../src/store.ts'
import { SimulatedStore } from './support/simulated-store.ts'

const RPO_MS = 50

interface Opened {
  readonly world: SimulatedStore
  readonly store: Store
  readonly payments: TidemarkMap<string, number>
  /** Syncs wait for it. */
  readonly syncs: { after: Promise<void> }
}

/** No barrier falls but for the `rpoMs`. */
async function opened(settings: Settings = {}, rpoMs = RPO_MS): Promise<Opened> {
  const world = new SimulatedStore(settings)
  const syncs = { after: Promise.resolve() }
  const { storage } = world
  const openFile = storage.open.bind(storage)
  storage.open = async (path, mode) => {
    const file = await openFile(path, mode)
    const sync = file.sync.bind(file)
    file.sync = async () => {
      await syncs.after
      await sync()
    }
    return file
  }
  const store = await world.open()
  const payments = store.map<number, string>('payments', { class: 'critical', rpoMs })
  payments.set('a', 1)
  await world.checkpoint()
  return { world, store, payments, syncs }
}

const ENDS: readonly (readonly [string, (opened: Opened) => void])[] = [
  ['clear', ({ payments }) => payments.clear()],
  [
    'clear behind a change',
    ({ payments }) => {
      payments.set('b', 1)
      payments.clear()
    },
  ],
  ['clear in a transaction', ({ store, payments }) => store.transaction(() => payments.clear())],
  ['the end of the collection', ({ store }) => void store.delete('payments')],
  [
    'the end of the collection behind a change',
    ({ store, payments }) => {
      payments.set('b', 1)
      store.delete('payments')
    },
  ],
]

for (const [what, end] of ENDS) {
  test(`a barrier follows within the time, and no other: ${what}`, async () => {
    const all = await opened()
    const { world } = all
    const { length } = world.points
    await world.pass(RPO_MS / 2)
    end(all)
    await world.pass(2 * RPO_MS)
    assert.equal(world.points.length, length + 1)
    await world.pass(1000)
    assert.equal(world.points.length, length + 1)
    assert.equal((await world.crash()).map('payments').size, 0)
    await world.close()
  })
}

test('the end of a collection gives a change from before it no more time', async () => {
  const { world, store, payments } = await opened()
  const { length } = world.points
  payments.set('b', 1)
  await world.pass(RPO_MS - 1)
  store.delete('payments')
  await world.pass(2)
  assert.equal(world.points.length, length + 1)
  await world.close()
})

test('one that is emptied before the first barrier behind a restart is followed by one, too', async () => {
  const { world } = await opened()
  const again = (await world.crash()).map<number, string>('payments', { class: 'critical', rpoMs: RPO_MS })
  again.clear()
  // The first commit of a run begins a file of the log.
  await world.pass(3 * RPO_MS)
  assert.equal((await world.crash()).map('payments').size, 0)
  await world.close()
})

test('a clear that is taken back is followed by no barrier', async () => {
  const { world, store, payments } = await opened()
  const { length } = world.points
  assert.throws(() =>
    store.transaction(() => {
      payments.clear()
      throw new Error('back')
    }),
  )
  await world.pass(1000)
  assert.equal(world.points.length, length)
  await world.close()
})

test('the time of a change runs on when the collection is emptied', async () => {
  const { world, payments } = await opened()
  const { length } = world.points
  for (let n = 0; n < 10; n++) {
    payments.set('b', n)
    payments.clear()
    await world.pass(RPO_MS / 5)
  }
  assert.ok(world.points.length > length)
  await world.close()
})

test('of several that are dropped the shortest time counts', async () => {
  const { world, store } = await opened()
  const { length } = world.points
  store.map('slower', { class: 'critical', rpoMs: 10 * RPO_MS }).set('a', 1)
  await world.checkpoint()
  store.delete('slower')
  store.delete('payments')
  await world.pass(2 * RPO_MS)
  assert.equal(world.points.length, length + 2)
  await world.pass(20 * RPO_MS)
  assert.equal(world.points.length, length + 2)
  await world.close()
})

test('what was emptied while the storage is away is durable soon after it is back', async () => {
  const { world, payments } = await opened()
  const heal = world.storage.inject({ operation: 'append', errno: 'EIO' })
  payments.clear()
  await world.pass(500)
  heal()
  await world.pass(2000)
  assert.equal((await world.crash()).map('payments').size, 0)
  await world.close()
})

const TAKEN: readonly (readonly [string, (opened: Opened) => void])[] = [
  ['a change', ({ payments }) => void payments.set('b', 1)],
  ['clear', ({ payments }) => payments.clear()],
  ['the end of the collection', ({ store }) => void store.delete('payments')],
]

/** Each epoch has much to capture behind its barrier. Gives how long one took whose barrier falls for the interval, or is asked for. */
function spreading({ world, store }: Opened): (asked: boolean) => Promise<number> {
  const sessions = store.map<number, number>('sessions')
  let n = 0
  // So that nothing is captured before it.
  store.on('barrier', () => {
    n++
    for (let key = 0; key < 10_000; key++) sessions.set(key, n)
  })
  return async asked => {
    sessions.set(0, -1)
    const { length } = world.points
    if (asked) void store.checkpoint()
    else await world.pass(8000)
    if (world.points.length === length) await world.pass(3000)
    return (world.points.at(-1) as CheckpointPoint).durationMs
  }
}

for (const [what, change] of TAKEN) {
  for (const asked of [false, true]) {
    test(`a barrier that takes ${what} is hurried, though it fell for another reason; asked for: ${asked}`, async () => {
      const all = await opened({ checkpoint: { intervalMs: 8000 } })
      const { world, store } = all
      const tookMs = spreading(all)
      const spreadMs = await tookMs(asked)
      assert.ok(spreadMs > 500, `${spreadMs} ms: there is something to hurry`)
      if (asked) change(all)
      else store.once('barrier', () => change(all))
      const hurriedMs = await tookMs(asked)
      assert.ok(hurriedMs < 500, `${hurriedMs} ms of simulated time`)
      await world.close()
    })
    test(`a barrier that takes ${what} is spread where that ends long before one of its own would fall; asked for: ${asked}`, async () => {
      const all = await opened({ checkpoint: { intervalMs: 8000 } }, 60_000)
      const { world, store } = all
      const tookMs = spreading(all)
      await tookMs(asked)
      if (asked) change(all)
      else store.once('barrier', () => change(all))
      const spreadMs = await tookMs(asked)
      assert.ok(spreadMs > 500, `${spreadMs} ms of simulated time`)
      await world.close()
    })
  }
}

const IN_THE_WAY: readonly (readonly [string, string, (opened: Opened) => () => void])[] = [
  [
    'an epoch that does not end',
    'storage',
    ({ store, syncs }) => {
      let heal = (): void => {}
      syncs.after = new Promise<void>(resolve => (heal = resolve))
      store.map<number, string>('other').set('a', 1)
      void store.checkpoint()
      return () => heal()
    },
  ],
  [
    'epochs that fail',
    'failing',
    ({ world, store }) => {
      const heal = world.storage.inject({ operation: 'append', errno: 'EIO' })
      store.map<number, string>('other').set('a', 1)
      void store.checkpoint()
      return heal
    },
  ],
  [
    'a hold',
    'held',
    ({ store }) => {
      let end = (): void => {}
      void store.hold(() => new Promise<void>(resolve => (end = resolve)), { msMax: 1_000_000 })
      return () => end()
    },
  ],
]

const CHANGES: readonly (readonly [string, (opened: Opened) => void])[] = [
  ['changed', ({ payments }) => void payments.set('b', 1)],
  ['dropped', ({ store }) => void store.delete('payments')],
]

for (const [what, reason, stand] of IN_THE_WAY) {
  for (const [how, change] of CHANGES) {
    // A drop is in the epoch that fails next, which `degraded` says.
    if (reason === 'failing' && how === 'dropped') continue
    test(`it is said, once, that ${what} keeps back the barrier of a critical collection, and when that is over: ${how}`, async () => {
      const all = await opened()
      const { world, store } = all
      const said: Decision[] = []
      store.on('decision', decision => void (decision.type.startsWith('rpo-') && said.push(decision)))
      const leave = stand(all)
      await world.pass(20)
      change(all)
      const begin = world.clock.monotonic()
      await world.pass(RPO_MS)
      assert.equal(said.length, 0)
      await world.pass(10 * RPO_MS)
      const [broken] = said
      assert.deepEqual(
        said.map(({ type, reason }) => `${type} ${reason}`),
        [`rpo-broken ${reason}`],
      )
      assert.equal(broken?.numbers['rpoMsMax'], RPO_MS)
      assert.ok((broken?.numbers['rpoMs'] ?? 0) > RPO_MS)
      leave()
      await world.pass(5000)
      assert.deepEqual(
        said.map(({ type }) => type),
        ['rpo-broken', 'rpo-met'],
      )
      const worstMs = said[1]?.numbers['rpoMsWorst'] ?? 0
      assert.ok(worstMs >= 11 * RPO_MS && worstMs < world.clock.monotonic() - begin, `${worstMs} ms`)
      await world.close()
    })
  }
}

test('nothing is said of a barrier that falls within its time, or late because the loop stood still', async () => {
  const { world, store, payments } = await opened()
  const said: Decision[] = []
  store.on('decision', decision => void (decision.type.startsWith('rpo-') && said.push(decision)))
  for (let n = 0; n < 20; n++) {
    payments.set('b', n)
    if (n % 5 === 4) world.clock.advance(10 * RPO_MS)
    await world.pass(RPO_MS / 3)
  }
  await world.pass(1000)
  assert.deepEqual(said, [])
  await world.close()
})

test('a change counts as durable behind its commit, though who is told of the one before set its barrier', async () => {
  const { world, store, payments, syncs } = await opened()
  const cache = store.map<number, string>('cache', { class: 'rebuildable' })
  cache.set('a', 1)
  await world.checkpoint()
  let heal = (): void => {}
  const hang = (): void => {
    syncs.after = new Promise<void>(resolve => (heal = resolve))
  }
  const said: string[] = []
  store.on('decision', ({ type }) => {
    if (type.startsWith('rpo-')) said.push(type)
    if (type !== 'left-out') return
    hang()
    void store.checkpoint()
  })
  hang()
  world.pressed = true
  cache.set('a', 2)
  store.map<number, string>('other').set('a', 1)
  const first = store.checkpoint()
  await world.pass(20)
  payments.set('b', 1)
  await world.pass(3 * RPO_MS)
  assert.deepEqual(said, ['rpo-broken'])
  heal()
  await world.run(first)
  await world.pass(RPO_MS)
  assert.deepEqual(said, ['rpo-broken'], 'the epoch that has it is under way')
  assert.equal(store.decisions().at(-1)?.type, 'barrier')
  heal()
  await world.pass(RPO_MS)
  assert.deepEqual(said, ['rpo-broken', 'rpo-met'])
  await world.close()
})
