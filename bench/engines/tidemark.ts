import { open as openStore, type Settings } from 'tidemark'
import { calmMsOf, untilAtRest } from '../harness/upkeep.ts'
import type { Engine, EngineKind, EngineOptions } from './contract.ts'

const TIMEOUT_MS = 600_000

/** This package, through its public contract. */
export const tidemark: EngineKind = {
  name: 'tidemark',
  durability: 'an incremental checkpoint: appended, data synced, read back',
  async open<V>(folder: string, options: EngineOptions = {}): Promise<Engine<V>> {
    // Unless it is told otherwise the benchmark sets the barriers, as it does for all others.
    const checkpoint: Settings['checkpoint'] = options.barriers ?? { intervalMs: 0 }
    const store = await openStore(folder, { checkpoint })
    const map = store.map<V>('players')
    return {
      get: key => map.get(key),
      set: (key, value) => void map.set(key, value),
      delete: key => void map.delete(key),
      checkpoint: async () => {
        await store.checkpoint({ timeoutMs: TIMEOUT_MS })
      },
      close: async () => {
        await store.close()
      },
      hydrated: () => store.hydrated(),
      rest: () => untilAtRest(store, 0, calmMsOf(store.stats().entries)),
      onDurable: listener => void store.on('checkpoint', point => listener(point.time, point.bytes)),
      onStall: listener => void store.on('stall', ({ ms, key }) => listener(ms, key)),
      stats: () => store.stats(),
    }
  },
}
