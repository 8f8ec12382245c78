/** A writer without a thread: for stores in memory and for simulation. Nothing happens inside `post`. */
import type { Clock } from '../base/clock.ts'
import type { Failpoint } from '../base/failpoint.ts'
import type { Random } from '../base/random.ts'
import type { Storage } from '../storage/index.ts'
import type { FromWriter, ToWriter, WriterFacts, WriterHost } from './contract.ts'
import { Mailbox } from './mailbox.ts'
import { Writer, type WriterParts } from './writer.ts'

export interface InlineHostOptions {
  readonly storage: Storage
  readonly facts: WriterFacts
  readonly clock: Pick<Clock, 'monotonic'>
  readonly random: Random
  readonly failpoint?: Failpoint
  readonly fileBytesMax?: number
  readonly upkeep?: WriterParts['upkeep']
}

export class InlineHost implements WriterHost {
  readonly #mailbox = new Mailbox()
  readonly #writer: Writer
  #terminated = false

  constructor(options: InlineHostOptions) {
    const { storage, facts, clock, random, failpoint, fileBytesMax, upkeep } = options
    this.#writer = new Writer(facts, {
      storage,
      send: message => {
        if (!this.#terminated) this.#mailbox.deliver(message)
      },
      monotonic: () => clock.monotonic(),
      random,
      ...(failpoint === undefined ? {} : { failpoint }),
      ...(fileBytesMax === undefined ? {} : { fileBytesMax }),
      ...(upkeep === undefined ? {} : { upkeep }),
    })
  }

  post(message: ToWriter): void {
    if (!this.#terminated && !this.#mailbox.closing) this.#writer.receive(message)
  }

  onMessage(listener: (message: FromWriter) => void): void {
    this.#mailbox.listen(listener)
  }

  close(): Promise<void> {
    if (!this.#terminated && !this.#mailbox.closing) this.#writer.receive({ type: 'close' })
    return this.#mailbox.close()
  }

  terminate(): void {
    this.#terminated = true
    this.#writer.abandon()
    this.#mailbox.end()
  }

  keepAlive(): void {}
}
