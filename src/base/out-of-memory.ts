/**
 * Errors that say that there was no memory. `isOutOfMemory` takes rather too many for one: who asks would else give up bytes as damaged. `isAllocationFailure`
 * takes none that is not: who asks tries again, for which a stack that is full gives no reason. Owns nothing.
 */
import { isError } from './errors.ts'

/** Whether unpacking failed for want of memory, by Node.js, zlib or an addon. With more of it the bytes may unpack: nothing is to be given up for them. */
export function isOutOfMemory(error: unknown): boolean {
  if (!isError(error)) return false
  const { code } = error as { code?: unknown }
  if (error.name === 'RangeError' && code === undefined) return true
  return MEMORY_CODES.has(code) || /allocation/i.test(error.message)
}

/**
 * Whether memory that was asked for was not to be had, by Node.js, zlib or an addon: that passes. No want of memory, though errors of the same class
 * say them: a stack that is full, an array that is too long.
 */
export function isAllocationFailure(error: unknown): boolean {
  const { code, name, message } = Object(error) as { code?: unknown; name?: unknown; message?: unknown }
  // Of a message to a thread: a DOMException, of which no realm but that of Node.js can tell that it is an error.
  const isOfMessage = name === 'DataCloneError'
  if (!isOfMessage && !isError(error)) return false
  if (MEMORY_CODES.has(code)) return true
  const isOfRuntime = (name === 'RangeError' && code === undefined) || isOfMessage
  return isOfRuntime && typeof message === 'string' && /allocation failed|out of memory/i.test(message)
}

const MEMORY_CODES = new Set<unknown>(['Z_MEM_ERROR', 'ZSTD_error_memory_allocation', 'ERR_MEMORY_ALLOCATION_FAILED'])
