/** Folding that cannot read the log back says so: a restart would not come to what is committed behind that. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TidemarkError } from 'tidemark'
import { FRAME_HEADER_BYTES, LOG_HEADER_BYTES } from '../src/format/index.ts'
import { SimulatedStore } from './support/simulated-store.ts'

class Listening {
  readonly world = new SimulatedStore()
  readonly told: string[] = []
  readonly errors: TidemarkError[] = []

  async open(): Promise<void> {
    this.world.thresholds = { records: 400, graceMs: 100 }
    const store = await this.world.open()
    store.on('degraded', error => {
      this.told.push('degraded')
      this.errors.push(error)
    })
    store.on('recovered', () => this.told.push('recovered'))
  }

  async write(epochs: number): Promise<void> {
    const map = this.world.store.map<number>('map')
    for (let epoch = 0; epoch < epochs; epoch++) {
      for (let at = 0; at < 40; at++) map.set(`${at}`, this.world.points.length)
      await this.world.checkpoint()
    }
  }

  async log(): Promise<string> {
    return `log/${(await this.world.run(this.world.storage.list('log')))[0]}`
  }
}

test('damage in the log that is not folded yet degrades the store, once, with the file and what to do', async () => {
  const listening = new Listening()
  const { world, told, errors } = listening
  await listening.open()
  await listening.write(2)
  const file = await listening.log()
  world.storage.disk.lookup(file)?.flip(LOG_HEADER_BYTES + FRAME_HEADER_BYTES + 3, 1)
  await listening.write(20)
  await world.pass(300_000)
  assert.deepEqual(told, ['degraded'])
  const [error] = errors
  assert.equal(error?.code, 'TIDEMARK_LOG_DAMAGED')
  assert.equal(error.file, file)
  assert.match(error.message, /^folding cannot read the log: log\/.* is damaged at \d+/)
  assert.match(error.hint ?? '', /do not restart/)
  assert.equal(world.store.status, 'degraded')
  assert.equal(world.store.stats().status, 'degraded')
  assert.equal(world.store.stats().degradedBy, error.message)
  assert.match(world.store.stats().upkeep.lastError ?? '', /is damaged at/)
  // Commits that fail meanwhile, and no longer, do not make it well.
  const heal = world.storage.inject({ operation: 'append', errno: 'ENOSPC' })
  world.store.map<number>('map').set('0', -1)
  world.store.checkpoint().catch(() => {})
  await world.pass(1000)
  heal()
  await world.pass(10_000)
  assert.ok(told.length > 1 && told.every(event => event === 'degraded'), `${told}`)
  assert.equal(world.store.status, 'degraded')
  await assert.rejects(world.crash(), { code: 'TIDEMARK_LOG_DAMAGED' })
})

for (const errno of ['EIO', 'EUCLEAN'] as const) {
  test(`a log that the device does not give back for a while (${errno}) degrades the store until it does`, async () => {
    const listening = new Listening()
    const { world, told, errors } = listening
    await listening.open()
    await listening.write(2)
    const file = await listening.log()
    const heal = world.storage.inject({ operation: 'open', errno, path: file })
    for (let at = 0; at < 20; at++) await listening.write(1)
    await world.pass(100_000)
    assert.deepEqual(told, ['degraded'])
    assert.equal(errors[0]?.file, file)
    assert.match(errors[0]?.message ?? '', /^folding cannot read the log: .*(EIO|-117)/)
    assert.equal(world.store.status, 'degraded')
    heal()
    await world.pass(100_000)
    assert.deepEqual(told, ['degraded', 'recovered'])
    assert.equal(world.store.status, 'ok')
    assert.equal(world.store.stats().degradedBy, undefined)
    await world.crash()
    assert.equal(world.store.map('map').get('39'), 21)
    await world.close()
  })
}

test('a fold that cannot be written for want of room degrades nothing: a restart reads the log', async () => {
  const listening = new Listening()
  const { world, told } = listening
  await listening.open()
  world.storage.inject({ operation: 'append', errno: 'EIO', path: 'segment/' })
  await listening.write(22)
  await world.pass(100_000)
  assert.ok(world.store.stats().upkeep.failures > 1)
  assert.deepEqual([told, world.store.status], [[], 'ok'])
  await world.close()
})
