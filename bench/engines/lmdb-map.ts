import { join } from 'node:path'
import { open as openLmdb } from 'lmdb'
import type { Engine, EngineKind } from './contract.ts'

/** LMDB behind a Map: reads from the heap, each write through to the database. */
export const lmdbMap: EngineKind = {
  name: 'lmdb-map',
  durability: 'Map and put at every set; batched commits, checkpoint waits until they are flushed',
  async open<V>(folder: string): Promise<Engine<V>> {
    const database = openLmdb<V, string>({ path: join(folder, 'lmdb'), sharedStructuresKey: Symbol.for('structures') })
    const map = new Map<string, V>()
    return {
      get: key => map.get(key),
      set: (key, value) => {
        map.set(key, value)
        database.put(key, value)
      },
      delete: key => {
        map.delete(key)
        database.remove(key)
      },
      checkpoint: async () => {
        await database.flushed
      },
      close: () => database.close(),
    }
  },
}
