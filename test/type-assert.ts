/**
 * Tests of types, checked by the compiler alone. A file `src/**\/*.test-d.ts` (or a test) states what must hold:
 *
 *     type _1 = Expect<Equal<ReturnType<typeof store.stats>, Stats>>
 *     // @ts-expect-error a transaction may not be async
 *     store.transaction(async () => {})
 *
 * The compiler fails when an `Expect` is not `true`, and when a line marked `@ts-expect-error` has no error.
 */

/** True when both types are the same, told apart as strictly as the compiler can: `any` equals only `any`, `readonly` counts. */
export type Equal<Left, Right> = (<T>() => T extends Left ? 1 : 2) extends <T>() => T extends Right ? 1 : 2 ? true : false

/** True when a value of the first type may be assigned to the second. */
export type Assignable<From, To> = [From] extends [To] ? true : false

export type Not<Condition extends boolean> = Condition extends true ? false : true

/** Compiles only when the condition is true. */
export type Expect<Condition extends true> = Condition
