import assert from 'node:assert/strict'
import { test } from 'node:test'
import { lostThread } from './thread-host.ts'

test('a thread that could not start for want of something says of what, and which limit is to be raised', () => {
  const failed = (reason: string) =>
    lostThread(Object.assign(new Error(`Worker initialization failure: ${reason}`), { code: 'ERR_WORKER_INIT_FAILED' }))
  assert.match(failed('EMFILE').message, /could not start: .*EMFILE/)
  assert.match(failed('EMFILE').hint ?? '', /ulimit -n/)
  assert.match(failed('ENFILE').hint ?? '', /whole system \(fs\.file-max\)/)
  assert.match(failed('EAGAIN').hint ?? '', /ulimit -u/)
  assert.equal(failed('EMFILE').code, 'TIDEMARK_FAILED')
})

test('of one that was lost later the hint is to open again, and no limit is named', () => {
  const lost = lostThread(new Error('the thread ended with code 1'))
  assert.deepEqual([lost.message, lost.hint], ["the writer's thread was lost: the thread ended with code 1", 'open the store again'])
})
