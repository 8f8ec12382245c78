/** Random programs as plain data, so that fast-check can make them smaller. All numbers are taken modulo what there is. */
import fc from 'fast-check'

export type Op =
  | { readonly op: 'set'; readonly m: number; readonly k: number; readonly v: number }
  | { readonly op: 'mutate'; readonly m: number; readonly k: number }
  | { readonly op: 'update'; readonly m: number; readonly k: number; readonly how: 'place' | 'replace' | 'throw' | 'async' }
  /** Its function does all this before it changes the value. */
  | { readonly op: 'within'; readonly m: number; readonly k: number; readonly how: 'place' | 'new' | 'throw'; readonly ops: readonly Op[] }
  /** `getOrInsert`, or with a function that does all this before it gives a value. */
  | { readonly op: 'insert'; readonly m: number; readonly k: number; readonly v: number; readonly ops: readonly Op[] }
  /** Somebody opens the store beside it, looks at everything after a while, and closes; or lists the recovery points. */
  | { readonly op: 'beside'; readonly ms: number }
  | { readonly op: 'points' }
  /** Asks for all that can be asked at once. */
  | { readonly op: 'ask' }
  /** Only who is told of something closes in the midst of it. */
  | { readonly op: 'close' }
  /** Another collection takes the name of one that is dropped, of another kind or with a codec. */
  | { readonly op: 'retake'; readonly as: number; readonly count: number }
  | { readonly op: 'taken'; readonly how: 'write' | 'mutate' | 'delete' | 'clear'; readonly k: number; readonly v: number }
  | { readonly op: 'delete' | 'reinsert' | 'hold-reference' | 'grasp'; readonly m: number; readonly k: number }
  | { readonly op: 'clear' | 'drop' | 'check'; readonly m: number }
  | { readonly op: 'burst'; readonly m: number; readonly k: number; readonly count: number; readonly v: number }
  | { readonly op: 'sweep'; readonly m: number; readonly k: number; readonly count: number }
  | {
      readonly op: 'iterate'
      readonly m: number
      readonly how: 'values' | 'entries' | 'keys' | 'forEach' | 'of' | 'scan'
      readonly act: 'mutate' | 'delete' | 'insert' | 'none'
      readonly count: number
    }
  | { readonly op: 'iterator'; readonly m: number; readonly count: number }
  | { readonly op: 'set-reference'; readonly r: number; readonly alter: boolean }
  | { readonly op: 'refused'; readonly m: number; readonly k: number; readonly v: number }
  | { readonly op: 'cell'; readonly how: 'set' | 'update' | 'get'; readonly v: number }
  | { readonly op: 'no-key'; readonly m: number; readonly k: number }
  | { readonly op: 'transaction'; readonly ops: readonly Op[]; readonly end: 'commit' | 'throw' | 'nested' | 'async' }
  | { readonly op: 'checkpoint'; readonly callers: number }
  | { readonly op: 'durable' }
  | { readonly op: 'hold'; readonly ms: number; readonly msMax: number; readonly ops: readonly Op[] }
  | { readonly op: 'fault'; readonly kind: number; readonly ms: number }
  /** Somebody sets the wall clock. */
  | { readonly op: 'jump'; readonly hours: number }

/** The collections of every program: three maps, whose number is the kind of their keys, a cell, and one that changes its kind. */
export const NAMES = ['a', 'b', 'c'] as const
export const CELL = 'cell'
export const RETAKEN = 'retaken'

/** Done by whoever is told of every so-manieth event of its kind. */
export interface Told {
  readonly what: 'barrier' | 'checkpoint' | 'voided' | 'degraded' | 'refused'
  readonly every: number
  readonly ops: readonly Op[]
}

export interface Turn {
  readonly ops: readonly Op[]
  /** Simulated tenths of a millisecond until the next turn. */
  readonly wait: number
}

export interface LifePlan {
  readonly turns: readonly Turn[]
  readonly told: readonly Told[]
  /** What the codec of the collection that is retaken does while it encodes. */
  readonly encodes: readonly Op[]
  readonly intervalMs: number
  /** How often longer than it says each turn waits: where that is much, most of what the life does becomes durable, and is folded. */
  readonly calm: number
  /** The power goes at this call of the storage; 0: not. */
  readonly powerCutAt: number
  /** The recovery points are looked at before it begins, and it goes back to one of them; 0: neither, 1: it only looks. */
  readonly back: number
  /** A bit is flipped on a copy of what it finds, which is opened; 0: none. */
  readonly rot: number
  /** A call fails while it opens, and it is opened again; 0: none. */
  readonly openFault: number
  /** 'rival': it goes on, and the next one takes over. 'hurry': a close that has little time, whatever fails. 'rest': killed when all who waited have been told. */
  readonly end: 'close' | 'hurry' | 'kill' | 'rest' | 'power' | 'rival'
}

export interface Program {
  readonly seed: number
  readonly lives: readonly LifePlan[]
}

const m = fc.nat({ max: 2 })
const k = fc.oneof({ weight: 4, arbitrary: fc.nat({ max: 9 }) }, { weight: 1, arbitrary: fc.nat({ max: 160 }) })
const v = fc.nat({ max: 1000 })

const record = <T extends object>(weight: number, fields: { [Name in keyof T]: fc.Arbitrary<T[Name]> }): fc.WeightedArbitrary<T> => ({
  weight,
  arbitrary: fc.record(fields) as unknown as fc.Arbitrary<T>,
})
const as = <T extends string>(...names: readonly T[]): fc.Arbitrary<T> => fc.constantFrom(...names)

/** What may be done anywhere, in a transaction too. */
const inner: fc.WeightedArbitrary<Op>[] = [
  record<Op & { op: 'set' }>(6, { op: as('set'), m, k, v }),
  record<Op & { op: 'mutate' }>(6, { op: as('mutate'), m, k }),
  record<Op & { op: 'update' }>(4, { op: as('update'), m, k, how: as('place', 'place', 'replace', 'throw', 'async') }),
  record<Op & { op: 'delete' | 'reinsert' }>(5, { op: as('delete', 'reinsert'), m, k }),
  record<Op & { op: 'hold-reference' }>(5, { op: as('hold-reference'), m, k }),
  record<Op & { op: 'grasp' }>(3, { op: as('grasp'), m, k }),
  record<Op & { op: 'set-reference' }>(8, { op: as('set-reference'), r: fc.nat({ max: 30 }), alter: fc.boolean() }),
  record<Op & { op: 'burst' }>(2, { op: as('burst'), m, k, count: fc.nat({ max: 130 }), v }),
  record<Op & { op: 'sweep' }>(1, { op: as('sweep'), m, k, count: fc.nat({ max: 90 }) }),
  record<Op & { op: 'iterate' }>(3, {
    op: as('iterate'),
    m,
    how: as('values', 'entries', 'keys', 'forEach', 'of', 'scan'),
    act: as('mutate', 'mutate', 'delete', 'insert', 'none'),
    count: fc.nat({ max: 12 }),
  }),
  record<Op & { op: 'clear' }>(1, { op: as('clear'), m }),
  record<Op & { op: 'refused' }>(1, { op: as('refused'), m, k, v }),
  record<Op & { op: 'cell' }>(2, { op: as('cell'), how: as('set', 'update', 'get'), v }),
  record<Op & { op: 'no-key' }>(1, { op: as('no-key'), m, k }),
  record<Op & { op: 'ask' }>(1, { op: as('ask') }),
]

const taken: fc.WeightedArbitrary<Op>[] = [
  record<Op & { op: 'taken' }>(4, { op: as('taken'), how: as('write', 'write', 'mutate', 'delete', 'clear'), k, v }),
]
inner.push(...taken)

const transaction = record<Op & { op: 'transaction' }>(6, {
  op: as('transaction'),
  ops: fc.array(fc.oneof(...inner), { maxLength: 7 }),
  end: as('commit', 'commit', 'throw', 'nested', 'async'),
})

/** What spans turns or waits is not done inside a hold's function, except to see it refused. */
const simple = [...inner, transaction]

const within = (ops: readonly fc.WeightedArbitrary<Op>[], weight: number): fc.WeightedArbitrary<Op> =>
  record<Op & { op: 'within' }>(weight, {
    op: as('within'),
    m,
    k,
    how: as('place', 'place', 'new', 'throw'),
    ops: fc.array(fc.oneof(...ops), { minLength: 1, maxLength: 3 }),
  })

const drop = record<Op & { op: 'drop' }>(1, { op: as('drop'), m })

const asked: readonly fc.WeightedArbitrary<Op>[] = [
  record<Op & { op: 'checkpoint' }>(5, { op: as('checkpoint'), callers: fc.integer({ min: 1, max: 3 }) }),
  record<Op & { op: 'durable' }>(2, { op: as('durable') }),
]

const seldom: readonly fc.WeightedArbitrary<Op>[] = [
  record<Op & { op: 'beside' }>(1, { op: as('beside'), ms: fc.nat({ max: 120 }) }),
  record<Op & { op: 'points' }>(1, { op: as('points') }),
  record<Op & { op: 'retake' }>(1, { op: as('retake'), as: fc.nat({ max: 11 }), count: fc.nat({ max: 12 }) }),
  drop,
]

const outer: fc.WeightedArbitrary<Op>[] = [
  ...simple,
  within([...simple, drop, ...asked], 4),
  record<Op & { op: 'insert' }>(2, { op: as('insert'), m, k, v, ops: fc.array(fc.oneof(...simple, ...asked), { maxLength: 2 }) }),
  ...seldom,
  record<Op & { op: 'check' }>(1, { op: as('check'), m }),
  record<Op & { op: 'iterator' }>(2, { op: as('iterator'), m, count: fc.nat({ max: 8 }) }),
  ...asked,
  record<Op & { op: 'hold' }>(2, {
    op: as('hold'),
    ms: fc.integer({ min: 1, max: 20 }),
    msMax: fc.integer({ min: 1, max: 15 }),
    ops: fc.array(fc.oneof(...simple), { maxLength: 3 }),
  }),
  record<Op & { op: 'fault' }>(1, { op: as('fault'), kind: fc.nat({ max: 29 }), ms: fc.integer({ min: 1, max: 300 }) }),
  record<Op & { op: 'jump' }>(1, { op: as('jump'), hours: fc.integer({ min: -96, max: 96 }) }),
]

const turn: fc.Arbitrary<Turn> = fc.record({
  ops: fc.array(fc.oneof(...outer), { minLength: 1, maxLength: 4 }),
  // Mostly a slice or two of the capture, now and then enough for a commit.
  wait: fc.oneof({ weight: 5, arbitrary: fc.nat({ max: 12 }) }, { weight: 1, arbitrary: fc.nat({ max: 400 }) }),
})

const told: fc.Arbitrary<Told> = fc.record({
  what: as<Told['what']>('barrier', 'barrier', 'checkpoint', 'voided', 'degraded', 'refused'),
  every: fc.integer({ min: 1, max: 4 }),
  ops: fc.array(fc.oneof(...simple, ...seldom, ...asked, record<Op & { op: 'close' }>(6, { op: as('close') })), {
    minLength: 1,
    maxLength: 3,
  }),
})

const life: fc.Arbitrary<LifePlan> = fc.record({
  turns: fc.array(turn, { minLength: 1, maxLength: 30, size: 'max' }),
  // In most lives nobody does.
  told: fc.oneof({ weight: 2, arbitrary: fc.constant([]) }, { weight: 1, arbitrary: fc.array(told, { maxLength: 3 }) }),
  encodes: fc.oneof({ weight: 1, arbitrary: fc.constant([]) }, { weight: 1, arbitrary: fc.array(fc.oneof(...inner), { maxLength: 4 }) }),
  intervalMs: fc.constantFrom(0, 3, 10, 50),
  calm: fc.constantFrom(1, 1, 30),
  // While it opens or soon behind that, or once folds, merges and removals are under way.
  powerCutAt: fc.oneof(
    { weight: 4, arbitrary: fc.constant(0) },
    { weight: 2, arbitrary: fc.nat({ max: 120 }) },
    { weight: 1, arbitrary: fc.nat({ max: 3000 }) },
  ),
  back: fc.oneof({ weight: 5, arbitrary: fc.constant(0) }, { weight: 2, arbitrary: fc.nat({ max: 7 }) }),
  rot: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat() }),
  openFault: fc.oneof({ weight: 5, arbitrary: fc.constant(0) }, { weight: 2, arbitrary: fc.nat({ max: 400 }) }),
  end: fc.constantFrom('close', 'hurry', 'kill', 'kill', 'rest', 'power', 'rival'),
})

export const program: fc.Arbitrary<Program> = fc.record({
  seed: fc.integer({ min: 1, max: 0x7fffffff }),
  lives: fc.array(life, { minLength: 1, maxLength: 3, size: 'max' }),
})
