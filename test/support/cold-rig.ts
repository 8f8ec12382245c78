/** Collections with cold entries, for tests. */
import { type Collection, TidemarkMap, Transaction } from '../../src/capture/index.ts'
import type { Key } from '../../src/codec/index.ts'
import { type Entries, numbered, Rig } from './capture-rig.ts'
import { FakeCold } from './fake-cold.ts'

export interface Begun {
  readonly rig: Rig
  readonly cold: FakeCold
  readonly collection: Collection
  readonly map: TidemarkMap<Key, unknown>
}

/** Stored: k0, k1 … with objects. `lies`: as a filter that knows nothing when 8. */
export function begin(count: number, { lies = 0, evicts = false, home = [] as Key[] } = {}): Begun {
  const rig = new Rig()
  const stored: Entries = new Map(numbered(count, n => ({ n })))
  const cold = new FakeCold(stored, lies)
  const collection = rig.cold(cold, stored, evicts, home)
  return { rig, cold, collection, map: new TidemarkMap(collection) }
}

/** Everything captured and committed so far is in the stored state now. */
export function exchange({ rig, cold, collection }: Begun): void {
  cold.exchange(rig.disk.get(collection.id) as Entries)
  collection.cold?.exchanged(rig.committed)
}

export function transaction(rig: Rig, inside: () => void, end: 'commit' | 'rollback'): void {
  const { space } = rig
  space.transaction = new Transaction()
  space.refresh()
  inside()
  if (end === 'rollback') space.transaction.rollback()
  else space.transaction.succeeded()
  space.transaction = undefined
  space.refresh()
}
