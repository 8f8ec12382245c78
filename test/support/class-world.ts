/** A store with collections that may lag, and one that may not. */
import type { TidemarkMap } from '../../src/capture/index.ts'
import type { Settings } from '../../src/options.ts'
import type { Store } from '../../src/store.ts'
import { SimulatedStore } from './simulated-store.ts'

export interface ClassWorld {
  readonly world: SimulatedStore
  readonly store: Store
  readonly orders: TidemarkMap<string, number>
  /** May lag, as `index` may. */
  readonly cache: TidemarkMap<string, number>
  readonly index: TidemarkMap<string, number>
}

/** Each has one entry, which is durable. */
export async function openClasses(settings: Settings = {}): Promise<ClassWorld> {
  const world = new SimulatedStore(settings)
  const store = await world.open()
  const orders = store.map<number, string>('orders')
  const cache = store.map<number, string>('cache', { class: 'rebuildable' })
  const index = store.map<number, string>('index', { class: 'rebuildable' })
  for (const map of [orders, cache, index]) map.set('k', 0)
  await world.run(store.durable())
  return { world, store, orders, cache, index }
}
