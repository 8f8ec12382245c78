/** A codec of the user that writes to its own collection while it encodes: in the drain and in the capture, refusing the value or not. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Collection } from '../src/capture/collection.ts'
import { tideCodec, type ValueCodec } from '../src/codec/index.ts'
import { numbered, Rig } from './support/capture-rig.ts'

/** Runs `meddle` once, when the value 'x' is encoded; then refuses it, where it should. */
function meddling(meddle: () => void, refuses: boolean): ValueCodec {
  let met = 0
  return {
    name: 'meddling',
    encodeInto(writer, value) {
      if (value === 'x' && met++ === 0) {
        meddle()
        if (refuses) throw new Error('not now')
      }
      tideCodec.encodeInto(writer, value)
    },
    decode: tideCodec.decode,
  }
}

const WAYS = [
  ['deletes it', (map: Collection) => map.delete('new')],
  [
    'deletes it and sets it again',
    (map: Collection) => {
      map.delete('new')
      map.set('new', 'y')
    },
  ],
  ['sets it', (map: Collection) => map.set('new', 'y')],
  ['clears', (map: Collection) => map.clear()],
  [
    'clears and sets it',
    (map: Collection) => {
      map.clear()
      map.set('new', 'y')
    },
  ],
] as const

for (const [what, meddle] of WAYS) {
  for (const refuses of [false, true]) {
    for (const when of ['drained', 'drained, set twice', 'drained, emptied before', 'captured', 'captured, stored before'] as const) {
      test(`a codec that ${what} while an entry is encoded (${when})${refuses ? ', and refuses it' : ''}`, () => {
        for (const lost of [false, true]) {
          const rig = new Rig()
          const map: Collection = rig.collection(
            numbered(3),
            meddling(() => meddle(map), refuses),
          )
          if (when === 'captured, stored before') map.set('new', 'v')
          rig.checkpoint()
          if (when === 'drained, set twice') map.set('new', 'w')
          if (when === 'drained, emptied before') map.clear()
          map.set('new', 'x')
          if (when.startsWith('drained')) rig.pass(1000)
          rig.cut()
          if (lost) {
            rig.slice()
            rig.fail()
            rig.checkpoint()
          } else rig.commit()
          // What the codec did in the capture belongs to the next epoch.
          rig.checkpoint()
          rig.check(map)
          map.set('k9', 1)
          map.delete('new')
          rig.checkpoint()
          rig.check(map)
          assert.equal(map.has('new'), false)
          map.set('new', 'again')
          map.delete('k9')
          rig.checkpoint()
          rig.check(map)
        }
      })
    }
  }
}
