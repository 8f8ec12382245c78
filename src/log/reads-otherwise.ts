/** The error for bytes that are not what they were at the look before: nobody knows which of the two is stored. */
import { TidemarkError } from '../base/errors.ts'
import { UNRELIABLE } from '../storage/index.ts'

/** `what`: as the message is to name it. */
export function readsOtherwise({ file, offset = 0 }: { readonly file: string; readonly offset?: number }, what = file): TidemarkError {
  return new TidemarkError('TIDEMARK_STORAGE', `${what} reads otherwise than a moment ago`, {
    file,
    info: { offset, operation: 'read' },
    hint: `${UNRELIABLE}, then try again`,
  })
}
