/** What the store says to calls it cannot take. Owns nothing. */
import { hasCode, TidemarkError } from '../base/errors.ts'
import { describe, optionsIn } from '../base/given.ts'
import { COLLECTIONS_MAX, TIMER_MS_MAX } from '../base/limits.ts'
import { assertStack } from '../base/stack.ts'
import { isAsyncFunction, isGenerator, isStray } from '../base/stray.ts'
import type { Collection, CollectionKind, Transaction } from '../capture/index.ts'

export function closed(): TidemarkError {
  return new TidemarkError('TIDEMARK_CLOSED', 'the store is closed', { hint: 'open it again' })
}

/** The engine stopped for good, because of this. */
export function stopped(because: TidemarkError | undefined): TidemarkError {
  return new TidemarkError('TIDEMARK_FAILED', `the engine has stopped: ${because?.message ?? 'unknown'}`, {
    cause: because,
    hint: because?.hint ?? 'open the store again',
  })
}

/** What `close` ends with. Whoever waits at an open store is told that the work goes on; here it is over. */
export function closedWith(problem: unknown, timeoutMs: number): unknown {
  if (!hasCode(problem, 'TIDEMARK_TIMEOUT')) return problem
  const { cause } = problem as { readonly cause?: unknown }
  const why = cause === undefined ? '' : `: ${(cause as Error).message}`
  return new TidemarkError('TIDEMARK_TIMEOUT', `the store is closed, and what was not durable after ${timeoutMs} ms is lost${why}`, {
    cause,
    hint: 'wait for durable() before close, which can be repeated, or give close more time',
    info: { timeoutMs },
  })
}

export function noPath(given: unknown): TidemarkError {
  const what = typeof given === 'string' ? JSON.stringify(given) : describe(given)
  return new TidemarkError('TIDEMARK_ARGUMENT', `open takes the path of a directory, not ${what}`, {
    hint: "open('./state'), or open(':memory:')",
  })
}

export function dropped(name: string): TidemarkError {
  return new TidemarkError('TIDEMARK_CLOSED', `'${name}' was deleted from the store`, {
    collection: name,
    hint: 'call store.map or store.value again',
  })
}

export function codecMismatch(name: string, stored: string, given: string): TidemarkError {
  return new TidemarkError('TIDEMARK_CODEC_MISMATCH', `'${name}' is stored with the codec '${stored}', not '${given}'`, {
    collection: name,
    hint: `give the codec named '${stored}'`,
  })
}

export function tooMany(name: string): TidemarkError {
  return new TidemarkError('TIDEMARK_NAME', `a store has at most ${COLLECTIONS_MAX} collections`, {
    collection: name,
    hint: 'use keys, not collections, for what there are many of',
  })
}

export function nameTaken({ name, kind }: Collection, wanted: CollectionKind): TidemarkError {
  return new TidemarkError('TIDEMARK_NAME_TAKEN', `'${name}' is a ${kind}, not a ${wanted}`, {
    collection: name,
    hint: 'choose another name, or delete the old one first',
  })
}

export function noFunction(what: string, given: unknown, hint: string): TidemarkError {
  const found = isGenerator(given) ? 'a generator' : describe(given)
  return new TidemarkError('TIDEMARK_ARGUMENT', `${what} takes a function, not ${found}`, { hint })
}

function asyncTransaction(): TidemarkError {
  return new TidemarkError(
    'TIDEMARK_TRANSACTION_ASYNC',
    'a transaction is synchronous: its function must not be async or a generator, nor return a promise; nothing was changed',
    {
      hint: 'wait first, then change inside the transaction; for work that spans turns use store.hold',
    },
  )
}

/** One that is written as async, or as a generator, is refused before it begins. */
export function assertNotAsync(fn: unknown): void {
  if (isAsyncFunction(fn) || isGenerator(fn)) throw asyncTransaction()
}

/** What a transaction's function gave, which must be no promise, and no work that is still to be walked. */
export function synchronous<T>(result: T): T {
  if (isStray(result)) throw asyncTransaction()
  return result
}

/** A transaction that is part of `outer`. It may have changed something before it failed: whoever catches that keeps nothing of `outer` either. */
export function joined<T>(fn: () => T, outer: Transaction): T {
  try {
    assertNotAsync(fn)
    // To be able to say that it failed.
    assertStack()
    return synchronous(fn())
  } catch (error) {
    outer.failed(error)
    throw error
  }
}

/** The one option of a call: a time, at most what a timer takes, 24 days, which is as good as no end. */
export function milliseconds(call: string, options: unknown, name: string, fallback: number): number {
  const refuse = (what: string, hint: string): never => {
    throw new TidemarkError('TIDEMARK_ARGUMENT', `${call}: ${what}`, { hint })
  }
  const value = optionsIn(options, [name], refuse)[name]
  if (value === undefined) return fallback
  if (typeof value === 'number' && value > 0) return Math.min(value, TIMER_MS_MAX)
  const found = typeof value === 'number' ? String(value) : describe(value)
  return refuse(`${name} must be a number of milliseconds above 0, not ${found}`, `leave it out for ${fallback}`)
}
