/**
 * The store's events. A listener's exception is the host's affair (it surfaces like that of any callback); an event without a listener
 * never throws, `error` included; while the store closes it waits until all is durable, because it may end the process, and so does the
 * rejection of a listener that is written as async. A promise that another one returns is the host's own.
 * Owns: the listeners, and how long they took in all.
 */
import { EventEmitter } from 'node:events'
import { types } from 'node:util'
import type { Clock } from '../base/clock.ts'
import { TidemarkError } from '../base/errors.ts'
import { describe } from '../base/given.ts'
import { systemScheduler } from '../base/scheduler.ts'
import { follow, isAsyncFunction } from '../base/stray.ts'
import type { VoidReason } from '../capture/index.ts'
import type { CheckpointPoint, Refusal, StallInfo } from '../checkpoint/index.ts'
import type { Key } from '../codec/index.ts'
import type { Decision } from '../schedule/index.ts'
import { noFunction } from './refusals.ts'

export interface StoreEvents {
  /** An epoch became durable, automatic ones included. */
  checkpoint: [point: CheckpointPoint]
  /**
   * A barrier falls now, again for the same epoch where the cut moved or an attempt failed; the listener runs inside the cut, and what it writes is in
   * the epoch, be it the last one of a store that closes.
   */
  barrier: [info: { readonly epoch: number; readonly time: number }]
  /** Durability is interrupted, or folding cannot read back what was committed (once for each cause); the engine goes on trying. */
  degraded: [error: TidemarkError]
  /** Durable again after `degraded`. */
  recovered: []
  /** The engine stopped for good (fenced, or a broken invariant); the service goes on in memory only. */
  error: [error: TidemarkError]
  /** An entry could not be encoded; once per entry until it is captured again. */
  refused: [refusal: Refusal]
  /**
   * The cut moved: an object was changed across a barrier, a collection was emptied, or pre-images grew beyond the bound. Told inside the call that
   * did it; where that is in a transaction or a hold, in a later turn, outside of it. So it is of a call that had no stack left to capture in.
   */
  voided: [info: { readonly reason: VoidReason; readonly collection: string; readonly key: Key | undefined; readonly voids: number }]
  /** A hold ran past its `msMax` and no longer stands in the way of the barrier. */
  holdBroken: [info: { readonly ms: number }]
  /**
   * The engine, listeners not counted, held a turn of the loop longer than `budget.stallMsMax`, by capturing, bringing entries home or letting
   * them go; names the value when the capture of a large one was the reason.
   */
  stall: [info: StallInfo]
  /** The scheduler decided something: when a barrier falls, how long the window is, what upkeep may do, that the RPO is broken … and why. */
  decision: [decision: Decision]
  /**
   * Durability does not keep up (`high`, from 0.8 on), or does again (below 0.4): for those who want to shed load. See `store.pressure`. Never
   * with `intervalMs: 0`: nobody watches then.
   */
  pressure: [info: { readonly high: boolean; readonly pressure: number; readonly reason: string }]
  /** Folding does not keep up with the log, which grows: the disk is too slow, or `budget.ioBytesPerSecondMax` too low. */
  behind: [info: { readonly ms: number; readonly rawBytes: number; readonly records: number }]
  /** Folding keeps up again after `behind`. */
  caughtUp: []
  /** A collection's `significant` threw, or returned a promise or a generator, and the change counts as significant; once until it answers again, or another is given. */
  significantFailed: [info: { readonly collection: string; readonly key: Key; readonly error: unknown }]
  /** `debug.untracked`: a value changed in place without `set` or `update`. */
  untracked: [info: { readonly collection: string; readonly key: Key }]
}

/** Every one of them: the compiler says when one is missing. */
const EVENTS: Readonly<Record<keyof StoreEvents, true>> = {
  checkpoint: true,
  barrier: true,
  degraded: true,
  recovered: true,
  error: true,
  refused: true,
  voided: true,
  holdBroken: true,
  stall: true,
  decision: true,
  pressure: true,
  behind: true,
  caughtUp: true,
  significantFailed: true,
  untracked: true,
}

/** Exceptions kept while the store closes; one in each of a million `refused` events would fill the heap. */
const KEPT_MAX = 64

export class Events {
  /** Of the listeners' own, ms, while there is a clock. */
  listenersMs = 0
  /** Measures what listeners take. */
  clock: Clock | undefined
  /** The `this` of listeners: whoever they were given to. */
  owner: unknown
  /** Each part of a service may listen; a warning of many would name a method of the emitter, which nobody outside has. */
  readonly #emitter = new EventEmitter<StoreEvents>().setMaxListeners(0)
  #inside = false
  /** While the store closes: each throws what a listener threw, or rejects as it did. */
  #kept: (() => void)[] | undefined

  on<Name extends keyof StoreEvents>(name: Name, listener: (...args: StoreEvents[Name]) => void): void {
    check('on', name, listener)
    this.#emitter.on(name, listener as never)
  }

  once<Name extends keyof StoreEvents>(name: Name, listener: (...args: StoreEvents[Name]) => void): void {
    check('once', name, listener)
    const emitter = this.#emitter
    let called = false
    // That of the emitter would call it with the emitter as `this`.
    function once(this: unknown, ...args: StoreEvents[Name]): unknown {
      if (called) return undefined
      called = true
      emitter.off(name, once as never)
      return listener.apply(this, args)
    }
    // `off` finds it by that.
    once.listener = listener
    emitter.on(name, once as never)
  }

  off<Name extends keyof StoreEvents>(name: Name, listener: (...args: StoreEvents[Name]) => void): void {
    check('off', name, listener)
    this.#emitter.off(name, listener as never)
  }

  emit<Name extends keyof StoreEvents>(name: Name, ...args: StoreEvents[Name]): void {
    const listeners = this.#emitter.rawListeners(name)
    if (listeners.length === 0) return
    const { clock } = this
    // A listener may make an event itself, whose time is in its own.
    if (clock === undefined || this.#inside) {
      this.#call(listeners, args)
      return
    }
    const begin = clock.monotonic()
    this.#inside = true
    this.#call(listeners, args)
    this.#inside = false
    this.listenersMs += clock.monotonic() - begin
  }

  /** What listeners throw from now on is kept until `tellErrors`. */
  keepErrors(): void {
    this.#kept ??= []
  }

  tellErrors(): void {
    for (const fail of this.#kept ?? []) systemScheduler.immediate(fail)
    this.#kept = undefined
  }

  #call(listeners: readonly unknown[], args: unknown[]): void {
    for (const listener of listeners) {
      try {
        const result = (listener as (...args: unknown[]) => unknown).apply(this.owner, args)
        if (isAsync(listener) && types.isPromise(result)) this.#follow(result)
      } catch (error) {
        this.#failed(() => {
          throw error
        })
      }
    }
  }

  /** The store may close before it fails. */
  #follow(result: Promise<unknown>): void {
    // It stays one that nobody handled.
    const failed = (error: unknown): void => this.#failed(() => void Promise.reject(error))
    follow(result, failed)
  }

  #failed(fail: () => void): void {
    if (this.#kept !== undefined) this.#keep(fail)
    // Who waited for what the event tells may have begun to close the store by then.
    else systemScheduler.immediate(() => (this.#kept === undefined ? fail() : this.#keep(fail)))
  }

  #keep(fail: () => void): void {
    if (this.#kept !== undefined && this.#kept.length < KEPT_MAX) this.#kept.push(fail)
  }
}

/** Nobody but who calls it has the promise of a function that is written as async; what another one returns may be handled elsewhere. */
function isAsync(listener: unknown): boolean {
  // `once` wraps it.
  return isAsyncFunction((listener as { readonly listener?: unknown }).listener ?? listener)
}

function check(call: string, name: unknown, listener: unknown): void {
  if (typeof name !== 'string' || !Object.hasOwn(EVENTS, name)) {
    const what = typeof name === 'string' ? `'${name.slice(0, 60)}'` : `that is ${describe(name)}`
    throw new TidemarkError('TIDEMARK_ARGUMENT', `${call}: there is no event ${what}`, {
      hint: `known are ${Object.keys(EVENTS).join(', ')}`,
    })
  }
  if (typeof listener !== 'function') throw noFunction(`${call} of '${name}'`, listener, `store.${call}('${name}', listener)`)
}
