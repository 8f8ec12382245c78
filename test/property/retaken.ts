/** A name that is a map now and a cell then, of another class and with the default codec or with one that writes to the store while it encodes. */
import assert from 'node:assert/strict'
import { deserialize, serialize } from 'node:v8'
import { VOIDS_MAX } from '../../src/base/limits.ts'
import type { Codec, Key } from '../../src/codec/index.ts'
import { isUnstorable, read, remove, write } from './entries.ts'
import type { Life } from './life.ts'
import { type Op, RETAKEN } from './program.ts'
import { alter, isThing, makeValue } from './values.ts'

const CELL_KEY = 'value'
/** So many times in a life, lest it never ends. */
const MEDDLES_MAX = 30

export function meddlingCodec(life: Life): Codec {
  let meddles = 0
  let inside = false
  return {
    name: 'meddling',
    encode: value => {
      const { encodes } = life.plan
      if (encodes.length > 0 && !inside && life.begun && !life.closing && meddles++ < MEDDLES_MAX) {
        inside = true
        try {
          const op = encodes[meddles % encodes.length] as Op
          // It does not touch what it encodes, and nothing that a codec does in a slice that is forced moves the cut.
          const tears = op.op === 'set-reference' && op.alter && life.model.copies.filter(({ voided }) => voided).length >= VOIDS_MAX
          if (op.op !== 'taken' && !tears) life.perform(op)
        } catch (error) {
          if (!life.storage.off) life.problems.push(error)
        } finally {
          inside = false
        }
      }
      return serialize(value)
    },
    decode: bytes => deserialize(bytes),
  }
}

export function retake(life: Life, op: Op & { op: 'retake' }): void {
  const was = life.model.collections.get(RETAKEN)
  assert.equal(life.store.delete(RETAKEN), was !== undefined)
  life.objects.emptied(RETAKEN)
  life.model.drop(RETAKEN)
  life.references = life.references.filter(({ name }) => name !== RETAKEN)
  life.coded = op.as % 4 > 1
  life.class = ([undefined, 'rebuildable', 'critical'] as const)[Math.floor(op.as / 4)]
  if (op.as % 2 === 0) life.map(RETAKEN)
  else life.cell(RETAKEN)
  for (let n = 0; n < op.count; n++) put(life, keyOf(life, n), n)
}

export function useTaken(life: Life, { how, k, v }: Op & { op: 'taken' }): void {
  if (!life.model.collections.has(RETAKEN)) return
  const key = keyOf(life, k)
  if (how === 'write') put(life, key, v)
  else if (how === 'mutate') {
    const value = read(life, RETAKEN, key)
    if (!isThing(value) || isUnstorable(life, RETAKEN, key)) return
    alter(value, life.serial++)
    write(life, RETAKEN, key, value)
  } else if (life.isCell(RETAKEN)) return
  else if (how === 'delete') remove(life, RETAKEN, key)
  else {
    life.map(RETAKEN).clear()
    life.objects.emptied(RETAKEN)
    life.model.clear(RETAKEN)
  }
}

function keyOf(life: Life, k: number): Key {
  return life.isCell(RETAKEN) ? CELL_KEY : k % 3 === 0 ? k : `k${k}`
}

function put(life: Life, key: Key, v: number): void {
  write(life, RETAKEN, key, makeValue(v, life.serial++))
}
