/** What the benchmark cannot be asked for is told before anything is measured. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { root } from './root.ts'
import { temporaryFolder } from './temporary.ts'

function refused(t: TestContext, args: readonly string[], said: RegExp): void {
  const folder = temporaryFolder(t)
  const main = join(root, '.build/bench/main.js')
  const all = [main, '--quick', '--data', folder, '--json', join(folder, 'b.json'), ...args]
  const { status, stdout, stderr } = spawnSync(process.execPath, all, { encoding: 'utf8' })
  assert.deepEqual([status, stdout], [1, ''])
  assert.match(stderr, said)
}

test('numbers that are none are refused', t => {
  refused(t, ['--only', 'size', '--seconds', 'ten'], /--seconds wants a number above 0, not 'ten'/)
  refused(t, ['--only', 'size', '--seconds', '0'], /--seconds wants a number above 0, not '0'/)
  refused(t, ['--only', 'size', '--reps', '1.5'], /--reps wants a whole number from 1, not '1.5'/)
})

test('a time in which a fault of the storage would not be seen is refused', t => {
  refused(t, ['--only', 'slow-storage', '--seconds', '1', '--engine', 'stalls of 2 s'], /--seconds wants at least 2 for .*slow-storage/)
  refused(t, ['--only', 'slow-storage', '--seconds', '2'], /--seconds wants at least 2.25 for .*slow-storage .*, not '2'/)
})

test('an engine in place of this one is refused where there is no such engine, and by benchmarks that judge this one only', t => {
  refused(t, ['--only', 'evenness', '--subject', 'nonsense'], /no engine 'nonsense'; there are plain, .*tidemark/)
  const only = /--subject is for evenness, ticks, documents, flat-out and awkward, not for slow-storage, flights-day/
  refused(t, ['--only', 'evenness', '--only', 'slow-storage', '--only', 'flights-day', '--subject', 'dirty-set'], only)
  refused(t, ['--subject', 'dirty-set'], /--subject is for evenness, .*, not for size, /)
})
