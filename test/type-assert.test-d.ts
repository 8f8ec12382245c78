/** The helpers themselves: each must also be able to fail. */
import type { Assignable, Equal, Expect, Not } from './type-assert.ts'

export type Holds = [
  Expect<Equal<{ a: 1 }, { a: 1 }>>,
  Expect<Not<Equal<{ a: 1 }, { readonly a: 1 }>>>,
  Expect<Not<Equal<string, string | undefined>>>,
  Expect<Not<Equal<unknown, never>>>,
  Expect<Assignable<'a', string>>,
  Expect<Not<Assignable<string, 'a'>>>,
]

// @ts-expect-error a condition that is false does not compile
export type Fails = Expect<Equal<string, number>>
