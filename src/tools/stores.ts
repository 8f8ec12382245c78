/**
 * Stores as the command line reads them: read-only, no entry before it is asked for; collections by name, whatever their kind and codec.
 * Owns no state. Invariant: a collection of a user's codec is read as the bytes that codec made, and written as the same bytes.
 */
import { type Codec, type Key, open, type Store, type TidemarkMap, type TidemarkValue } from 'tidemark'
import { UsageError } from './usage.ts'

export interface Entries {
  readonly name: string
  readonly kind: 'map' | 'value'
  readonly codec: string
  readonly size: number
  has(key: Key): boolean
  get(key: Key): unknown
  keys(): Iterable<Key>
  /** Nothing of it stays in memory. */
  scan(): Iterable<[Key, unknown]>
}

/** The key of the one entry of a value. */
export const CELL = 'value'
export const DEFAULT_CODEC = 'tide1'
/** Of the collections that there are, in a hint. */
const NAMES_SHOWN = 20
/** The engine's own name for it. */
const AS_MAP = Symbol.for('tidemark.asMap')

export function openToRead(directory: string, at?: number): Promise<Store> {
  return open(directory, { readOnly: true, restore: { hydrate: 'on-demand', at: at ?? 'latest' } })
}

/** Gives the store to `work` and closes it, whatever comes. */
export async function reading<T>(directory: string, at: number | undefined, work: (store: Store) => T | Promise<T>): Promise<T> {
  const store = await openToRead(directory, at)
  try {
    return await work(store)
  } finally {
    await store.close()
  }
}

/** Nothing of its own for the default codec; for another one a codec of that name that leaves the bytes alone. */
export function codecOptions(codec: string): { codec?: Codec } {
  if (codec === DEFAULT_CODEC) return {}
  return { codec: { name: codec, encode: value => value as Uint8Array, decode: bytes => bytes } }
}

/** The collections of a store that is only read: which there are is asked once, for that counts them all. */
export class Contents {
  readonly #store: Store
  readonly #known: ReturnType<Store['stats']>['collections']
  /** In order. */
  readonly names: readonly string[]

  constructor(store: Store) {
    this.#store = store
    this.#known = store.stats().collections
    this.names = Object.keys(this.#known).sort()
  }

  has(name: string): boolean {
    return Object.hasOwn(this.#known, name)
  }

  /** @throws UsageError when there is none of this name */
  entriesOf(name: string): Entries {
    const known = this.#known[name]
    if (known === undefined) throw new UsageError(`there is no collection '${name}' in this store at this epoch`, this.#thereAre(), 1)
    return entriesOf(this.#store, name, known)
  }

  #thereAre(): string {
    const more = this.names.length - NAMES_SHOWN
    return `there are: ${this.names.slice(0, NAMES_SHOWN).join(', ')}${more > 0 ? ` and ${more} more: tidemark status` : ''}`
  }
}

function entriesOf(store: Store, name: string, { kind, codec }: Pick<Entries, 'kind' | 'codec'>): Entries {
  const options = codecOptions(codec)
  const map = kind === 'map' ? store.map<unknown>(name, options) : asMap(store.value<unknown>(name, undefined, options))
  return {
    name,
    kind,
    codec,
    get size() {
      return map.size
    },
    has: key => map.has(key),
    get: key => map.get(key),
    keys: () => map.keys(),
    scan: () => map.scan(),
  }
}

/** A cell gives what it has read to whoever comes next, too, and of a store that is only read nothing leaves the heap. */
function asMap(cell: TidemarkValue<unknown>): TidemarkMap<Key, unknown> {
  const { [AS_MAP]: map } = cell as unknown as { readonly [AS_MAP]: () => TidemarkMap<Key, unknown> }
  return map.call(cell)
}

/** Makes the collection when it is missing, and gives what sets an entry of it. */
export function setterOf(store: Store, name: string, kind: 'map' | 'value', codec: string): (key: Key, value: unknown) => void {
  const options = codecOptions(codec)
  if (kind === 'map') {
    const map = store.map<unknown>(name, options)
    return (key, value) => void map.set(key, value)
  }
  const cell = store.value<unknown>(name, undefined, options)
  return (_key, value) => cell.set(value)
}
