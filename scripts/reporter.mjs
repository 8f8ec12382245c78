/**
 * A node:test reporter for scripts/test.mjs: one line of JSON for each test case and one at the end, without which the file's
 * process was cut short.
 */
import { inspect } from 'node:util'

export default async function* reporter(source) {
  for await (const { type, data } of source) {
    if (type !== 'test:pass' && type !== 'test:fail') continue
    if (data.details?.type === 'suite' && type === 'test:pass') continue
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
      error:
        error === undefined
          ? undefined
          : inspect(error.failureType === 'testCodeFailure' && error.cause ? error.cause : error, { depth: 6 }),
    })}\n`
  }
  yield `${JSON.stringify({ end: true })}\n`
}
