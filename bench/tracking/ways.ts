/**
 * Ways to know which keys changed, reduced to what they cost: `set`, `get`, and `settle`, the work that leaves a list of changed keys
 * without duplicates. The flag stands for the look at "is a capture under way" that each of them needs. RFC 0004 has the comparison.
 */

export interface Tracked<V> {
  get(key: string): V | undefined
  set(key: string, value: V): void
  /** Work between turns that the way cannot leave for later. */
  drain(): void
  /** Counts the changed keys, each once, and starts anew. */
  settle(): number
}

/** Nothing is tracked. */
export class Plain<V> implements Tracked<V> {
  readonly live = new Map<string, V>()

  get(key: string): V | undefined {
    return this.live.get(key)
  }

  set(key: string, value: V): void {
    this.live.set(key, value)
  }

  drain(): void {}

  settle(): number {
    return 0
  }
}

/** (a) A Set of changed keys. */
export class DirtySet<V> implements Tracked<V> {
  readonly live = new Map<string, V>()
  guarded = false
  dirty = new Set<string>()

  get(key: string): V | undefined {
    if (this.guarded) throw new Error('not measured')
    return this.live.get(key)
  }

  set(key: string, value: V): void {
    if (this.guarded) throw new Error('not measured')
    this.live.set(key, value)
    this.dirty.add(key)
  }

  drain(): void {}

  settle(): number {
    const { size } = this.dirty
    this.dirty = new Set()
    return size
  }
}

interface Entry<V> {
  readonly key: string
  value: V
  dirty: boolean
}

/** (b) An object per key that knows whether it changed. */
export class Entries<V> implements Tracked<V> {
  readonly live = new Map<string, Entry<V>>()
  guarded = false
  changed: Entry<V>[] = []

  get(key: string): V | undefined {
    if (this.guarded) throw new Error('not measured')
    return this.live.get(key)?.value
  }

  set(key: string, value: V): void {
    if (this.guarded) throw new Error('not measured')
    const entry = this.live.get(key)
    if (entry === undefined) {
      const added = { key, value, dirty: true }
      this.live.set(key, added)
      this.changed.push(added)
      return
    }
    entry.value = value
    if (entry.dirty) return
    entry.dirty = true
    this.changed.push(entry)
  }

  drain(): void {}

  settle(): number {
    const count = this.changed.length
    for (const entry of this.changed) entry.dirty = false
    this.changed = []
    return count
  }
}

const RING_KEYS = 65_536

/** (c) A bounded journal, and a Set into which it is emptied when it is full and between turns. */
export class Ring<V> implements Tracked<V> {
  readonly live = new Map<string, V>()
  guarded = false
  dirty = new Set<string>()
  readonly ring = new Array<string | undefined>(RING_KEYS).fill(undefined)
  used = 0

  get(key: string): V | undefined {
    if (this.guarded) throw new Error('not measured')
    return this.live.get(key)
  }

  set(key: string, value: V): void {
    if (this.guarded) throw new Error('not measured')
    this.live.set(key, value)
    this.ring[this.used++] = key
    if (this.used === RING_KEYS) this.drain()
  }

  drain(): void {
    for (let at = 0; at < this.used; at++) this.dirty.add(this.ring[at] as string)
    this.used = 0
  }

  settle(): number {
    this.drain()
    const { size } = this.dirty
    this.dirty = new Set()
    return size
  }
}

const CHUNK_KEYS = 8192

/** (e) An append-only journal with duplicates; beyond twice the keys everything counts as changed. What the engine does. */
export class Journalled<V> implements Tracked<V> {
  readonly live = new Map<string, V>()
  guarded = false
  saturated = false
  chunks: string[][] = []
  chunk: string[] = []
  used = CHUNK_KEYS

  get(key: string): V | undefined {
    if (this.guarded) throw new Error('not measured')
    return this.live.get(key)
  }

  set(key: string, value: V): void {
    if (this.guarded) throw new Error('not measured')
    this.live.set(key, value)
    if (!this.saturated) this.#push(key)
  }

  drain(): void {}

  settle(): number {
    const changed = new Set<string>()
    const count = this.saturated ? this.live.size : 0
    for (const chunk of this.chunks) for (const key of chunk) if (key !== undefined) changed.add(key)
    this.chunks = []
    this.used = CHUNK_KEYS
    this.saturated = false
    return count || changed.size
  }

  #push(key: string): void {
    if (this.used === CHUNK_KEYS) {
      if (this.chunks.length * CHUNK_KEYS > 2 * this.live.size + 65_536) {
        this.saturated = true
        this.chunks = []
        return
      }
      this.chunk = new Array<string>(CHUNK_KEYS).fill(undefined as unknown as string)
      this.chunks.push(this.chunk)
      this.used = 0
    }
    this.chunk[this.used++] = key
  }
}
