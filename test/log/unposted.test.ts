/** An answer of the writer that cannot be posted, for want of memory: the attempt fails, be that told later, and the next one goes through. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Scheduler, systemScheduler } from '../../src/base/scheduler.ts'
import { SimulatedScheduler, SimulatedStorage } from '../../src/testing/index.ts'
import { type FromWriter, Writer, type WriterHost } from '../../src/writer/index.ts'
import { type Block, Life, pseudoRandom, readAll } from '../support/log-store.ts'

/** A writer whose answers are not taken where `fails` says so. What could not be told is told as the scheduler's time passes. */
function open(storage: SimulatedStorage, fails: (message: FromWriter) => Error | undefined, scheduler?: Scheduler): Promise<Life> {
  let listener: (message: FromWriter) => void = () => {}
  return Life.open({
    storage,
    host: facts => {
      const send = (message: FromWriter): void => {
        const error = fails(message)
        if (error !== undefined) throw error
        listener(message)
      }
      const parts = { storage, send, monotonic: () => 0, random: pseudoRandom('writer'), ...(scheduler === undefined ? {} : { scheduler }) }
      const writer = new Writer({ ...facts, compression: 'none' }, parts)
      const host: Pick<WriterHost, 'post' | 'onMessage'> = {
        post: message => writer.receive(message),
        onMessage: given => {
          listener = given
        },
      }
      return host as WriterHost
    },
  })
}

const NO_MEMORY = [
  new RangeError('Array buffer allocation failed'),
  new DOMException('Data cannot be cloned, out of memory.', 'DataCloneError'),
]

for (const type of ['committed', 'credit'] as const) {
  for (const error of NO_MEMORY) {
    for (const before of [0, 1]) {
      test(`behind ${before} epochs: a ${type} that is not taken (${error.name}) fails an epoch that is on the device, and its next attempt goes through`, async () => {
        const storage = new SimulatedStorage({ seed: 1 })
        // Each has a credit for its one block, with the commit.
        let come = 0
        const life = await open(storage, message => (message.type === type && ++come === before + 1 ? error : undefined))
        const first: Block[] = [[['a', '0']]]
        for (let count = 0; count < before; count++) await life.mustCommit(first)
        const failed = await life.commit([[['a', '1']]])
        assert.ok(failed.type === 'failed' && !failed.fatal, JSON.stringify(failed))
        assert.equal(failed.error.code, 'TIDEMARK_STORAGE')
        const epochs = async () => (await readAll(storage)).epochs
        const expected = first.slice(0, before).map(block => ({ epoch: 1, blocks: [block] }))
        assert.deepEqual(await epochs(), expected, 'nobody was told of it')
        const last: Block = [['a', '2']]
        assert.equal((await life.mustCommit([last])).epoch, before + 1)
        assert.deepEqual(await epochs(), [...expected, { epoch: before + 1, blocks: [last] }])
      })
    }
  }
}

/** The first so many answers of a type are not taken. */
function failing(left: Partial<Record<FromWriter['type'], number>>): (message: FromWriter) => Error | undefined {
  return ({ type }) => {
    const more = left[type] ?? 0
    left[type] = more - 1
    return more > 0 ? NO_MEMORY[1] : undefined
  }
}

for (const [type, times] of [
  ['committed', 1],
  // One for each of two blocks, and a failure for each.
  ['credit', 2],
] as const) {
  test(`a ${type} that is not taken, nor the failure that follows: it is told as soon as it can be, once, and the next attempt goes through`, async () => {
    const storage = new SimulatedStorage({ seed: 1 })
    const scheduler = new SimulatedScheduler()
    const life = await open(storage, failing({ [type]: times, failed: 5 }), scheduler)
    const commit = life.commit([[['a', '1']], [['b', '1']]])
    for (let look = 0; look < 100; look++) await new Promise(resolve => systemScheduler.immediate(() => resolve(undefined)))
    assert.ok(!life.messages.some(message => message.type === 'failed' || message.type === 'committed'))
    await scheduler.run(scheduler.clock.monotonic() + 10_000)
    const failed = await commit
    assert.ok(failed.type === 'failed' && !failed.fatal && failed.error.code === 'TIDEMARK_STORAGE', JSON.stringify(failed))
    assert.equal(life.messages.filter(message => message.type === 'failed').length, 1)
    assert.equal((await life.mustCommit([[['a', '2']]])).epoch, 1)
    assert.deepEqual((await readAll(storage)).epochs, [{ epoch: 1, blocks: [[['a', '2']]] }])
  })
}

test('a close behind a failure that could not be told is told, also where that cannot be posted at once, and nothing behind it', async () => {
  const storage = new SimulatedStorage({ seed: 1 })
  const scheduler = new SimulatedScheduler()
  const life = await open(storage, failing({ committed: 1, failed: 1, closed: 2 }), scheduler)
  void life.commit([[['a', '1']]])
  life.host.post({ type: 'close' })
  await scheduler.run(scheduler.clock.monotonic() + 10_000)
  assert.equal(life.messages.at(-1)?.type, 'closed')
  assert.deepEqual((await readAll(storage)).epochs, [])
})
