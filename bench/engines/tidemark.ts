import { open as openStore } from 'tidemark'
import type { Engine, EngineKind } from './contract.ts'

/** This package, through its public contract. */
export const tidemark: EngineKind = {
  name: 'tidemark',
  durability: 'an incremental checkpoint: appended, data synced, read back',
  async open<V>(folder: string): Promise<Engine<V>> {
    // The benchmark sets the barriers, as it does for all others.
    const store = await openStore(folder, { checkpoint: { intervalMs: 0 } })
    const map = store.map<V>('players')
    return {
      get: key => map.get(key),
      set: (key, value) => void map.set(key, value),
      checkpoint: async () => {
        await store.checkpoint()
      },
      close: async () => {
        await store.close()
      },
      hydrated: () => store.hydrated(),
      stats: () => store.stats(),
    }
  },
}
