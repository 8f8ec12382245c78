/** A damaged frame is refused by our own decoder, or is what the addon takes it for; the next one is decoded. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { decodeZstdBlock, ZSTD_OWN_BYTES_MAX } from '../src/format/index.ts'
import { assertDecodes, byAddon, encodersOf, FILLINGS, type Filling, filled, numbers, sized } from './support/zstd-contents.ts'
import { FrameMaker } from './support/zstd-frames.ts'

const TEXT = Buffer.from('a mark shows how high it stood')

/** Frames that differ in what they are made of, with what they hold. */
function samples(): { readonly stored: Buffer; readonly raw: Buffer }[] {
  const made: { stored: Buffer; raw: Buffer }[] = []
  for (const encode of encodersOf([3]).values()) {
    for (const kind of ['records', 'text', 'four letters', 'short patterns', 'few often, many seldom']) {
      for (const size of [150, 800]) {
        const raw = (FILLINGS[kind] as Filling)(size, numbers(size))
        made.push({ stored: sized(encode(raw), size), raw })
      }
    }
  }
  const frame = new FrameMaker().raw(TEXT).repeated(7, 30)
  const letters = filled(150, at => 64 + ((at * at) % 23))
  const sequences = [5, 2, 9, 1, 3, 14].map(offset => ({ literals: offset, match: offset + 3, offset }))
  frame.packed(letters, sequences, { literals: 'huffman', tables: ['own', 'predefined', 'own'] })
  frame.packed(letters, sequences, { literals: 'treeless', tables: ['repeat', 'repeat', 'repeat'] })
  made.push({ stored: frame.frame(), raw: Buffer.from(frame.content) })
  return made
}

test('a frame that ends early is refused, wherever it ends', () => {
  for (const { stored, raw } of samples()) {
    for (let length = 0; length < stored.length; length++)
      assert.equal(typeof decodeZstdBlock(stored.subarray(0, length), raw.length), 'string')
    assertDecodes(stored, raw, 'the whole one')
    assert.equal(typeof decodeZstdBlock(Buffer.concat([stored, stored.subarray(0, 1)]), raw.length), 'string')
  }
})

test('a damaged frame is refused, or gives what the addon makes of it, and the next one is decoded', () => {
  let accepted = 0
  const judge = (damaged: Buffer, length: number): void => {
    const own = decodeZstdBlock(damaged, length)
    if (typeof own === 'string') return
    accepted++
    assert.ok(byAddon(damaged, length)?.equals(own), damaged.toString('hex'))
  }
  for (const { stored, raw } of samples()) {
    for (let bit = 0; bit < 8 * stored.length; bit++) {
      const damaged = Buffer.from(stored)
      damaged[bit >> 3] = (damaged[bit >> 3] as number) ^ (1 << (bit & 7))
      judge(damaged, raw.length)
    }
    assertDecodes(stored, raw, 'undamaged')
  }
  assert.ok(accepted > 100, 'bits of literals may be any')
  const list = samples()
  const flips = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 })
  fc.assert(
    fc.property(fc.nat(), flips, fc.nat(), (which, places, cut) => {
      const { stored, raw } = list[which % list.length] as (typeof list)[number]
      const damaged = Buffer.from(stored)
      // What tells the most stands at the begin.
      for (const [place, byte] of places) damaged[place % (place % 2 === 0 ? Math.min(60, damaged.length) : damaged.length)] = byte
      judge(cut % 4 === 0 ? damaged.subarray(0, cut % damaged.length) : damaged, raw.length)
    }),
    { numRuns: 2000 },
  )
  for (const { stored, raw } of list) assertDecodes(stored, raw, 'after all of them')
})

test('any bytes behind a header are refused, or give what was named', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), fc.nat(ZSTD_OWN_BYTES_MAX), (bytes, length) => {
      const stored = new FrameMaker().packed(bytes, []).frame()
      stored.set(bytes, 12)
      stored.writeUInt32LE(length, 5)
      const own = decodeZstdBlock(stored, length)
      assert.ok(typeof own === 'string' || own.length === length)
    }),
    { numRuns: 2000 },
  )
})
