/**
 * The workload of the crash tests: transactions over several collections whose invariants span all of them.
 *
 * Operation `n` is a function of the seed, `n` and the state after operation `n - 1`, and of nothing else, so whoever knows the counter
 * of a restored store can recompute the whole state it must have. The same code runs on the store and on plain Maps.
 */
import { Dice } from './dice.ts'

export interface Cell<V> {
  get(): V
  set(value: V): void
  update(change: (value: V) => V | void): V
}

export interface Table<K, V> extends Map<K, V> {
  update(key: K, change: (value: V) => V | void): V | undefined
}

export interface Account {
  balance: number
  moves: number
  last: bigint
  history: number[]
}

export interface Order {
  number: number
  account: string
  amount: number
  note: string
}

export interface Day {
  orders: number
  expired: number
  amounts: Map<string, number>
}

export interface Config {
  version: number
  flags: Set<string>
  changed: Date
  ratio: number
}

export interface World {
  readonly accounts: Table<string, Account>
  readonly orders: Table<number, Order>
  readonly days: Table<string, Day>
  readonly blobs: Table<bigint, unknown>
  readonly scratch: Table<string | number, unknown>
  readonly config: Cell<Config | undefined>
  /** The number of the last operation. */
  readonly counter: Cell<number>
}

export const MAPS = ['accounts', 'orders', 'days', 'blobs', 'scratch'] as const
export const CELLS = ['config', 'counter'] as const

const ACCOUNTS = 64
const BALANCE = 1000
const ORDERS = 150
const BLOBS = 24
const BULK_BYTES = 64 * 1024
const HISTORY = 8

/** The sum of all balances once the first operation is done. */
export const MONEY = ACCOUNTS * BALANCE

/** Operation `n` on a state that has had operations 1 to `n - 1`. */
export function operate(world: World, seed: number, n: number): void {
  const dice = new Dice(seed, n)
  if (n === 1) for (let at = 0; at < ACCOUNTS; at++) world.accounts.set(`a${at}`, { balance: BALANCE, moves: 0, last: 0n, history: [] })
  const from = `a${dice.below(ACCOUNTS)}`
  const to = `a${dice.below(ACCOUNTS)}`
  const amount = dice.between(1, 50)
  move(world.accounts, from, -amount, n, dice)
  move(world.accounts, to, amount, n, dice)
  placeOrder(world, dice, n, from, amount)
  if (dice.oneIn(4)) world.blobs.set(BigInt(dice.below(BLOBS)) << 70n, blob(dice))
  if (dice.oneIn(9)) world.blobs.delete(BigInt(dice.below(BLOBS)) << 70n)
  // Rarely more than the writer keeps unsynced.
  if (dice.oneIn(200)) for (let at = 1; at <= BLOBS; at++) world.blobs.set(BigInt(-at), dice.bytes(BULK_BYTES))
  scribble(world.scratch, dice, n)
  if (dice.oneIn(6)) configure(world.config, dice, n)
  world.counter.set(n)
}

/** A change in place by `update`, a change in place by `get` and `set`, or a new object. */
function move(accounts: Table<string, Account>, name: string, amount: number, n: number, dice: Dice): void {
  const change = (account: Account): void => {
    account.balance += amount
    account.moves++
    account.last = BigInt(n) * 1_000_000_007n
    account.history.push(amount)
    if (account.history.length > HISTORY) account.history.shift()
  }
  const way = dice.below(3)
  if (way === 0) {
    accounts.update(name, change)
    return
  }
  const account = accounts.get(name) as Account
  const next = way === 1 ? account : { ...account, history: [...account.history] }
  change(next)
  accounts.set(name, next)
}

function placeOrder(world: World, dice: Dice, n: number, account: string, amount: number): void {
  const day = `day ${Math.floor(n / 100)}`
  world.orders.set(n, { number: n, account, amount, note: 'note '.repeat(dice.below(12)) })
  const today = world.days.get(day) ?? { orders: 0, expired: 0, amounts: new Map() }
  today.orders++
  today.amounts.set(account, (today.amounts.get(account) ?? 0) + amount)
  // The journal of orders churns: old ones go, some come back at once under the same number.
  const old = n - ORDERS
  if (world.orders.delete(old)) {
    today.expired++
    if (dice.oneIn(10)) {
      world.orders.set(old, { number: old, account: 'late', amount: 0, note: '' })
      world.orders.delete(old - ORDERS)
    }
  }
  world.days.set(day, today)
  if (dice.oneIn(40)) world.days.delete(`day ${Math.floor(n / 100) - dice.between(5, 20)}`)
}

function scribble(scratch: Table<string | number, unknown>, dice: Dice, n: number): void {
  if (dice.oneIn(60)) scratch.clear()
  const key = dice.oneIn(2) ? dice.below(30) : String(dice.below(30))
  if (dice.oneIn(3)) scratch.delete(key)
  else scratch.set(key, dice.pick<unknown>([n, String(n), null, undefined, -0, Number.NaN, BigInt(n), true, [n, [n]], { n }]))
}

function configure(config: Cell<Config | undefined>, dice: Dice, n: number): void {
  config.update(value => {
    if (value === undefined) return { version: n, flags: new Set(['first']), changed: new Date(n * 1000), ratio: 0.5 }
    value.version = n
    value.flags.add(`flag ${dice.below(20)}`)
    if (value.flags.size > 10) value.flags.clear()
    value.changed = new Date(n * 1000)
    value.ratio = n / 7
    return undefined
  })
}

/** Mostly small, sometimes far larger than a block. */
function blob(dice: Dice): unknown {
  switch (dice.below(8)) {
    case 0:
      return dice.oneIn(6) ? dice.bytes(dice.between(60_000, 200_000)) : dice.bytes(dice.below(600))
    case 1:
      return Buffer.from(dice.bytes(dice.below(200)))
    case 2:
      return 'text with ünïcode ☃ and a lone \ud83d surrogate '.repeat(dice.oneIn(20) ? 3000 : dice.below(5))
    case 3:
      return new Map<unknown, unknown>([
        [1, 'one'],
        ['1', [new Date(dice.next()), /tide/gi]],
        [1n, new Set([dice.next(), null, undefined])],
      ])
    case 4:
      return new Float64Array([dice.next() / 3, -0, Number.POSITIVE_INFINITY])
    case 5:
      return { deep: { deeper: { deepest: dice.next() } }, list: Array.from({ length: dice.below(40) }, () => dice.next()) }
    case 6:
      return dice.next() % 2 === 0
    default:
      return BigInt(dice.next()) ** 5n
  }
}
