/** An answer of the writer that cannot be posted, for want of memory: the attempt fails, and the next one goes through. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SimulatedStorage } from '../../src/testing/index.ts'
import { type FromWriter, Writer, type WriterHost } from '../../src/writer/index.ts'
import { type Block, Life, pseudoRandom, readAll } from '../support/log-store.ts'

/** A writer whose `nth` answer of this type is not taken. */
function open(storage: SimulatedStorage, type: FromWriter['type'], nth: number, error: Error): Promise<Life> {
  let listener: (message: FromWriter) => void = () => {}
  let come = 0
  return Life.open({
    storage,
    host: facts => {
      const send = (message: FromWriter): void => {
        if (message.type === type && ++come === nth) throw error
        listener(message)
      }
      const writer = new Writer({ ...facts, compression: 'none' }, { storage, send, monotonic: () => 0, random: pseudoRandom('writer') })
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
        const life = await open(storage, type, before + 1, error)
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
