/** An update whose function does more than change its value: all that may be done anywhere, to the same key and collection too. */
import assert from 'node:assert/strict'
import { hasCode } from '../../src/base/errors.ts'
import type { Key } from '../../src/codec/index.ts'
import { INTENDED, isUnstorable, read } from './entries.ts'
import type { Life } from './life.ts'
import type { Op } from './program.ts'
import { alter, isThing, makeValue } from './values.ts'

export function updateWithin(life: Life, op: Op & { op: 'within' }, name: string, key: Key): void {
  const map = life.map(name)
  const collection = life.model.collections.get(name)
  const before = read(life, name, key)
  const replaces = op.how === 'new' || !isThing(before) || isUnstorable(life, name, key)
  let made: unknown
  let keeps = false
  const run = (): unknown =>
    map.update(key, () => {
      for (const one of op.ops) life.perform(one)
      if (replaces && op.how !== 'throw') {
        made = makeValue(op.k, life.serial++) ?? 1
        return made
      }
      // What its function put in its place, or took away, stands.
      keeps = !replaces && life.model.collections.get(name) === collection && life.objects.has(name, key, before as object)
      if (keeps && isThing(before)) alter(before, life.serial++)
      if (op.how === 'throw') throw INTENDED
      return undefined
    })
  try {
    run()
    assert.notEqual(op.how, 'throw')
  } catch (error) {
    // Where its function dropped the collection nothing can be stored any more.
    const isDropped = hasCode(error, 'TIDEMARK_CLOSED') && life.model.collections.get(name) !== collection
    if (op.how === 'throw') assert.equal(error, INTENDED)
    else if (!isDropped) throw error
    else return
  }
  if (replaces && op.how !== 'throw') {
    life.objects.written(name, key, made)
    life.model.set(name, key, made)
  } else if (keeps) {
    life.objects.written(name, key, before)
    life.model.set(name, key, before)
  }
}

export function insertWithin(life: Life, op: Op & { op: 'insert' }, name: string, key: Key): void {
  const map = life.map(name)
  const isThere = life.model.collections.get(name)?.entries.has(key) === true
  const value = makeValue(op.v, life.serial++)
  const got =
    op.ops.length === 0
      ? map.getOrInsert(key, value)
      : map.getOrInsertComputed(key, () => {
          assert.ok(!isThere, 'it is asked for what is absent alone')
          for (const one of op.ops) life.perform(one)
          return value
        })
  if (isThere) {
    life.given(name, key, got)
    return
  }
  assert.equal(got, value)
  life.objects.written(name, key, value)
  life.model.set(name, key, value)
}
