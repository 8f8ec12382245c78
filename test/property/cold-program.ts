/** Random programs over a collection with cold entries, as plain data. */
import fc from 'fast-check'
import type { Key } from '../../src/codec/index.ts'

export const KEYS: readonly Key[] = [
  ...Array.from({ length: 14 }, (_, n) => `k${n}`),
  ...Array.from({ length: 6 }, (_, n) => n * 7 - 14),
  0.5,
  -1n,
  1n << 70n,
  '',
]

export type Op =
  | ('set' | 'get' | 'mutate' | 'update' | 'has' | 'delete' | 'size' | 'clear' | 'whole' | 'refused')
  | ('cut' | 'slice' | 'commit' | 'fail' | 'void' | 'home' | 'exchange' | 'evict' | 'walk' | 'step' | 'saturate' | 'giant' | 'transaction')

export interface Step {
  readonly op: Op
  readonly k: number
  readonly v: number
  readonly steps?: readonly Step[]
}

export interface Start {
  /** Numbers of KEYS. */
  readonly stored: readonly number[]
  readonly home: readonly number[]
  readonly lies: number
  readonly evicts: boolean
}

/** Objects, and primitives that tell absent, undefined and null apart. */
export function madeOf(kind: number, serial: number): unknown {
  const values = [{ n: serial }, { n: serial }, { n: serial }, serial, undefined, null]
  return values[kind % values.length]
}

const step = (...ops: [weight: number, op: Op][]): fc.Arbitrary<Step> =>
  fc.record({
    op: fc.oneof(...ops.map(([weight, op]) => ({ weight, arbitrary: fc.constant(op) }))),
    k: fc.nat({ max: KEYS.length - 1 }),
    v: fc.nat({ max: 50 }),
  })

const inner: [number, Op][] = [
  [8, 'set'],
  [6, 'get'],
  [5, 'mutate'],
  [3, 'update'],
  [3, 'has'],
  [7, 'delete'],
  [2, 'size'],
  [1, 'whole'],
  [1, 'refused'],
]

const transaction: fc.Arbitrary<Step> = fc.record({
  op: fc.constant('transaction' as const),
  k: fc.constant(0),
  v: fc.nat({ max: 50 }),
  steps: fc.array(step(...inner, [1, 'clear']), { maxLength: 6 }),
})

const outer = step(
  ...inner,
  [6, 'cut'],
  [4, 'slice'],
  [6, 'commit'],
  [2, 'fail'],
  [2, 'void'],
  [1, 'home'],
  [1, 'saturate'],
  [2, 'giant'],
  [4, 'exchange'],
  [6, 'evict'],
  [3, 'walk'],
  [8, 'step'],
)

const numbers = fc.uniqueArray(fc.nat({ max: KEYS.length - 1 }), { maxLength: KEYS.length, size: 'max' })

export const coldProgram: fc.Arbitrary<{ start: Start; steps: readonly Step[] }> = fc.record({
  start: fc.record({ stored: numbers, home: numbers.map(list => list.slice(0, 5)), lies: fc.nat({ max: 8 }), evicts: fc.boolean() }),
  steps: fc.array(
    fc.oneof({ weight: 30, arbitrary: outer }, { weight: 4, arbitrary: transaction }, { weight: 1, arbitrary: step([1, 'clear']) }),
    { minLength: 1, maxLength: 90, size: 'max' },
  ),
})
