/** Errors across threads: plain data, and back. */
import { CODES, type ErrorCode, TidemarkError } from '../base/errors.ts'
import { shortageError } from '../storage/index.ts'
import type { ErrorData } from './contract.ts'

export function toErrorData(thrown: unknown): ErrorData {
  const error = shortageError('work of the writer', thrown)
  if (error instanceof TidemarkError) {
    const { code, message, hint, file, cause, stack } = error
    // To be reported with it. One that crossed a thread before has that of the other in its info.
    const info = code === 'TIDEMARK_BUG' && stack !== undefined ? { stack, ...error.info } : error.info
    return {
      code,
      message,
      ...(hint === undefined ? {} : { hint }),
      ...(file === undefined ? {} : { file }),
      ...(info === undefined ? {} : { info: plain(info) }),
      ...(cause === undefined ? {} : { cause: causeOf(cause) }),
    }
  }
  return {
    code: 'TIDEMARK_BUG',
    message: `the writer failed: ${error instanceof Error ? error.message : String(error)}`,
    cause: causeOf(error),
    ...(error instanceof Error && error.stack !== undefined ? { info: { stack: error.stack } } : {}),
  }
}

export function fromErrorData(data: ErrorData): TidemarkError {
  const code: ErrorCode = Object.hasOwn(CODES, data.code) ? data.code : 'TIDEMARK_BUG'
  return new TidemarkError(code, data.message, data)
}

function causeOf(cause: unknown): { message: string; code?: string } {
  if (!(cause instanceof Error)) return { message: String(cause) }
  const { code } = cause as { code?: unknown }
  return typeof code === 'string' ? { message: cause.message, code } : { message: cause.message }
}

function plain(info: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(info).filter(([, value]) => typeof value !== 'function' && typeof value !== 'symbol'))
}
