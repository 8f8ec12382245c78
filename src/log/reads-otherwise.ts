/** The error for bytes that are not what they were at the look before: nobody knows which of the two is stored. */
import { TidemarkError } from '../base/errors.ts'

export function readsOtherwise({ file, offset = 0 }: { readonly file: string; readonly offset?: number }): TidemarkError {
  return new TidemarkError('TIDEMARK_STORAGE', `${file} reads otherwise than a moment ago`, {
    file,
    info: { offset, operation: 'read' },
    hint: 'the device or its memory is not reliable: check it before anything else, then try again',
  })
}
