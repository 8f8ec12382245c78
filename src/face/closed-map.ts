/** A Map that refuses every use: takes the place of the entries of a closed store, so that the open one pays no check. */
import type { Collection } from '../capture/index.ts'
import type { Key } from '../codec/index.ts'
import { closed } from './refusals.ts'

class ClosedMap extends Map<Key, unknown> {
  readonly #error: () => Error

  constructor(error: () => Error) {
    super()
    this.#error = error
  }

  override get size(): number {
    throw this.#error()
  }

  override get(): never {
    throw this.#error()
  }

  override has(): never {
    throw this.#error()
  }

  override set(): never {
    throw this.#error()
  }

  override delete(): never {
    throw this.#error()
  }

  override keys(): never {
    throw this.#error()
  }

  override entries(): never {
    throw this.#error()
  }
}

/** From now on nothing is in it, every call throws that, and nothing of what it had is kept, whoever has its map. */
export function endCollection(collection: Collection, error: () => Error): void {
  collection.live = new ClosedMap(error)
  collection.cold = undefined
  collection.beginEpoch()
  collection.part = collection.inFlight = collection.significance = undefined
}

/** The store is closed: what was not durable is lost. */
export function closeCollection(collection: Collection): void {
  endCollection(collection, closed)
}
