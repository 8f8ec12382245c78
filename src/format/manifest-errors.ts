/** What a damaged manifest is reported as, and the test that comes before any other. */
import { TidemarkError } from '../base/errors.ts'

export function damagedManifest(file: string, what: string, cause?: unknown): TidemarkError {
  return new TidemarkError('TIDEMARK_MANIFEST_DAMAGED', `${file}: ${what}`, { file, ...(cause === undefined ? {} : { cause }) })
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
