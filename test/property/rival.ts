/**
 * Another writer takes a store over while the first one lives: what the first acknowledges the other has, and nothing is acknowledged to it any
 * more from then on, however it tries.
 */
import assert from 'node:assert/strict'
import { hasCode } from '../../src/base/errors.ts'
import type { Life } from './life.ts'
import type { Copy } from './model.ts'

const TRIES_MAX = 3

/** Of a life that another one takes over from. */
export class Rival {
  readonly #old: Life
  readonly #state: Copy
  #epoch: number | undefined
  #tries = 0

  constructor(old: Life) {
    this.#old = old
    this.#state = old.model.copy(0)
  }

  /** It has found this, and the model goes with it from now on. */
  overtook(epoch: number): void {
    this.#epoch = epoch
    this.#old.totals.overtaken++
  }

  get isOver(): boolean {
    return this.#epoch !== undefined
  }

  /** Of the old one, which has nothing new until the other has committed. */
  barrier(epoch: number, time: number): void {
    if (this.#tries === 0) this.#old.model.leftOver({ ...this.#state, epoch, time })
  }

  assertAcknowledged(epoch: number): void {
    const found = this.#epoch
    if (found === undefined || epoch <= found) return
    this.#old.problems.push(new Error(`epoch ${epoch} was acknowledged to a writer that was overtaken at epoch ${found}`))
  }

  /** The old writer goes on as if nothing had happened; the last time it gives up. */
  struggle(life: Life): void {
    const { store, totals } = this.#old
    // Before that what it writes may count, told of or not.
    if (this.#epoch === undefined || life.commits === 0 || this.#tries === TRIES_MAX || life.storage.off) return
    const number = this.#tries++
    if (number === TRIES_MAX - 1) {
      life.await(store.close({ timeoutMs: 2000 }), (_, error) => this.#assertRefused(life, error, 'close'))
      return
    }
    store.map<unknown, string>('a').set(`old ${number}`, { n: number, list: [] })
    const asked = number === 0 ? store.checkpoint({ timeoutMs: 2000 }) : store.durable({ timeoutMs: 2000 })
    life.await(asked, (_, error) => {
      this.#assertRefused(life, error, number === 0 ? 'checkpoint' : 'durable')
      totals.fenced++
    })
  }

  #assertRefused(life: Life, error: unknown, what: string): void {
    if (life.storage.off || hasCode(error, 'TIDEMARK_FENCED') || hasCode(error, 'TIDEMARK_FAILED')) return
    // It does not come to the question.
    if ((life.faulted || this.#old.faulted) && (hasCode(error, 'TIDEMARK_TIMEOUT') || hasCode(error, 'TIDEMARK_STORAGE'))) return
    if (hasCode(error, 'TIDEMARK_CLOSED')) return
    assert.fail(`${what} of a writer that was overtaken: ${error === undefined ? 'resolved' : String(error)}`)
  }
}
