/** Codecs that call the store while they encode. */
import type { TidemarkMap } from '../../src/capture/index.ts'
import type { Settings } from '../../src/options.ts'
import type { Store } from '../../src/store.ts'
import { SimulatedStore } from './simulated-store.ts'

/** A store with maps whose codec calls `armed` once, when it encodes anything. */
export async function calling(names: readonly string[], settings: Settings = {}) {
  const world = new SimulatedStore(settings)
  const calls: { armed: ((store: Store) => void) | undefined; made: number } = { armed: undefined, made: 0 }
  const codec = {
    name: 'calling',
    encode(value: unknown): Uint8Array {
      const { armed } = calls
      calls.armed = undefined
      if (armed !== undefined) {
        calls.made++
        armed(world.store)
      }
      return Buffer.from(JSON.stringify(value))
    },
    decode: (bytes: Uint8Array): unknown => JSON.parse(Buffer.from(bytes).toString()),
  }
  const mapsOf = (store: Store): TidemarkMap<string, unknown>[] => names.map(name => store.map<unknown, string>(name, { codec }))
  const maps = mapsOf(await world.open())
  return { world, calls, maps, mapsOf }
}
