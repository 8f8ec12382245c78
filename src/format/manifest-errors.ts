/** What a damaged manifest is reported as, and the test that comes before any other. */
import { TidemarkError } from '../base/errors.ts'

export function damagedManifest(file: string, what: string, cause?: unknown): TidemarkError {
  return new TidemarkError('TIDEMARK_MANIFEST_DAMAGED', `${file}: ${what}`, { file, ...(cause === undefined ? {} : { cause }) })
}

/** For one that would be longer than a reader allows, or leaves too little room. */
export function manifestFull(what: string): TidemarkError {
  return new TidemarkError('TIDEMARK_MANIFEST_FULL', `one manifest cannot name all that is to be named (${what})`, {
    hint: 'keep fewer recovery points or collections, let keys differ early, or put a part into a store of its own: see Limits in the README, and docs/limits.md',
  })
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
