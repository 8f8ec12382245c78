/** Keys and values of the random programs, each made from a small number, and exact copies of values for the model. */
import type { Key } from '../../src/codec/index.ts'

export interface Thing {
  n: number
  list: number[]
  inner?: { n: number }
  pad?: string
  when?: Date
  map?: Map<string, number>
}

/** Longer than the bytes between two looks at the clock, so that one slice captures one of them. */
const PAD = 'tide'.repeat(2100)

/** Stands for a value that cannot be stored. */
export class Unstorable {
  readonly reason: string

  constructor(reason: string) {
    this.reason = reason
  }
}

class Instance {
  n = 1
}

const STRINGS = ['', '__proto__', '\ud800', '\ue000', '😀', 'constructor']

/** Keys of a map: `kind` 0 strings, 1 numbers, 2 all kinds side by side. */
export function keyOf(kind: number, index: number): Key {
  if (kind === 0) return STRINGS[index] ?? `k${index}`
  if (kind === 1) return [-0, Number.NaN, Number.POSITIVE_INFINITY, -1.5, 2 ** 60][index] ?? index * 1.5
  const which = Math.floor(index / 3)
  return index % 3 === 0 ? BigInt(which) * 10n ** 12n - 5n : index % 3 === 1 ? String(which) : which
}

export function makeValue(kind: number, n: number): unknown {
  switch (kind % 14) {
    case 0:
      return n
    case 1:
      return [undefined, Number.NaN, -0, 0, null, true, '', Number.NEGATIVE_INFINITY][n % 8]
    case 2:
      return `text ${n}`
    case 3:
      return 2n ** BigInt(n % 200)
    case 4:
    case 5:
      return { n, list: [], pad: PAD } satisfies Thing
    case 6:
      return { n, list: [n], inner: { n } } satisfies Thing
    case 7:
      return { n, list: [], when: new Date(n), map: new Map([['n', n]]) } satisfies Thing
    default:
      return { n, list: [n] } satisfies Thing
  }
}

/** A value that the default codec refuses. */
export function unstorableOf(kind: number): unknown {
  switch (kind % 4) {
    case 0:
      return () => kind
    case 1:
      return new Instance()
    case 2:
      return { n: 1, list: [], inner: { n: Symbol('no') } }
    default:
      return {
        n: 1,
        list: [],
        get pad() {
          return 'accessor'
        },
      }
  }
}

export function isThing(value: unknown): value is Thing {
  return typeof value === 'object' && value !== null && Array.isArray((value as Thing).list)
}

/** Changes an object in place, deep inside too. */
export function alter(thing: Thing, n: number): void {
  thing.n = n
  thing.list.push(n)
  if (thing.list.length > 4) thing.list.shift()
  if (thing.inner !== undefined) thing.inner.n = n
  thing.map?.set(String(n % 3), n)
}

/** What the model keeps of a value: never changed afterwards. */
export function copyOf(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || value instanceof Unstorable) return value
  return structuredClone(value)
}
