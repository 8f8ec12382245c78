import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { Packr } from 'msgpackr'
import { checksum } from './checksum.ts'
import type { Engine, EngineKind } from './contract.ts'

/** Entries encoded together: one buffer for millions of them would be beyond what the encoder can hold. */
const FRAME_ENTRIES = 100_000

/** The naive way: remember the changed keys, encode them all at once, append them to one log. */
export const dirtySet: EngineKind = {
  name: 'dirty-set',
  durability: 'Map and a Set of changed keys; all of them encoded at once (msgpackr with records), appended (length, CRC-32), data synced',
  async open<V>(folder: string): Promise<Engine<V>> {
    const map = new Map<string, V>()
    let dirty = new Set<string>()
    const file = await open(join(folder, 'delta.log'), 'a')
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
        const parts: Buffer[] = []
        let entries: [string, V | null][] = []
        const frame = (last: boolean): void => {
          // A table of records of its own, so that each frame can be read alone.
          const body = new Packr({ useRecords: true }).pack({ last, entries })
          const head = Buffer.alloc(8)
          head.writeUInt32LE(body.length, 0)
          head.writeUInt32LE(checksum(body), 4)
          parts.push(head, body)
          entries = []
        }
        for (const key of keys) {
          entries.push([key, map.get(key) ?? null])
          if (entries.length === FRAME_ENTRIES) frame(false)
        }
        frame(true)
        for (const part of parts) await file.appendFile(part)
        await file.datasync()
      },
      close: () => file.close(),
    }
  },
}
