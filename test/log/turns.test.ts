import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemScheduler } from '../../src/base/scheduler.ts'
import { GENESIS } from '../../src/format/index.ts'
import { openForWriting } from '../../src/restore/index.ts'
import { MemoryStorage } from '../../src/storage/index.ts'
import { Writer } from '../../src/writer/writer.ts'
import { blockBytes, pseudoRandom } from '../support/log-store.ts'

for (const commits of [false, true]) {
  test(`while messages come without end the event loop turns${commits ? ', with a commit among those that wait, too' : ''}`, async () => {
    // Its calls are done within the turn, as those of the thread's own storage are.
    const storage = new MemoryStorage()
    const random = pseudoRandom('turns')
    const { manifest } = await openForWriting(storage, { createdBy: 'test', random })
    let now = 0
    let credits = 0
    let turnedAt = Number.POSITIVE_INFINITY
    const end = 5000
    const done = new Promise<void>(resolve => {
      const writer = new Writer(
        { manifest, acceptedEnd: GENESIS, unproven: null, compression: 'none' },
        {
          storage,
          random,
          scheduler: systemScheduler,
          monotonic: () => (now += 0.5),
          send: ({ type }) => {
            if (type !== 'credit') return
            if (credits === 0) setImmediate(() => void (turnedAt = credits))
            if (++credits >= end) resolve()
            else next()
          },
        },
      )
      const next = (): void => writer.receive({ type: 'batch', attempt: 0, bytes: blockBytes([['key', `${credits}`]]), records: 1 })
      for (let at = 0; at < 100; at++) next()
      if (commits) {
        const nothing = { catalogue: [], refused: 0, records: 0, bytes: Buffer.alloc(0) }
        for (let at = 0; at < 100; at++) next()
        writer.receive({ type: 'commit', attempt: 0, epoch: 1, timeMs: 1, ...nothing })
      }
    })
    await done
    assert.ok(turnedAt < (commits ? 1000 : 200), `the event loop turned after ${turnedAt} messages`)
  })
}
