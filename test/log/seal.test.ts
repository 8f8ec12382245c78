/** When the sign that the last epoch was whole is written. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemScheduler } from '../../src/base/scheduler.ts'
import type { Storage } from '../../src/storage/index.ts'
import { SimulatedStorage } from '../../src/testing/index.ts'
import { type FromWriter, Writer, type WriterHost } from '../../src/writer/index.ts'
import { Life, pseudoRandom } from '../support/log-store.ts'

test('a close writes it before upkeep ends, which may hang', async () => {
  const storage = new SimulatedStorage({ seed: 1 })
  const calls: string[] = []
  /** What upkeep asks for at a close. */
  const beside = new Proxy(storage as Storage, {
    get: (target, name) => {
      if (name === 'list') calls.push('upkeep')
      return (target as never as Record<PropertyKey, (...args: unknown[]) => unknown>)[name]?.bind(target)
    },
  })
  const listeners: ((message: FromWriter) => void)[] = []
  const ended = new Promise<void>(resolve => listeners.push(message => message.type === 'closed' && resolve()))
  const life = await Life.open({
    storage,
    host: facts => {
      const upkeep = {
        retention: { keepLast: 2, keepMs: 0 },
        tail: { rawBytes: 0, records: 0, logBytes: 0 },
        catalogue: [],
        follow: false,
      }
      const writer = new Writer(
        { ...facts, compression: 'none', upkeep },
        {
          storage,
          send: message => {
            for (const listener of listeners) listener(message)
          },
          monotonic: () => 0,
          random: pseudoRandom('writer'),
          scheduler: systemScheduler,
          upkeep: { storage: beside, scheduler: systemScheduler, sliceMs: 1 },
        },
      )
      const host: Pick<WriterHost, 'post' | 'onMessage' | 'close'> = {
        post: message => writer.receive(message),
        onMessage: listener => void listeners.push(listener),
        close: () => {
          writer.receive({ type: 'close' })
          return ended
        },
      }
      return host as WriterHost
    },
  })
  await life.mustCommit([[['a', '1']]])
  calls.length = 0
  storage.onCall = ({ operation, path }) => void (operation === 'append' && path.startsWith('log/') && calls.push('seal'))
  await life.close()
  assert.deepEqual(calls.slice(0, 2), ['seal', 'upkeep'])
})
