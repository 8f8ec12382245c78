/** Listeners of a life that do something themselves: inside the turn, and the call, in which they are told. */
import type { Life } from './life.ts'
import { perform } from './operations.ts'
import type { Op, Told } from './program.ts'

/** Not while it closes, not even for a listener of its barrier. */
const WHILE_OPEN: ReadonlySet<Op['op']> = new Set(['checkpoint', 'durable', 'drop', 'retake', 'beside', 'points', 'close'])
/** So many times in a life: each barrier may ask for the next. */
const TIMES_MAX = 25

export class Listeners {
  readonly #life: Life
  readonly #told = new Map<Told['what'], number>()
  #times = 0
  #inside = false

  constructor(life: Life) {
    this.#life = life
  }

  tell(what: Told['what']): void {
    const life = this.#life
    const count = (this.#told.get(what) ?? 0) + 1
    this.#told.set(what, count)
    if (!life.begun || this.#inside || (life.closing && what !== 'barrier') || life.storage.off) return
    for (const { what: of, every, ops } of life.plan.told) {
      if (of !== what || count % every !== 0 || ++this.#times > TIMES_MAX) continue
      this.#inside = true
      life.inBarrier = what === 'barrier'
      try {
        for (const op of ops) if (!life.closing || !WHILE_OPEN.has(op.op)) perform(life, op)
      } catch (error) {
        if (!life.storage.off) life.problems.push(error)
      } finally {
        this.#inside = false
        life.inBarrier = false
      }
    }
  }
}
