import type { Engine, EngineKind } from './contract.ts'

/** A plain Map: what everything else is compared with. */
export const plain: EngineKind = {
  name: 'plain',
  durability: 'none: the upper limit',
  async open<V>(): Promise<Engine<V>> {
    const map = new Map<string, V>()
    return {
      get: key => map.get(key),
      set: (key, value) => void map.set(key, value),
      delete: key => void map.delete(key),
      checkpoint: async () => {},
      close: async () => {},
    }
  },
}
