/**
 * The listeners of a store, under the names that an EventEmitter has for them: `once` and `on` of node:events take them away by these.
 * Owns nothing but the way in: every call goes to the Events, which call the listeners with the store as `this`, as an emitter does.
 */
import type { Events, StoreEvents } from './events.ts'

export abstract class Listening {
  readonly #events: Events

  constructor(events: Events) {
    this.#events = events
    events.owner = this
  }

  /** @throws TIDEMARK_ARGUMENT for an event that does not exist, and a listener that is no function; so do `once` and `off` */
  on<Name extends keyof StoreEvents>(name: Name, listener: (...args: StoreEvents[Name]) => void): this {
    this.#events.on(name, listener)
    return this
  }

  once<Name extends keyof StoreEvents>(name: Name, listener: (...args: StoreEvents[Name]) => void): this {
    this.#events.once(name, listener)
    return this
  }

  off<Name extends keyof StoreEvents>(name: Name, listener: (...args: StoreEvents[Name]) => void): this {
    this.#events.off(name, listener)
    return this
  }

  /** The same as `on`. */
  addListener<Name extends keyof StoreEvents>(name: Name, listener: (...args: StoreEvents[Name]) => void): this {
    return this.on(name, listener)
  }

  /** The same as `off`. */
  removeListener<Name extends keyof StoreEvents>(name: Name, listener: (...args: StoreEvents[Name]) => void): this {
    return this.off(name, listener)
  }
}
