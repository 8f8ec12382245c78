import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SimulatedScheduler } from '../testing/index.ts'
import { Answer } from './answer.ts'

test('what cannot be posted for want of memory is posted later, once, unless another takes its place, or it is dropped', async () => {
  const scheduler = new SimulatedScheduler()
  const posted: string[] = []
  let left = 0
  const answer = new Answer<string>(each => {
    if (left-- > 0) throw new RangeError('Array buffer allocation failed')
    posted.push(each)
  }, scheduler)
  for (const [failures, given, expected] of [
    [0, ['at once'], ['at once']],
    [3, ['later'], ['later']],
    [2, ['first', 'second'], ['second']],
    [1, ['dropped', undefined], []],
  ] as const) {
    left = failures
    for (const each of given) {
      if (each === undefined) answer.drop()
      else answer.post(each)
      assert.equal(answer.waits, failures > 0 && each !== undefined)
    }
    await scheduler.run()
    assert.equal(answer.waits, false)
    assert.deepEqual(posted.splice(0), expected)
  }
})

test('what cannot be posted for anything else is thrown, as is all where there is no later', () => {
  const thrown = (message: string) => (): void => {
    throw new DOMException(message, 'DataCloneError')
  }
  const other = new Answer<string>(thrown('() => {} could not be cloned.'), new SimulatedScheduler())
  assert.throws(() => other.post('any'), /could not be cloned/)
  assert.throws(() => new Answer<string>(thrown('out of memory'), undefined).post('any'), /out of memory/)
  assert.equal(other.waits, false)
})
