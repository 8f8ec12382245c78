import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { type Block, Life, readAll } from '../../test/support/log-store.ts'
import { FileStorage } from '../storage/index.ts'
import type { FromWriter } from './contract.ts'
import { ThreadHost } from './thread-host.ts'

const folders: string[] = []
after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

function temporary(): string {
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-'))
  folders.push(folder)
  return folder
}

function threaded(root: string, name: string): Promise<Life> {
  return Life.open({
    storage: new FileStorage(root),
    name,
    host: (manifest, acceptedEnd) => new ThreadHost({ root, facts: { manifest, acceptedEnd, compression: 'zstd' }, fileBytesMax: 20_000 }),
  })
}

test('a writer in a thread commits, rolls, credits what it took, and closes', async () => {
  const root = temporary()
  const expected: unknown[] = []
  for (let life = 0; life < 2; life++) {
    const writer = await threaded(root, `thread ${life}`)
    let posted = 0
    for (let count = 0; count < 6; count++) {
      const blocks: readonly Block[] = Array.from({ length: 4 }, (_, index) => [
        [`${life} ${count} ${index}`, String(Math.random()).repeat(200)],
      ])
      const message = await writer.mustCommit(blocks)
      posted += message.rawBytes
      expected.push({ epoch: message.epoch, blocks })
    }
    await writer.close()
    await writer.close()
    const credited = writer.messages.reduce((sum, message) => sum + (message.type === 'credit' ? message.bytes : 0), 0)
    assert.equal(credited, posted)
  }
  const { epochs, opened } = await readAll(new FileStorage(root))
  assert.deepEqual(epochs, expected)
  assert.ok(opened.manifest.log.length >= 2)
})

test('a thread that dies is reported once, and closing still ends', async () => {
  const root = temporary()
  const manifest = { ...(await threaded(root, 'x')).manifest, log: 'no list' as never }
  const acceptedEnd = { file: null, bytes: 0, epoch: 0, digest: '00'.repeat(32) }
  const host = new ThreadHost({ root, facts: { manifest, acceptedEnd, compression: 'none' } })
  host.keepAlive(true)
  const messages: FromWriter[] = []
  await new Promise<void>(resolve => {
    host.onMessage(message => {
      messages.push(message)
      resolve()
    })
  })
  assert.equal(messages[0]?.type, 'failed')
  assert.equal(messages[0]?.type === 'failed' && messages[0].fatal, true)
  host.post({ type: 'reset', attempt: 2 })
  await host.close()
  assert.equal(messages.length, 1)
})

test('a terminated writer is silent, and its store opens again', async () => {
  const root = temporary()
  const first = await threaded(root, 'first')
  await first.mustCommit([[['a', '1']]])
  first.host.terminate()
  await first.close()
  const second = await threaded(root, 'second')
  assert.equal(second.found.epochs.length, 1)
  await second.mustCommit([[['a', '2']]])
  await second.close()
  assert.equal((await readAll(new FileStorage(root))).epochs.length, 2)
})

test('an idle writer does not keep the process alive', () => {
  const script = `
    import { ThreadHost } from ${JSON.stringify(new URL('./thread-host.js', import.meta.url).href)}
    import { firstManifest } from ${JSON.stringify(new URL('../manifest/index.js', import.meta.url).href)}
    const manifest = firstManifest('aa'.repeat(16), 'bb'.repeat(16), { writer: 'cc'.repeat(16), createdBy: 'test' })
    new ThreadHost({ root: ${JSON.stringify(temporary())}, facts: { manifest, acceptedEnd: { file: null, bytes: 0, epoch: 0, digest: '00'.repeat(32) }, compression: 'none' } })
  `
  const { status, signal, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    timeout: 20_000,
    encoding: 'utf8',
  })
  assert.equal(signal, null, stderr)
  assert.equal(status, 0, stderr)
})
