/** What a module or an addon could not be loaded for, where that passes: descriptors and memory. Owns nothing. */
import { isError } from '../base/errors.ts'
import { type ErrnoName, isErrno, systemError } from './errors.ts'

const SHORTAGES: readonly ErrnoName[] = ['EMFILE', 'ENFILE', 'ENOMEM']

/** Of an addon there is a text alone, as the C library has it: glibc's and musl's. */
const TEXTS: readonly (readonly [ErrnoName, RegExp])[] = [
  ['ENFILE', /too many open files in system/i],
  ['EMFILE', /too many open files|no file descriptors available/i],
  ['ENOMEM', /cannot allocate memory|out of memory/i],
]

/** Room that a process has once. */
const LASTING = /static TLS/i

/**
 * The system's error where the process or the machine was short of something; undefined for any other. A loader that tried several ways has their errors as its
 * causes, one of another.
 */
export function shortageIn(error: unknown): Error | undefined {
  for (let cause = error; isError(cause); cause = cause.cause) {
    const found = ofOne(cause)
    if (found !== undefined) return found
  }
  return undefined
}

function ofOne(error: Error): Error | undefined {
  if (isErrno(error, ...SHORTAGES)) return error
  const { code, message } = error as { code?: unknown; message: string }
  if (code !== 'ERR_DLOPEN_FAILED' || LASTING.test(message)) return undefined
  const name = TEXTS.find(([, text]) => text.test(message))?.[0]
  return name && systemError(name, 'dlopen', message)
}

/** What `shortageIn` gave. */
export function isShortage(error: unknown): boolean {
  return isErrno(error, ...SHORTAGES)
}
