import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TidemarkError } from '../base/errors.ts'
import { isErrno } from '../storage/index.ts'
import { fromErrorData, toErrorData } from './error-data.ts'

test('want of memory in the writer is told as such; what else nobody expected as a defect, with its stack', () => {
  for (const error of [new RangeError('Array buffer allocation failed'), Object.assign(new Error('no memory'), { code: 'Z_MEM_ERROR' })]) {
    const told = fromErrorData(structuredClone(toErrorData(error)))
    assert.deepEqual([told.code, told.kind], ['TIDEMARK_STORAGE', 'retry'])
    assert.ok(told.message.includes(error.message) && /memory/.test(told.hint ?? ''), told.message)
    assert.ok(isErrno(told, 'ENOMEM'))
  }
  for (const error of [
    new RangeError('Maximum call stack size exceeded'),
    new RangeError('Invalid array length'),
    new TypeError('of none'),
  ]) {
    const told = fromErrorData(structuredClone(toErrorData(error)))
    assert.equal(told.code, 'TIDEMARK_BUG')
    assert.equal(told.info?.['stack'], error.stack)
  }
})

test('a broken invariant comes out of the thread with the stack that it is to be reported with; of what is no defect none is sent', () => {
  const broken = new TidemarkError('TIDEMARK_BUG', 'invariant broken: order', { info: { at: 1 } })
  const told = fromErrorData(structuredClone(toErrorData(broken)))
  assert.deepEqual(told.info, { at: 1, stack: broken.stack })
  // Told on, as by a writer that tells of what upkeep met.
  assert.equal(fromErrorData(toErrorData(told)).info?.['stack'], broken.stack)
  const full = new TidemarkError('TIDEMARK_STORAGE', 'no space', { info: { errno: -28 } })
  assert.deepEqual(toErrorData(full).info, { errno: -28 })
})
