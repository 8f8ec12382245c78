/** The options of a collection, checked. Owns nothing. */
import { TidemarkError } from '../base/errors.ts'
import { describe, optionsIn } from '../base/given.ts'
import { RPO_MS_MIN, TIMER_MS_MAX } from '../base/limits.ts'
import type { CollectionOptions } from './types.ts'

const KNOWN = ['codec', 'significant', 'class', 'rpoMs']
const CLASSES = ['critical', 'standard', 'rebuildable']

/** @throws TIDEMARK_ARGUMENT for an option that is unknown or of the wrong type */
export function checkOptions(name: string, options: unknown): CollectionOptions<unknown> {
  const refuse = (what: string, hint: string): never => {
    throw new TidemarkError('TIDEMARK_ARGUMENT', `'${name}': ${what}`, { collection: name, hint })
  }
  const { codec, significant, class: of, rpoMs } = optionsIn(options, KNOWN, refuse)
  if (significant !== undefined && typeof significant !== 'function') {
    refuse(`'significant' is a function, not ${describe(significant)}`, 'significant: (old, next) => true or false')
  }
  if (of !== undefined && !CLASSES.includes(of as string)) refuse(`there is no such class`, `one of ${CLASSES.join(', ')}`)
  if (rpoMs !== undefined) {
    if (of !== 'critical') refuse("'rpoMs' is for the class 'critical'", "give both: { class: 'critical', rpoMs }")
    if (typeof rpoMs !== 'number' || !(rpoMs >= RPO_MS_MIN && rpoMs <= TIMER_MS_MAX))
      refuse(`'rpoMs' is a number from ${RPO_MS_MIN} to ${TIMER_MS_MAX}`, 'or leave it out for the interval of the store')
  }
  // As they were read: they may be inherited, or come of a getter.
  return { codec, significant, class: of, rpoMs } as CollectionOptions<unknown>
}
