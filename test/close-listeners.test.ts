/** Listeners of a close that throw, in a process of their own: what they throw is told when all is durable. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { open } from 'tidemark'
import { root } from './root.ts'
import { temporaryFolder } from './temporary.ts'

const CHILD = `
import { open } from 'tidemark'
const [folder, event] = process.argv.slice(1)
// As without it, in one word, and it goes on to the next where the store is closed.
let closed = false
process.on('uncaughtException', error => {
  console.log(error.code)
  process.exitCode = 3
  if (!closed) process.exit()
})
const store = await open(folder, { checkpoint: { intervalMs: 0 } })
const map = store.map('map')
store.on(event, () => map.set('late', 1))
// Which is handled below.
store.on(event, () => store.close())
store.on(event, async () => {
  await null
  throw Object.assign(new Error(), { code: 'ASYNC' })
})
map.set('a', 1)
if (event === 'refused') map.set('bad', () => {})
await store.close().catch(error => console.log(error.code))
console.log('closed')
closed = true
`

for (const [event, told] of [
  ['checkpoint', 'closed\nTIDEMARK_CLOSED\nASYNC\n'],
  ['refused', 'TIDEMARK_VALUE_REFUSED\nclosed\nTIDEMARK_CLOSED\nASYNC\n'],
] as const) {
  test(`a listener of '${event}' that writes to a store that closes, or that is async and throws, costs nothing of what is to be durable`, async t => {
    const folder = temporaryFolder(t)
    const args = ['--input-type=module', '-e', CHILD, folder, event]
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8' })
    assert.equal(stdout, told, stderr.slice(-500))
    assert.equal(status, 3)
    const store = await open(folder)
    assert.deepEqual([...store.map('map')], [['a', 1]])
    await store.close()
  })
}
