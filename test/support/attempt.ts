/** For tests of decoders, also of those beside the code. */
import { TidemarkError } from '../../src/base/errors.ts'

/** Runs a decoder: a value or a typed error, never anything else. */
export function attempt<T>(decode: () => T): T | TidemarkError {
  try {
    return decode()
  } catch (error) {
    if (error instanceof TidemarkError && error.code !== 'TIDEMARK_BUG') return error
    throw error
  }
}
