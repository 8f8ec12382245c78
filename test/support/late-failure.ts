/** Loaded before a program that uses a store: one of its checkpoints, told by number in LATE_FAILURE, fails when the program has long gone on. */
import { isMainThread } from 'node:worker_threads'
import { open } from 'tidemark'

const LATE_MS = 1500

if (isMainThread) {
  const store = await open(':memory:')
  const prototype = Object.getPrototypeOf(store) as typeof store
  const { checkpoint } = prototype
  await store.close()
  let called = 0
  prototype.checkpoint = function (options) {
    if (++called !== Number(process.env['LATE_FAILURE'])) return checkpoint.call(this, options)
    return new Promise((_, reject) => setTimeout(reject, LATE_MS, new Error('a checkpoint failed late')))
  }
}
