/** What is told of a directory without a store: whoever looks into a storage does not know its name, and whoever was given that puts it in. */
import { hasCode, TidemarkError } from '../base/errors.ts'

const HERE = 'this directory'

/** `unbegun`: all that is there is what a first opening that died left. */
export function noStore(unbegun = false): TidemarkError {
  const why = unbegun ? ': a first opening died before it had made one' : ''
  return new TidemarkError('TIDEMARK_NO_STORE', `there is no store in ${HERE}${why}`, { hint: 'open it for writing once to create it' })
}

/** That error with the path in it, and perhaps another hint; any other error as it is. */
export function noStoreIn(directory: string, error: unknown, hint = (error as TidemarkError).hint): unknown {
  if (!hasCode(error, 'TIDEMARK_NO_STORE')) return error
  const message = (error as TidemarkError).message.replace(HERE, () => directory)
  return new TidemarkError('TIDEMARK_NO_STORE', message, { cause: error, ...(hint === undefined ? {} : { hint }) })
}
