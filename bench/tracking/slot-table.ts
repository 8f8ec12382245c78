import type { Tracked } from './ways.ts'

const BITS = 13
const SLOTS = 1 << BITS
const MASK = SLOTS - 1

/** (d) A Map from key to slot number; values, keys and the generation of the last change in arrays by slot. */
export class SlotTable<V> implements Tracked<V> {
  readonly slots = new Map<string, number>()
  readonly values: (V | undefined)[][] = []
  readonly keys: (string | undefined)[][] = []
  readonly marks: Uint32Array[] = []
  guarded = false
  generation = 1
  count = 0
  changed: Int32Array[] = []
  used = SLOTS

  get(key: string): V | undefined {
    if (this.guarded) throw new Error('not measured')
    const slot = this.slots.get(key)
    if (slot === undefined) return undefined
    return (this.values[slot >> BITS] as (V | undefined)[])[slot & MASK]
  }

  set(key: string, value: V): void {
    if (this.guarded) throw new Error('not measured')
    const slot = this.slots.get(key) ?? this.#insert(key)
    const page = slot >> BITS
    const place = slot & MASK
    const marks = this.marks[page] as Uint32Array
    if (marks[place] !== this.generation) {
      marks[place] = this.generation
      this.#push(slot)
    }
    const values = this.values[page] as (V | undefined)[]
    values[place] = value
  }

  drain(): void {}

  settle(): number {
    const count = this.changed.length === 0 ? 0 : (this.changed.length - 1) * SLOTS + this.used
    this.generation++
    this.changed = []
    this.used = SLOTS
    return count
  }

  #push(slot: number): void {
    if (this.used === SLOTS) {
      this.changed.push(new Int32Array(SLOTS))
      this.used = 0
    }
    const last = this.changed.at(-1) as Int32Array
    last[this.used++] = slot
  }

  #insert(key: string): number {
    const slot = this.count++
    const place = slot & MASK
    if (place === 0) {
      this.values.push(new Array<V | undefined>(SLOTS).fill(undefined))
      this.keys.push(new Array<string | undefined>(SLOTS).fill(undefined))
      this.marks.push(new Uint32Array(SLOTS))
    }
    const keys = this.keys[slot >> BITS] as (string | undefined)[]
    keys[place] = key
    this.slots.set(key, slot)
    return slot
  }
}
