/**
 * The one error type of Tidemark. Match on `code`, not on the class: neither survives `postMessage`, but a code can be posted as plain data.
 * Kinds, by what the caller should do: `input` fix the call, `state` the store cannot do this now,
 * `retry` try again later, `damage` stored bytes are not what was written, `bug` report it.
 */
import { types } from 'node:util'

export type ErrorKind = 'input' | 'state' | 'retry' | 'damage' | 'bug'

/** Every condition has one stable code. The table in docs/errors.md is tested against this object. */
export const CODES = {
  TIDEMARK_SETTINGS: 'input',
  TIDEMARK_ARGUMENT: 'input',
  TIDEMARK_NAME: 'input',
  TIDEMARK_NAME_TAKEN: 'input',
  TIDEMARK_IDS_SPENT: 'state',
  TIDEMARK_NUMBERS_SPENT: 'state',
  TIDEMARK_KEY: 'input',
  TIDEMARK_VALUE_REFUSED: 'input',
  TIDEMARK_CODEC: 'input',
  TIDEMARK_CODEC_MISMATCH: 'input',
  TIDEMARK_TRANSACTION_ASYNC: 'input',
  TIDEMARK_TRANSACTION_STALE: 'input',
  TIDEMARK_INSIDE: 'input',
  TIDEMARK_CLOSED: 'state',
  TIDEMARK_READ_ONLY: 'state',
  TIDEMARK_FAILED: 'state',
  TIDEMARK_DIRECTORY: 'input',
  TIDEMARK_NO_STORE: 'input',
  TIDEMARK_LOCKED: 'state',
  TIDEMARK_LOCK_UNAVAILABLE: 'state',
  TIDEMARK_FENCED: 'state',
  TIDEMARK_FORMAT_NEWER: 'state',
  TIDEMARK_COMPRESSION_UNAVAILABLE: 'state',
  TIDEMARK_PACKAGE_INCOMPLETE: 'state',
  TIDEMARK_STORAGE: 'retry',
  TIDEMARK_TIMEOUT: 'retry',
  TIDEMARK_MANIFEST_FULL: 'state',
  TIDEMARK_MANIFEST_DAMAGED: 'damage',
  TIDEMARK_LOG_DAMAGED: 'damage',
  TIDEMARK_SEGMENT_DAMAGED: 'damage',
  TIDEMARK_VALUE_DAMAGED: 'damage',
  TIDEMARK_NO_SUCH_POINT: 'input',
  TIDEMARK_BUG: 'bug',
} as const satisfies Record<string, ErrorKind>

export type ErrorCode = keyof typeof CODES

export interface ErrorDetails {
  /** What the operator can do about it. */
  readonly hint?: string
  readonly cause?: unknown
  /** Collection and key the condition is about, where there is one. */
  readonly collection?: string
  readonly key?: unknown
  /** File the condition is about, relative to the store's directory. */
  readonly file?: string
  /** Further facts, plain data. */
  readonly info?: Readonly<Record<string, unknown>>
}

export class TidemarkError extends Error {
  override readonly name = 'TidemarkError'
  readonly code: ErrorCode
  readonly kind: ErrorKind
  readonly hint: string | undefined
  readonly collection: string | undefined
  readonly key: unknown
  readonly file: string | undefined
  readonly info: Readonly<Record<string, unknown>> | undefined

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.code = code
    this.kind = CODES[code]
    this.hint = details.hint
    this.collection = details.collection
    this.key = details.key
    this.file = details.file
    this.info = details.info
  }
}

/** Of any realm: who runs in a context, such as tests of Jest, gets errors of Node.js that are no instances of its own `Error`. */
export function isError(error: unknown): error is Error {
  return types.isNativeError(error) || error instanceof Error
}

/** Thrown into work that is to end now: it was called off, and nothing is wrong. */
export const STOPPED: unique symbol = Symbol('stopped')

/** True for a Tidemark error of this code, also for plain data that carries the code: of an error that is posted itself it does not arrive. */
export function hasCode(error: unknown, code: ErrorCode): boolean {
  return typeof error === 'object' && error !== null && (error as { code?: unknown }).code === code
}

/** A broken invariant is a defect of the engine: it stops the engine, never the host process. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new TidemarkError('TIDEMARK_BUG', `invariant broken: ${message}`, { hint: 'please report this with the stack' })
}
