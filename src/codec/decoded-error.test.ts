import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { plainTideCodec, tideCodec } from './tide.ts'

setFlagsFromString('--expose-gc')
const gc = runInNewContext('gc') as () => void

/** As part of a block that is larger than it. */
function decoded(error: Error): { readonly value: unknown; readonly block: WeakRef<object> } {
  const encoded = plainTideCodec.encode(error)
  const block = Buffer.allocUnsafeSlow(1 << 20)
  block.set(encoded)
  return { value: tideCodec.decode(block, 0, encoded.length), block: new WeakRef(block.buffer) }
}

test('an error that was decoded keeps nothing of the block it was read from', async () => {
  const before = Error.stackTraceLimit
  const errors = [new Error('x'), new TypeError('x', { cause: 1 }), new AggregateError([new RangeError('x')])].map(decoded)
  for (let tries = 0; tries < 50 && errors.some(({ block }) => block.deref() !== undefined); tries++) {
    await setImmediate()
    gc()
  }
  for (const { value, block } of errors) {
    assert.ok(value instanceof Error)
    assert.ok(block.deref() === undefined)
  }
  assert.equal(Error.stackTraceLimit, before)
})

test('an error is decoded, too, where Error.stackTraceLimit may not be set or is none', () => {
  const before = Object.getOwnPropertyDescriptor(Error, 'stackTraceLimit') as PropertyDescriptor
  const encoded = Buffer.from(plainTideCodec.encode(new RangeError('x')))
  let sets = 0
  const set = (): void => void sets++
  for (const descriptor of [{ ...before, writable: false }, { configurable: true, get: () => 10, set }, undefined]) {
    let value: unknown
    delete (Error as { stackTraceLimit?: number }).stackTraceLimit
    try {
      if (descriptor !== undefined) Object.defineProperty(Error, 'stackTraceLimit', descriptor)
      value = tideCodec.decode(encoded, 0, encoded.length)
    } finally {
      Object.defineProperty(Error, 'stackTraceLimit', before)
    }
    assert.equal((value as Error).message, 'x')
  }
  assert.equal(sets, 0)
})
