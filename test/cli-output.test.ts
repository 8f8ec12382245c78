/** What the command line writes to a disk that takes a part of it: never a success; and to a pipe that nobody reads. */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { type Codec, defaultCodec, open } from 'tidemark'
import { entryLine } from '../src/tools/lines.ts'
import { writeAll } from '../src/tools/output.ts'
import { cli, MANUAL, mounts } from './support/cli.ts'
import { temporaryFolder } from './temporary.ts'

test('what a file takes in parts is written whole, and what it refuses is an error', () => {
  const bytes = Buffer.from('0123456789')
  let written = ''
  writeAll(bytes, rest => {
    const some = rest.subarray(0, 3)
    written += String(some)
    return some.length
  })
  assert.equal(written, '0123456789')
  let room = 4
  const full = (rest: Uint8Array): number => {
    if (room === 0) throw new Error('ENOSPC: no space left on device, write')
    const some = Math.min(room, rest.length)
    room -= some
    return some
  }
  assert.throws(() => writeAll(bytes, full), { message: /^the output is cut off: ENOSPC/, status: 1 })
})

test('an export that fills the disk fails', { skip: !mounts && 'nothing can be mounted here' }, async t => {
  const [folder, full] = [temporaryFolder(t), temporaryFolder(t)]
  const store = await open(folder, MANUAL)
  store.map<string>('a').set('key', 'ä'.repeat(40_000))
  await store.close()
  const script = 'mount -t tmpfs -o size=64k none "$0" && exec "$@" > "$0/lines"'
  for (const verb of [
    ['export', folder],
    ['show', folder, 'a', 'key'],
  ]) {
    const { status, stderr } = spawnSync('unshare', ['-m', 'sh', '-c', script, full, process.execPath, cli, ...verb], { encoding: 'utf8' })
    assert.equal(status, 1, stderr)
    assert.match(stderr, /^tidemark: the output is cut off: ENOSPC.*\nhint: /)
  }
})

test('an entry that makes no line is named, and so is what takes it', async () => {
  const tide = await defaultCodec()
  const codec: Codec = {
    ...tide,
    encode: () => {
      throw new RangeError('Cannot create a string longer than 0x1fffffe8 characters')
    },
  }
  const head = { name: 'films', kind: 'map', codec: 'tide1' } as const
  assert.equal(entryLine(codec, head, 'short', 1), '{"collection":"films","kind":"map","key":"short","value":1}\n')
  assert.throws(() => entryLine(codec, head, 'long', new Uint8Array(1)), {
    message: /^the entry 'long' of 'films' cannot be said in a line of JSON: Cannot create a string/,
    hint: /tidemark copy/,
    status: 1,
  })
})

test('a standard error that nobody reads ends nothing', async () => {
  const child = spawn(process.execPath, [cli, 'nothing'], { stdio: ['ignore', 'ignore', 'pipe'] })
  child.stderr.destroy()
  assert.deepEqual(await once(child, 'exit'), [2, null])
})
