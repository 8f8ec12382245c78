import { join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import { Packr } from 'msgpackr'
import type { Engine, EngineKind } from './contract.ts'

type Change = { readonly type: 'put'; readonly key: string; readonly value: Buffer } | { readonly type: 'del'; readonly key: string }

/** LevelDB behind a Map: the changed keys of a checkpoint as one batch. */
export const levelMap: EngineKind = {
  name: 'level-map',
  durability: 'Map and a Set of changed keys; all of them encoded (msgpackr) into one batch with sync',
  async open<V>(folder: string): Promise<Engine<V>> {
    const database = new ClassicLevel<string, Buffer>(join(folder, 'level'), { keyEncoding: 'utf8', valueEncoding: 'buffer' })
    await database.open()
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
        const changes: Change[] = []
        for (const key of keys) {
          const value = map.get(key)
          changes.push(value === undefined ? { type: 'del', key } : { type: 'put', key, value: packr.pack(value) })
        }
        await database.batch(changes, { sync: true })
      },
      close: () => database.close(),
    }
  },
}
