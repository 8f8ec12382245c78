/** A benchmark that is ended by a signal, or killed, leaves no process behind, and after a signal no folder; figures of another run are no longer there. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { root } from './root.ts'
import { childrenOf, childrenUnknown, isGone } from './support/processes.ts'
import { temporaryFolder } from './temporary.ts'

const sleep = (): Promise<void> => new Promise(resolve => setTimeout(resolve, 20))

// One function hears all that can be heard.
for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
  test(`ended by ${signal}`, { skip: childrenUnknown }, async t => {
    const data = temporaryFolder(t)
    const json = join(data, 'bench.json')
    writeFileSync(json, 'of another run')
    const args = [join(root, '.build/bench/main.js'), '--quick', '--only', 'one-key', '--data', data, '--json', json]
    const bench = spawn(process.execPath, args, { stdio: 'ignore' })
    const ended = new Promise<[number | null, NodeJS.Signals | null]>(resolve => bench.on('close', (...how) => resolve(how)))
    const pid = bench.pid as number
    // The worker is at work: it has a store.
    const listed = (path: string): string[] => {
      try {
        return readdirSync(path)
      } catch {
        // A file, or gone.
        return []
      }
    }
    const isAtWork = (): boolean =>
      listed(data).some(name => listed(join(data, name)).some(store => listed(join(data, name, store)).length > 0))
    while (!isAtWork()) await sleep()
    const workers = childrenOf(pid)
    assert.equal(workers.length, 1)
    bench.kill(signal)
    assert.deepEqual(await ended, signal === 'SIGKILL' ? [null, 'SIGKILL'] : [1, null])
    while (!workers.every(isGone)) await sleep()
    assert.ok(!existsSync(json))
    if (signal !== 'SIGKILL') assert.deepEqual(readdirSync(data), [])
  })
}
