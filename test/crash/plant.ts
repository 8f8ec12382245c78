/**
 * Engines that are broken on purpose, to show that the crash test would notice.
 *   early: acknowledges at the barrier, before anything is durable
 *   drop:  forgets one write in a few, but only on its way to the disk
 *   tear:  lets a cut fall inside a transaction
 *   mute:  never acknowledges anything
 */
import type { Order, World } from './workload.ts'

export const PLANTS = ['early', 'drop', 'tear', 'mute'] as const
export type Plant = (typeof PLANTS)[number]

export function plantIn(world: World, plant: Plant | undefined): World {
  if (plant !== 'drop') return world
  const { orders } = world
  const set = orders.set.bind(orders)
  // Every 7th order never reaches the store.
  orders.set = (key: number, value: Order) => {
    if (key % 7 !== 0) set(key, value)
    return orders
  }
  return world
}
