/** What is kept of objects that nobody needs any more. */
import assert from 'node:assert/strict'
import { setTimeout } from 'node:timers/promises'
import { queryObjects } from 'node:v8'

/** So many are there, once garbage is collected. */
export const count = (type: { readonly prototype: object }): number => queryObjects(type as () => void, { format: 'count' })

/** So many of them are there; asked behind `count`. */
export const alive = (refs: readonly WeakRef<object>[]): number => refs.filter(ref => ref.deref() !== undefined).length

const LOOKS = 100
const MS = 50

/** Nothing is left in the end. The first look may find some: a function that the runtime compiles beside us keeps what it saw until that is done. */
export async function nothingLeft(look: () => Readonly<Record<string, number>>): Promise<void> {
  for (let looks = 1; ; looks++) {
    await setTimeout(MS)
    const left = look()
    const isNothing = Object.values(left).every(count => count === 0)
    if (isNothing) return
    assert.ok(looks < LOOKS, JSON.stringify(left))
  }
}
