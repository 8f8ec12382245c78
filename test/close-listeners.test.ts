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

const BEFORE = `
import { open } from 'tidemark'
const [folder] = process.argv.slice(1)
process.on('uncaughtException', error => console.log(error.message))
const store = await open(folder, { checkpoint: { intervalMs: 0 } })
const map = store.map('map')
let fail
store.once('checkpoint', async () => {
  await new Promise((_, reject) => (fail = reject)).catch(() => {})
  throw new Error('async, later')
})
store.once('checkpoint', () => {
  throw new Error('at once')
})
// It is handled by who made it.
const job = new Promise((_, reject) => setTimeout(reject, 20, new Error('handled')))
job.catch(() => {})
store.once('checkpoint', () => job)
map.set('a', 1)
await store.checkpoint()
map.set('late', 1)
void store.hold(() => new Promise(resolve => setTimeout(resolve, 100)))
const closing = store.close()
fail()
await closing
console.log('closed')
`

test("what listeners throw that were called before the close costs nothing, either; a promise that is handled elsewhere is nobody else's", async t => {
  const folder = temporaryFolder(t)
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', BEFORE, folder], { cwd: root, encoding: 'utf8' })
  const [first, ...told] = stdout.trimEnd().split('\n')
  assert.deepEqual([first, told.sort()], ['closed', ['async, later', 'at once']], stderr.slice(-500))
  const store = await open(folder)
  assert.deepEqual(
    [...store.map('map')],
    [
      ['a', 1],
      ['late', 1],
    ],
  )
  await store.close()
})

const CAUGHT = `
import { open } from 'tidemark'
const [folder] = process.argv.slice(1)
const store = await open(folder, { checkpoint: { intervalMs: 0 } })
let told = 0
process.on('uncaughtException', async error => {
  console.log(error.message)
  // Node.js goes on so for ever.
  if (++told > 3) process.exit(1)
  await store.close()
  console.log('closed')
})
const map = store.map('map')
for (let at = 0; at < 30_000; at++) map.set(at, { at })
store.once('barrier', () => {
  throw new Error('of a listener')
})
await store.checkpoint()
`

test('a store is closed by who catches what a listener threw (uncaughtException), in the midst of a capture', t => {
  const args = ['--input-type=module', '-e', CAUGHT, temporaryFolder(t)]
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8' })
  assert.deepEqual([stdout, status], ['of a listener\nclosed\n', 0], stderr.slice(-500))
})
