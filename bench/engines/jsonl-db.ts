import { join } from 'node:path'
import { JsonlDB } from '@alcalzone/jsonl-db'
import type { Engine, EngineKind } from './contract.ts'

/** What jsonl-db has inside: it offers no way to wait for a write, so the benchmark counts the writes. */
interface Inside {
  readonly _journal: readonly unknown[]
  pushPersistenceTask(task: { type: 'write' }): void
  writeJournalToFile(...args: unknown[]): Promise<unknown>
}

/** Longer than any run: writes happen at checkpoints only. */
const NEVER_MS = 1_000_000_000

/** A Map with an append-only file of JSON lines, writes gathered from one checkpoint to the next. */
export const jsonlDb: EngineKind = {
  name: 'jsonl-db',
  durability: 'JSON lines of the changed keys, appended and synced',
  async open<V>(folder: string): Promise<Engine<V>> {
    const database = new JsonlDB<V>(join(folder, 'state.jsonl'), { throttleFS: { intervalMs: NEVER_MS } })
    const inside = database as unknown as Inside
    const write = inside.writeJournalToFile.bind(inside)
    let last: Promise<unknown> = Promise.resolve()
    let waiting: (() => void)[] = []
    // The journal is drained right before this call, so a write that starts now holds all that was set before.
    inside.writeJournalToFile = (...args) => {
      const done = waiting
      waiting = []
      last = write(...args).finally(() => {
        for (const resolve of done) resolve()
      })
      return last
    }
    await database.open()
    return {
      get: key => database.get(key),
      set: (key, value) => void database.set(key, value),
      delete: key => void database.delete(key),
      checkpoint: async () => {
        if (inside._journal.length === 0) {
          await last
          return
        }
        const written = new Promise<void>(resolve => waiting.push(resolve))
        inside.pushPersistenceTask({ type: 'write' })
        await written
      },
      close: () => database.close(),
    }
  },
}
