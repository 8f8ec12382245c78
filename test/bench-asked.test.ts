/** What the benchmark cannot be asked for is told before anything is measured. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { root } from './root.ts'
import { temporaryFolder } from './temporary.ts'

test('numbers that are none are refused', t => {
  for (const [args, said] of [
    [['--seconds', 'ten'], /--seconds wants a number above 0, not 'ten'/],
    [['--seconds', '0'], /--seconds wants a number above 0, not '0'/],
    [['--reps', '1.5'], /--reps wants a whole number from 1, not '1.5'/],
  ] as const) {
    const folder = temporaryFolder(t)
    const all = [
      join(root, '.build/bench/main.js'),
      '--quick',
      '--only',
      'size',
      '--data',
      folder,
      '--json',
      join(folder, 'b.json'),
      ...args,
    ]
    const { status, stdout, stderr } = spawnSync(process.execPath, all, { encoding: 'utf8' })
    assert.deepEqual([status, stdout], [1, ''])
    assert.match(stderr, said)
  }
})
