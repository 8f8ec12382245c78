/** The numbers of manifests and the tokens of writers: what there is to give, and what is none of them. Pure. */
import { TidemarkError } from '../base/errors.ts'
import { MANIFEST_NUMBER_MAX, MANIFEST_NUMBERS_AHEAD_MAX } from '../base/limits.ts'
import { type Manifest, manifestName } from '../format/index.ts'

type Numbered = Pick<Manifest, 'number' | 'token'>

/** For the manifest that is to be written. @throws TIDEMARK_NUMBERS_SPENT */
export function assertNumbers({ number, token }: Numbered): void {
  if (number <= MANIFEST_NUMBER_MAX && token <= MANIFEST_NUMBER_MAX) return
  const what = number > MANIFEST_NUMBER_MAX ? 'numbers of manifests' : 'tokens of writers'
  // A copy keeps the token, which the names of its files have.
  const verb = token > MANIFEST_NUMBER_MAX / 2 ? '`tidemark export` and `tidemark import` make' : '`tidemark copy` makes'
  throw new TidemarkError('TIDEMARK_NUMBERS_SPENT', `all ${MANIFEST_NUMBER_MAX} ${what} of this store were given`, {
    hint: `it can be read: ${verb} a store that has them again`,
  })
}

/** Before work that ends in the manifest after this one. @throws TIDEMARK_NUMBERS_SPENT */
export function assertNext({ number, token }: Numbered): void {
  assertNumbers({ number: number + 1, token })
}

/** `newestNumber`: the highest there is; above that of `newest` it does not verify. @throws TIDEMARK_MANIFEST_DAMAGED where no writer of this store made it */
export function assertSuccessor({ number }: Numbered, newestNumber: number): void {
  if (newestNumber - number <= MANIFEST_NUMBERS_AHEAD_MAX) return
  const file = manifestName(newestNumber)
  throw new TidemarkError(
    'TIDEMARK_MANIFEST_DAMAGED',
    `${file} does not verify, and is no manifest of this store: its number is ${newestNumber - number} above that of the newest one`,
    { file, hint: `keep a copy of the directory, then move ${file} out of it` },
  )
}
