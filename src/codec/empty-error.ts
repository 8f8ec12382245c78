/**
 * An error that is made of bytes, before it has its parts. It takes no stack: V8 would keep with it what the frames were called on, the reader and so
 * the whole block that it reads, for as long as the error lives.
 */
import type { ERROR_CLASSES } from './tags.ts'

export function emptyError(type: (typeof ERROR_CLASSES)[number]): Error {
  const make = (): Error => (type === AggregateError ? new AggregateError([]) : new (type as ErrorConstructor)())
  const limit = Object.getOwnPropertyDescriptor(Error, 'stackTraceLimit')
  // Where it is no number V8 takes no stack; where nobody may set it, it does.
  if (limit?.writable !== true) return make()
  try {
    Error.stackTraceLimit = 0
    return make()
  } finally {
    Error.stackTraceLimit = limit.value
  }
}
