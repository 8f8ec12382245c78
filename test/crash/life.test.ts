/** What a life of the crash test ended of. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { childrenOf, childrenUnknown } from '../support/processes.ts'
import { temporaryFolder } from '../temporary.ts'
import { type Life, liveOnce } from './life.ts'

test('a process that somebody else killed has not come to its failpoint', { skip: childrenUnknown }, async t => {
  const plan = { directory: temporaryFolder(t), seed: 1, lifeSeed: 1, intervalMs: 20, compression: 'none', lock: 'os' } as const
  let life: Life | undefined
  const lived = liveOnce(plan, { failpoint: 'merge.end:1000000' }).then(one => {
    life = one
  })
  while (life === undefined) {
    for (const child of childrenOf(process.pid)) process.kill(child, 'SIGKILL')
    await new Promise(resolve => setTimeout(resolve, 5))
  }
  await lived
  assert.equal(life.end, 'crashed')
  assert.match(life.output, /^SIGKILL: /)
})
