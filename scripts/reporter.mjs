/**
 * A node:test reporter for scripts/test.mjs: one line of JSON for each test case and each diagnostic, and one at the end, without which the
 * file's process was cut short.
 */
import { inspect } from 'node:util'

/** What node:test tells at the end of every file; the test command counts for itself. */
const COUNTS = /^(tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) [\d.]+$/

export default async function* reporter(source) {
  for await (const { type, data } of source) {
    // Of what escaped after its test had ended nothing else tells.
    if (type === 'test:diagnostic' && !COUNTS.test(data.message)) yield `${JSON.stringify({ diagnostic: data.message })}\n`
    if (type !== 'test:pass' && type !== 'test:fail') continue
    // One that was skipped, or left to do, has no tests of its own that would say so.
    const told = data.skip !== undefined || data.todo !== undefined
    if (data.details?.type === 'suite' && type === 'test:pass' && !told) continue
    const error = data.details?.error
    yield `${JSON.stringify({
      passed: type === 'test:pass',
      name: data.name,
      nesting: data.nesting,
      suite: data.details?.type === 'suite',
      skip: data.skip,
      todo: data.todo,
      // A parent that failed only because a test inside it did: its own line would say nothing new.
      echo: error?.failureType === 'subtestsFailed',
      ms: data.details?.duration_ms,
      error: error === undefined ? undefined : describe(error),
    })}\n`
  }
  yield `${JSON.stringify({ end: true })}\n`
}

/** The error in full, without the lines of the stack that are inside Node.js. */
function describe(error) {
  const shown = error.failureType === 'testCodeFailure' && error.cause ? error.cause : error
  return inspect(shown, { depth: 6 }).replace(/\n\s+at [^\n]*\bnode:internal[^\n{]*/g, '')
}
