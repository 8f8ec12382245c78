/** The options of a collection, checked. Owns nothing. */
import { TidemarkError } from '../base/errors.ts'
import { describe } from '../capture/index.ts'
import type { CollectionOptions } from './types.ts'

const KNOWN = ['codec', 'significant']

/** @throws TIDEMARK_ARGUMENT for an option that is unknown or of the wrong type */
export function checkOptions(name: string, options: unknown): CollectionOptions<unknown> {
  const refuse = (what: string, hint: string): never => {
    throw new TidemarkError('TIDEMARK_ARGUMENT', `'${name}': ${what}`, { collection: name, hint })
  }
  if (typeof options !== 'object' || options === null)
    return refuse(`the options are an object, not ${describe(options)}`, 'leave them out')
  for (const option of Object.keys(options)) {
    if (!KNOWN.includes(option)) refuse(`there is no option '${option}'`, `known are ${KNOWN.join(', ')}`)
  }
  const { significant } = options as { readonly significant?: unknown }
  if (significant !== undefined && typeof significant !== 'function') {
    refuse(`'significant' is a function, not ${describe(significant)}`, 'significant: (old, next) => true or false')
  }
  return options as CollectionOptions<unknown>
}
