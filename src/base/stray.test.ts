import assert from 'node:assert/strict'
import { test } from 'node:test'
import { follow, isStray } from './stray.ts'

test('a promise of an async function is followed where the global class of promises is another, as with zone.js', async () => {
  const own = globalThis.Promise
  const failed = new Error('nobody handles it')
  const promises = [0, 1].map(async () => {
    throw failed
  })
  let told: unknown
  // Its `then` takes promises of its own alone.
  globalThis.Promise = class {
    // biome-ignore lint/suspicious/noThenProperty: a promise has one
    then(): never {
      throw new TypeError('this is no promise of ours')
    }
  } as never
  try {
    assert.equal(isStray(promises[0]), true)
    follow(promises[1] as Promise<never>, error => {
      told = error
    })
  } finally {
    globalThis.Promise = own
  }
  // The test would fail by a rejection that nobody handles.
  await new Promise(resolve => setImmediate(resolve))
  assert.equal(told, failed)
})

test('what throws when it is asked for its then is no promise, and keeps what it throws to itself', () => {
  const nothing: unknown = null
  const get = () => {
    throw nothing
  }
  assert.equal(isStray(new Proxy({}, { get })), false)
})
