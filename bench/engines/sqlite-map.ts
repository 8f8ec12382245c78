import { join } from 'node:path'
import { Packr } from 'msgpackr'
import type { Engine, EngineKind } from './contract.ts'

/** What is used of `node:sqlite`, which the types of the oldest supported Node.js do not know. */
interface Sqlite {
  DatabaseSync: new (
    path: string,
  ) => { exec(sql: string): void; prepare(sql: string): { run(...values: unknown[]): unknown }; close(): void }
}

/** Not in every Node.js: it came with 22.5. */
function builtin(): Sqlite | undefined {
  const { getBuiltinModule } = process as unknown as { getBuiltinModule?: (name: string) => Sqlite | undefined }
  return getBuiltinModule?.('node:sqlite')
}

export const hasSqlite = (): boolean => builtin() !== undefined

/** SQLite behind a Map: the changed keys of a checkpoint as one transaction, on the main thread. */
export const sqliteMap: EngineKind = {
  name: 'sqlite-map',
  durability: 'Map and a Set of changed keys; one transaction (node:sqlite, msgpackr), WAL, synchronous=FULL',
  async open<V>(folder: string): Promise<Engine<V>> {
    const sqlite = builtin()
    if (sqlite === undefined) throw new Error('this Node.js has no node:sqlite')
    const database = new sqlite.DatabaseSync(join(folder, 'state.sqlite'))
    database.exec('pragma journal_mode = WAL; pragma synchronous = FULL')
    database.exec('create table if not exists entries(key text primary key, value blob) without rowid')
    const put = database.prepare('insert into entries values(?, ?) on conflict(key) do update set value = excluded.value')
    const remove = database.prepare('delete from entries where key = ?')
    const packr = new Packr({ useRecords: false })
    const map = new Map<string, V>()
    let dirty = new Set<string>()
    return {
      get: key => map.get(key),
      set: (key, value) => {
        map.set(key, value)
        dirty.add(key)
      },
      delete: key => {
        map.delete(key)
        dirty.add(key)
      },
      checkpoint: async () => {
        const keys = dirty
        dirty = new Set()
        database.exec('begin')
        for (const key of keys) {
          const value = map.get(key)
          if (value === undefined) remove.run(key)
          else put.run(key, packr.pack(value))
        }
        database.exec('commit')
      },
      close: async () => database.close(),
    }
  },
}
