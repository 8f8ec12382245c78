/** Folders for tests, and errors looked at closely. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import type { ErrorCode, TidemarkError } from 'tidemark'

/** A new empty folder that goes when the test ends. */
export function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-test-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

export interface Wanted {
  readonly collection?: string
  readonly key?: unknown
  /** The message has all of these. */
  readonly says?: readonly (string | RegExp)[]
}

/** Calls (and awaits) `fn`, which must fail with a typed error of this code that has a hint; gives the error. */
export async function failsWith(code: ErrorCode, fn: () => unknown, wanted: Wanted = {}): Promise<TidemarkError> {
  let found: unknown
  try {
    const value = await fn()
    assert.fail(`${code} was expected, but the call gave ${String(value)}`)
  } catch (error) {
    if (error instanceof assert.AssertionError) throw error
    found = error
  }
  const error = found as TidemarkError
  assert.equal(error.code, code, error.stack)
  assert.equal(error.name, 'TidemarkError')
  assert.ok(typeof error.hint === 'string' && error.hint.length > 5, `a hint is missing: ${error.stack}`)
  assert.ok(error.message.length > 5)
  if ('collection' in wanted) {
    assert.equal(error.collection, wanted.collection)
    assert.ok(error.message.includes(wanted.collection as string), `the message does not name the collection: ${error.message}`)
  }
  if ('key' in wanted) {
    assert.ok(Object.is(error.key, wanted.key), `key ${String(error.key)} instead of ${String(wanted.key)}`)
    if (typeof wanted.key !== 'object')
      assert.ok(error.message.includes(String(wanted.key)), `the message does not name the key: ${error.message}`)
  }
  for (const part of wanted.says ?? []) {
    assert.ok(typeof part === 'string' ? error.message.includes(part) : part.test(error.message), `'${error.message}' does not say ${part}`)
  }
  return error
}
