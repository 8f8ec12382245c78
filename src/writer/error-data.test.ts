import assert from 'node:assert/strict'
import { test } from 'node:test'
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
