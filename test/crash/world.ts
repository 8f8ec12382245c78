/** The workload's collections in a store. */
import type { Store } from 'tidemark'
import type { Account, Config, Day, Order, World } from './workload.ts'

export function worldOf(store: Store): World {
  return {
    accounts: store.map<Account, string>('accounts'),
    orders: store.map<Order, number>('orders'),
    days: store.map<Day, string>('days'),
    blobs: store.map<unknown, bigint>('blobs'),
    scratch: store.map<unknown, string | number>('scratch'),
    config: store.value<Config | undefined>('config', undefined),
    counter: store.value<number>('counter', 0),
  }
}
