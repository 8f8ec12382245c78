/** The receiving side of a host: keeps messages until somebody listens, and knows when the writer has ended. */
import type { FromWriter } from './contract.ts'

export class Mailbox {
  closing = false
  ended = false
  #listener: ((message: FromWriter) => void) | undefined
  #waiting: FromWriter[] = []
  #waiters: (() => void)[] = []

  listen(listener: (message: FromWriter) => void): void {
    this.#listener = listener
    const waiting = this.#waiting
    this.#waiting = []
    for (const message of waiting) listener(message)
  }

  deliver(message: FromWriter): void {
    if (this.#listener === undefined) this.#waiting.push(message)
    else this.#listener(message)
    if (message.type === 'closed') this.end()
  }

  close(): Promise<void> {
    this.closing = true
    if (this.ended) return Promise.resolve()
    return new Promise(resolve => this.#waiters.push(resolve))
  }

  end(): void {
    this.ended = true
    const waiters = this.#waiters
    this.#waiters = []
    for (const resolve of waiters) resolve()
  }
}
