import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TidemarkError } from '../base/errors.ts'
import { toErrorData, type UpkeepMessage } from '../writer/index.ts'
import type { Events } from './events.ts'
import { Upkeep } from './upkeep.ts'

test('lastError has the message of what failed, and of a defect the stack, which it is to be reported with', () => {
  const none = { foldedEpoch: 0, segments: 0, segmentBytes: 0 }
  const upkeep = new Upkeep(none, { emit: () => {} } as unknown as Events)
  const failed = (error: unknown): string | undefined => {
    const more = { bytesWritten: 0, allBytes: 0, ms: 0, files: 0 }
    upkeep.take({ type: 'upkeep', did: 'failed', ...none, ...more, error: toErrorData(error) } satisfies UpkeepMessage)
    return upkeep.stats.lastError
  }
  assert.equal(failed(new TidemarkError('TIDEMARK_STORAGE', 'no space')), 'no space')
  const broken = new TidemarkError('TIDEMARK_BUG', 'invariant broken: order')
  assert.equal(failed(broken), `${broken.message}\n${broken.stack}`)
  assert.match(broken.stack ?? '', /invariant broken: order\n\s+at /)
  const unexpected = new TypeError('of none')
  assert.ok(failed(unexpected)?.includes(unexpected.stack as string))
  assert.equal(upkeep.stats.failures, 3)
})
