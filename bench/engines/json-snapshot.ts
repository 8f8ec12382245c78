import { open, rename } from 'node:fs/promises'
import { join } from 'node:path'
import type { Engine, EngineKind } from './contract.ts'

/** The whole state as one JSON file at every checkpoint. */
export const jsonSnapshot: EngineKind = {
  name: 'json-snapshot',
  durability: 'the whole state as JSON: written beside, synced, renamed, folder synced',
  async open<V>(folder: string): Promise<Engine<V>> {
    const map = new Map<string, V>()
    const target = join(folder, 'state.json')
    return {
      get: key => map.get(key),
      set: (key, value) => void map.set(key, value),
      delete: key => void map.delete(key),
      checkpoint: async () => {
        const text = JSON.stringify([...map])
        const file = await open(`${target}.new`, 'w')
        try {
          await file.writeFile(text)
          await file.sync()
        } finally {
          await file.close()
        }
        await rename(`${target}.new`, target)
        await syncFolder(folder)
      },
      close: async () => {},
    }
  },
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
