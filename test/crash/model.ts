/** The workload's state in plain Maps, to say what a restored store must hold, and the comparison of the two. */
import { createHash, type Hash } from 'node:crypto'
import { inspect, isDeepStrictEqual } from 'node:util'
import {
  type Account,
  CELLS,
  type Cell,
  type Config,
  type Day,
  MAPS,
  MONEY,
  type Order,
  operate,
  type Table,
  type World,
} from './workload.ts'

class PlainTable<K, V> extends Map<K, V> implements Table<K, V> {
  update(key: K, change: (value: V) => V | void): V | undefined {
    const value = this.get(key) as V
    const next = change(value) ?? value
    if (next !== undefined || this.has(key)) this.set(key, next)
    return next
  }
}

class PlainCell<V> implements Cell<V> {
  #value: V

  constructor(initial: V) {
    this.#value = initial
  }

  get(): V {
    return this.#value
  }

  set(value: V): void {
    this.#value = value
  }

  update(change: (value: V) => V | void): V {
    this.#value = change(this.#value) ?? this.#value
    return this.#value
  }
}

export class Model implements World {
  readonly accounts = new PlainTable<string, Account>()
  readonly orders = new PlainTable<number, Order>()
  readonly days = new PlainTable<string, Day>()
  readonly blobs = new PlainTable<bigint, unknown>()
  readonly scratch = new PlainTable<string | number, unknown>()
  readonly config = new PlainCell<Config | undefined>(undefined)
  readonly counter = new PlainCell(0)
  readonly #seed: number

  constructor(seed: number) {
    this.#seed = seed
  }

  /** Goes on to the state after operation `n`; there is no way back. */
  advance(n: number): void {
    if (n < this.counter.get()) throw new Error(`the model is at ${this.counter.get()} and cannot go back to ${n}`)
    for (let next = this.counter.get() + 1; next <= n; next++) operate(this, this.#seed, next)
  }
}

export function modelAt(seed: number, n: number): Model {
  const model = new Model(seed)
  model.advance(n)
  return model
}

const show = (value: unknown): string =>
  inspect(value, { depth: 4, breakLength: Number.POSITIVE_INFINITY, maxStringLength: 60 }).slice(0, 300)

/** Every difference between a restored state and the one it must be, in words; none when they are the same in every entry and every type. */
export function differences(found: World, expected: World): string[] {
  const list: string[] = []
  for (const name of MAPS) {
    const is = found[name] as Map<unknown, unknown>
    const must = expected[name] as Map<unknown, unknown>
    if (is.size !== must.size) list.push(`${name}: ${is.size} entries instead of ${must.size}`)
    const seen = new Set<unknown>()
    for (const [key, value] of is) {
      if (seen.has(key)) list.push(`${name}: key ${show(key)} comes twice`)
      seen.add(key)
      if (!must.has(key)) list.push(`${name}: key ${show(key)} should not be there: ${show(value)}`)
      else if (!isDeepStrictEqual(value, must.get(key)))
        list.push(`${name}: key ${show(key)} is ${show(value)} instead of ${show(must.get(key))}`)
    }
    for (const key of must.keys()) {
      if (!seen.has(key)) list.push(`${name}: key ${show(key)} is missing`)
      if (!is.has(key)) list.push(`${name}: has(${show(key)}) is false`)
    }
  }
  for (const name of CELLS) {
    const is = found[name].get()
    const must = expected[name].get()
    if (!isDeepStrictEqual(is, must)) list.push(`${name} is ${show(is)} instead of ${show(must)}`)
  }
  if (found.counter.get() > 0) {
    let money = 0
    for (const account of found.accounts.values()) money += account.balance
    if (money !== MONEY) list.push(`the balances add up to ${money} instead of ${MONEY}: a transaction was torn`)
  }
  return list
}

/** A digest of the whole state that two processes can compare; entries in any order. */
export function digestOf(world: World): string {
  const hash = createHash('sha256')
  for (const name of MAPS) {
    const lines = [...(world[name] as Map<unknown, unknown>)].map(([key, value]) => {
      const line = createHash('sha256')
      feed(line, key)
      feed(line, value)
      return line.digest('hex')
    })
    hash.update(`${name} ${lines.sort().join()}\n`)
  }
  for (const name of CELLS) feed(hash, world[name].get())
  return hash.digest('hex').slice(0, 16)
}

function feed(hash: Hash, value: unknown): void {
  if (ArrayBuffer.isView(value)) {
    hash.update(`${value.constructor.name} ${value.byteLength}:`)
    hash.update(new Uint8Array(value.buffer, value.byteOffset, value.byteLength))
  } else if (value instanceof Map || value instanceof Set || Array.isArray(value)) {
    hash.update(`${value.constructor.name}[`)
    for (const item of value) feed(hash, item)
    hash.update(']')
  } else if (value instanceof Date || value instanceof RegExp) hash.update(`${value.constructor.name} ${inspect(value)};`)
  else if (typeof value === 'object' && value !== null) {
    hash.update('{')
    for (const [name, inner] of Object.entries(value)) {
      feed(hash, name)
      feed(hash, inner)
    }
    hash.update('}')
  } else if (typeof value === 'string') hash.update(`string ${value.length}:`).update(Buffer.from(value, 'utf16le'))
  else hash.update(`${typeof value} ${Object.is(value, -0) ? '-0' : String(value)};`)
}
