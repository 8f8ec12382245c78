/** What is done to a single entry, to the store and to the model in step. */
import assert from 'node:assert/strict'
import type { Key } from '../../src/codec/index.ts'
import type { Life } from './life.ts'
import { Unstorable } from './values.ts'

/** What the program throws itself. */
export const INTENDED = new Error('intended')

export function read(life: Life, name: string, key: Key): unknown {
  const value = life.isCell(name) ? life.cell(name).get() : life.map(name).get(key)
  life.given(name, key, value)
  return value
}

export function write(life: Life, name: string, key: Key, value: unknown, models: unknown = value): void {
  const { writing } = life.model
  life.model.writing = { name, key, value }
  try {
    if (life.isCell(name)) life.cell(name).set(value)
    else life.map(name).set(key, value)
  } finally {
    life.model.writing = writing
  }
  life.objects.written(name, key, value)
  life.model.set(name, key, models)
}

export function remove(life: Life, name: string, key: Key): void {
  const there = life.model.collections.get(name)?.entries.has(key) ?? false
  assert.equal(life.map(name).delete(key), there, 'what delete returns')
  if (!there) return
  life.objects.removed(name, key)
  life.model.delete(name, key)
}

export function isUnstorable(life: Life, name: string, key: Key): boolean {
  return life.model.collections.get(name)?.entries.get(key) instanceof Unstorable
}
