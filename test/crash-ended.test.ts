/** The long crash test that is ended by a signal leaves no process and no directory behind. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { root } from './root.ts'
import { childrenOf, childrenUnknown, isGone } from './support/processes.ts'
import { temporaryFolder } from './temporary.ts'

const sleep = (): Promise<void> => new Promise(resolve => setTimeout(resolve, 20))

// One function hears all of them.
for (const signal of ['SIGHUP'] as const) {
  test(`ended by ${signal}`, { skip: childrenUnknown }, async t => {
    const TMPDIR = temporaryFolder(t)
    const main = spawn(process.execPath, [join(root, '.build/test/crash/main.js')], { stdio: 'ignore', env: { ...process.env, TMPDIR } })
    t.after(() => main.kill('SIGKILL'))
    const ended = new Promise<[number | null, NodeJS.Signals | null]>(resolve => main.on('close', (...how) => resolve(how)))
    const isAtWork = (): boolean => readdirSync(TMPDIR).some(directory => readdirSync(join(TMPDIR, directory)).length > 0)
    let children: number[] = []
    while (!isAtWork() || children.length === 0) {
      await sleep()
      children = childrenOf(main.pid as number)
    }
    main.kill(signal)
    assert.deepEqual(await ended, [1, null])
    while (!children.every(isGone)) await sleep()
    assert.deepEqual(readdirSync(TMPDIR), [])
  })
}
