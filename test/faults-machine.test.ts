/** On a machine that cannot do what a fault test needs, the test is skipped with a reason; it neither ends its file nor waits for ever. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { mounted } from './faults/machine.ts'
import { Remote } from './faults/remote.ts'
import { temporaryFolder } from './temporary.ts'

const MACHINE = JSON.stringify(new URL('./faults/machine.js', import.meta.url).href)

test('where programs are missing, or are there and may do nothing, there is a reason to skip', t => {
  const code = `const { NO_MOUNTS, NO_STRACE } = await import(${MACHINE}); console.log(JSON.stringify([NO_MOUNTS, NO_STRACE].map(String)))`
  const env = { ...process.env, PATH: temporaryFolder(t) }
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', code], { encoding: 'utf8', env })
  const [noMounts, noStrace] = JSON.parse(stdout || `["${stderr}"]`) as [string, string]
  assert.match(noMounts, /^unshare does not work here: ./)
  assert.match(noStrace, /^strace does not work here: ./)
})

test('a mount that fails is an error, and so is a program that is not there', { timeout: 30_000 }, async t => {
  await assert.rejects(
    mounted(t, () => 'false'),
    /mounting failed/,
  )
  const remote = new Remote(t, [join(temporaryFolder(t), 'nowhere')])
  const { failed } = await remote.attempt({ op: 'stats' })
  assert.equal(failed?.code, 'ENDED')
  assert.match(failed.message, /nowhere ENOENT/)
})
