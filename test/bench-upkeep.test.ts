/** The workers of the benchmark of upkeep tell of a checkpoint that fails, also where it was the last one and nothing else is left to do. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { runChild } from '../bench/harness/child.ts'
import type { IsolationAssignment, UpkeepAssignment } from '../bench/upkeep/contract.ts'
import { root } from './root.ts'
import { temporaryFolder } from './temporary.ts'

const TIMEOUT_MS = 60_000
const PRELOAD = pathToFileURL(join(root, '.build/test/support/late-failure.js')).href
// The first one is that of filling the store.
const options = { execArgv: ['--import', PRELOAD], env: { LATE_FAILURE: '2' } }
const worker = (name: string): string => join(root, '.build/bench/upkeep', `${name}.js`)

test('beside upkeep', { timeout: TIMEOUT_MS }, async t => {
  const job: IsolationAssignment = { folder: temporaryFolder(t), keys: 100, seconds: 0.1, burst: 10 }
  await assert.rejects(runChild(worker('isolation-worker'), job, options), /a checkpoint failed late/)
})

test('under updates', { timeout: TIMEOUT_MS }, async t => {
  // Updates come fifty at a time: the last when the checkpoint is under way.
  const load = { keys: 100, updates: 10, perSecond: 40, theta: 0, intervalMs: 1000, collect: false }
  const job: UpkeepAssignment = { folder: temporaryFolder(t), role: 'steady', ...load }
  await assert.rejects(runChild(worker('worker'), job, options), /a checkpoint failed late/)
})
