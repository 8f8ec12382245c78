/** Frames of all that the format allows and encoders seldom make, put together by hand, and of what it does not allow. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { decodeZstdBlock, ZSTD_OWN_BYTES_MAX, ZSTD_OWN_STORED_BYTES_MAX } from '../src/format/index.ts'
import { assertDecodes, byAddon, filled, numbers } from './support/zstd-contents.ts'
import { FrameMaker, type LiteralsMode, type PackedOptions, type Sequence, type TableMode } from './support/zstd-frames.ts'

const TEXT = Buffer.from('a mark shows how high it stood')

interface Wish {
  readonly kind: number
  readonly seed: number
  readonly sequences: number
  readonly literals: LiteralsMode
  readonly tables: readonly [TableMode, TableMode, TableMode]
  readonly wider: number
  readonly oneStream: boolean
}

/** A length: mostly short, now and then one of any code. */
const anyLength = (next: (below: number) => number, most: number): number =>
  next(20) === 0 ? next(Math.min(most, 2 ** next(17)) + 1) : next(Math.min(most, 20) + 1)

/** As they are wished for, as far as the content does not become too large. */
function framed(wishes: readonly Wish[]): FrameMaker {
  const frame = new FrameMaker()
  for (const { kind, seed, sequences: count, ...rest } of wishes) {
    const next = numbers(seed)
    const room = ZSTD_OWN_BYTES_MAX - frame.content.length
    if (kind === 0) frame.raw(filled(Math.min(room, next(500)), () => next(256)))
    else if (kind === 1) frame.repeated(next(256), Math.min(room, anyLength(next, 70_000)))
    else addPacked(frame, next, count, room, rest)
  }
  return frame
}

function addPacked(frame: FrameMaker, next: (below: number) => number, count: number, room: number, options: PackedOptions): void {
  const [literalsAreOne, offsetsAreOne, matchesAreOne] = (options.tables ?? []).map(mode => mode === 'rle' && next(3) > 0)
  const one = { literals: next(20), offset: next(4) + 1, match: 3 + next(30) }
  const sequences: Sequence[] = []
  let given = 0
  let used = 0
  for (let at = 0; at < count; at++) {
    const literals = literalsAreOne ? one.literals : next(3) === 0 ? 0 : anyLength(next, 65_000)
    const match = matchesAreOne ? one.match : 3 + anyLength(next, 66_000)
    if (given + literals + match > room - 1000) break
    given += literals + match
    used += literals
    const written = frame.content.length + given - match
    const offset = offsetsAreOne
      ? one.offset
      : next(2) === 0
        ? 1 + next(3)
        : 4 + next(Math.max(1, next(2) === 0 ? Math.min(40, written) : written))
    sequences.push({ literals, match, offset })
  }
  const kinds: Partial<Record<LiteralsMode, () => number>> = { raw: () => next(256), rle: () => 7 }
  const letters = 2 + next(60)
  const bytes = filled(used + next(next(9) === 0 ? 1000 : 40), kinds[options.literals ?? 'raw'] ?? (() => 33 + next(1 + next(letters))))
  frame.packed(bytes, sequences, options)
}

const tableMode = fc.constantFrom<TableMode>('predefined', 'rle', 'own', 'repeat')
const wish: fc.Arbitrary<Wish> = fc.record({
  kind: fc.constantFrom(0, 1, 2, 2, 2, 2, 2),
  seed: fc.nat(),
  sequences: fc.oneof(fc.nat(10), fc.nat(400)),
  literals: fc.constantFrom<LiteralsMode>('raw', 'rle', 'huffman', 'treeless', 'treeless'),
  tables: fc.tuple(tableMode, tableMode, tableMode),
  wider: fc.nat(2),
  oneStream: fc.boolean(),
})

test('frames put together by hand, of all that encoders seldom make, are decoded, and are what the addon takes them for', () => {
  const header = fc.constantFrom({}, { sizeBytes: 8 as const }, { window: null }, { window: 0x87, sizeBytes: 8 as const })
  fc.assert(
    fc.property(fc.array(wish, { minLength: 1, maxLength: 7 }), header, (wishes, options) => {
      const frame = framed(wishes)
      const raw = Buffer.from(frame.content)
      const stored = frame.frame(options)
      // Codes of 11 bits for what is there most often make a frame larger than its content.
      if (raw.length > ZSTD_OWN_BYTES_MAX || stored.length > ZSTD_OWN_STORED_BYTES_MAX)
        return assert.equal(decodeZstdBlock(stored, raw.length), 'other')
      const byOther = byAddon(stored, raw.length)
      // Blocks that are larger than they may be, or too many of them.
      if (byOther === undefined) return assert.equal(typeof decodeZstdBlock(stored, raw.length), 'string')
      assert.ok(byOther.equals(raw))
      assertDecodes(stored, raw, 'by hand')
    }),
    { numRuns: 120 },
  )
})

test('the last offsets, each of them, with and without literals before, over more than one block', () => {
  for (const literals of [0, 1, 20]) {
    for (const offsets of [
      [1, 2, 3],
      [3, 3, 3],
      [2, 1, 2],
      [1, 1, 3],
      [3, 2, 1],
    ]) {
      for (const tables of [
        ['own', 'own', 'own'],
        ['predefined', 'predefined', 'predefined'],
      ] as const) {
        const sequences = [10, 15, 22, ...offsets, 9, ...offsets].map(offset => ({ literals, match: 4 + (offset % 3), offset }))
        const bytes = filled(20 * 10, at => 64 + (at % 60))
        const frame = new FrameMaker().raw(TEXT)
        frame.packed(bytes, sequences, { tables }).packed(bytes, sequences.slice(3), { tables: ['repeat', 'repeat', 'repeat'] })
        const raw = Buffer.from(frame.content)
        assertDecodes(frame.frame(), raw, `${literals}, ${offsets}`)
        assert.ok(byAddon(frame.frame(), raw.length)?.equals(raw))
      }
    }
  }
})

test('copies of every distance and length around a step, and codes of every length', () => {
  for (let distance = 1; distance <= 40; distance++) {
    for (const match of [3, 4, 7, 8, 15, 16, 17, 31, 32, 33, 48, 63, 64, 65, 100, 511, 512, 513, 1100]) {
      const frame = new FrameMaker().raw(filled(50, at => 3 * at)).packed(TEXT, [{ literals: distance % 30, match, offset: distance + 3 }])
      assertDecodes(frame.frame(), Buffer.from(frame.content), `${match} bytes ${distance} back`)
    }
  }
  for (let bit = 0; bit < 17; bit++) {
    for (const [literals, match, offset] of [
      [Math.min(2 ** bit, 2 ** 16), 3, 1],
      [Math.min(2 ** bit + 15, 2 ** 16), 35, 4],
      [0, 2 ** bit + 3, 7],
      [0, Math.min(2 ** bit + 31, 2 ** 16), 5],
      [2, 4, 2 ** bit + 3],
    ] as const) {
      const frame = new FrameMaker().repeated(9, 2 ** 16).packed(
        filled(literals, at => at % 251),
        [{ literals, match, offset }],
      )
      if (frame.content.length > ZSTD_OWN_BYTES_MAX) continue
      assertDecodes(frame.frame(), Buffer.from(frame.content), `${literals}, ${match}, ${offset}`)
    }
  }
  // All three at once, and three states of symbols that are seldom, take more bits than are read at once.
  const short = Array.from({ length: 13 }, () => ({ literals: 1, match: 4, offset: 4 }))
  for (const at of [0, 1, 6, 12]) {
    const sequences = [...short.slice(0, at), { literals: 33_333, match: 34_567, offset: 65_536 + 2345 }, ...short.slice(at)]
    const frame = new FrameMaker().repeated(9, 60_000).packed(
      filled(33_400, one => one % 253),
      sequences,
    )
    assertDecodes(frame.frame(), Buffer.from(frame.content), `a long one behind ${at}`)
  }
})

test('literals of every size around the forms of their header', () => {
  for (const length of [
    0,
    1,
    5,
    6,
    7,
    31,
    32,
    33,
    255,
    600,
    699,
    1022,
    1023,
    1024,
    4095,
    4096,
    16_383,
    16_384,
    70_000,
    ZSTD_OWN_BYTES_MAX - 30,
  ]) {
    for (const literals of ['raw', 'rle', 'huffman'] as const) {
      for (const [wider, oneStream] of [
        [0, false],
        [1, true],
        [2, false],
      ] as const) {
        const frame = new FrameMaker().packed(TEXT, [], { literals: 'huffman' })
        frame.packed(
          filled(length, at => (literals === 'rle' ? 66 : 65 + ((at * at) % 29))),
          [],
          { literals, wider, oneStream },
        )
        assertDecodes(frame.frame(), Buffer.from(frame.content), `${literals}, ${length}, ${wider}`)
      }
    }
  }
})

test('what is not as the format demands is refused', () => {
  const sequence = { literals: 4, match: 9, offset: 5 }
  const refused = (
    frame: FrameMaker,
    refusal: string,
    header?: Parameters<FrameMaker['frame']>[0],
    length = frame.content.length,
  ): void => {
    assert.equal(decodeZstdBlock(frame.frame(header), length), refusal)
  }
  const plain = (): FrameMaker => new FrameMaker().raw(TEXT).packed(TEXT, [sequence, sequence], { literals: 'huffman' })
  const { content } = plain()
  assertDecodes(plain().frame({ flags: 0x10 }), Buffer.from(content), 'a bit without a meaning')
  for (const flags of [0x01, 0x02, 0x03, 0x04, 0x08]) refused(plain(), 'other', { flags })
  refused(plain(), 'other', { window: 0x88 })
  for (const length of [0, content.length - 1, content.length + 1]) refused(plain(), 'damaged', {}, length)
  refused(plain(), 'other', {}, ZSTD_OWN_BYTES_MAX + 1)
  const large = new FrameMaker().raw(Buffer.alloc(ZSTD_OWN_BYTES_MAX))
  const blocks = Math.ceil((ZSTD_OWN_STORED_BYTES_MAX - ZSTD_OWN_BYTES_MAX) / 3)
  for (let block = 0; block < blocks; block++) large.raw(Buffer.alloc(0))
  refused(large, 'other')
  for (const reserved of [1, 2, 3]) refused(new FrameMaker().raw(TEXT).packed(TEXT, [sequence], { reserved }), 'damaged')
  for (const bit of ['0', '1']) {
    refused(new FrameMaker().raw(TEXT).packed(TEXT, [sequence], { sparedBits: { sequences: bit } }), 'damaged')
    refused(new FrameMaker().packed(TEXT, [], { literals: 'huffman', sparedBits: { literals: bit } }), 'damaged')
    refused(new FrameMaker().packed(TEXT, [], { literals: 'huffman', oneStream: true, sparedBits: { literals: bit } }), 'damaged')
  }
  // One too far back, before anything was written, and none at all.
  const reaching = (offset: number, literals: number): FrameMaker =>
    new FrameMaker().raw(TEXT).packed(TEXT, [{ literals, match: 5, offset }], { anyOffset: true })
  assertDecodes(reaching(TEXT.length + 4 + 3, 4).frame(), Buffer.from(reaching(TEXT.length + 4 + 3, 4).content), 'as far back as there is')
  refused(reaching(TEXT.length + 5 + 3, 4), 'damaged')
  refused(reaching(2 ** 30, 4), 'damaged')
  refused(reaching(3, 0), 'damaged')
  // A window of 1 KiB.
  const within = new FrameMaker().repeated(1, 1023).packed(TEXT.subarray(0, 1), [])
  assertDecodes(within.frame({ window: 0 }), Buffer.from(within.content), 'as large as the window')
  refused(within.raw(TEXT.subarray(0, 1)), 'other', { window: 0 })
  refused(new FrameMaker().packed(TEXT, []), 'damaged', { window: null })
  // Blocks that are not needed: how many there may be is bound (RFC 0003).
  const empty = (count: number): FrameMaker => {
    const frame = new FrameMaker()
    for (let at = 0; at < count; at++) frame.packed(Buffer.alloc(0), [])
    return frame.raw(TEXT)
  }
  assertDecodes(empty(2).frame(), TEXT, 'empty blocks')
  refused(empty(3), 'damaged')
  // Repeated: by the mode of its table, and by its kind of literals, of what there is not.
  const head = new FrameMaker().packed(TEXT, [sequence], { tables: ['predefined', 'predefined', 'predefined'] })
  const block = 10 + 3 + 1 + TEXT.length
  for (const mode of [0x40, 0xc0, 0x10, 0x30, 0x04, 0x0c]) {
    const stored = head.frame()
    assert.equal(stored[block], 1)
    stored[block + 1] = mode
    assert.equal(decodeZstdBlock(stored, head.content.length), 'damaged', `${mode}`)
  }
  const tree = new FrameMaker().packed(TEXT, [], { literals: 'huffman' }).frame()
  assert.equal((tree[13] as number) & 3, 2)
  tree[13] = (tree[13] as number) | 1
  assert.equal(decodeZstdBlock(tree, TEXT.length), 'damaged')
})

/** The second of two blocks, as a frame of its own. */
function secondAlone(stored: Buffer, length: number): Buffer {
  const descriptor = stored[4] as number
  const single = (descriptor & 0x20) !== 0
  const begin = 5 + (single ? 0 : 1) + ([single ? 1 : 0, 2, 4, 8][descriptor >> 6] as number)
  const second = stored.subarray(begin + 3 + (stored.readUIntLE(begin, 3) >> 3))
  const header = Buffer.from([...stored.subarray(0, 4), 0xa0, 0, 0, 0, 0])
  header.writeUInt32LE(length, 5)
  return Buffer.concat([header, second])
}

test('a frame that goes on with the tree or the tables of the one before is refused', () => {
  const letters = filled(200, at => 65 + ((at * at) % 29))
  const sequences = [5, 9, 12, 7].map(offset => ({ literals: 20, match: 4, offset }))
  const tree = new FrameMaker().packed(letters, [], { literals: 'huffman' }).packed(letters, [], { literals: 'treeless' })
  for (const oneStream of [false, true]) {
    const short = letters.subarray(0, 100)
    const frame = new FrameMaker().packed(letters, [], { literals: 'huffman' }).packed(short, [], { literals: 'treeless', oneStream })
    assertDecodes(frame.frame(), Buffer.from(frame.content), 'of one frame')
    const alone = secondAlone(frame.frame(), short.length)
    assert.equal(byAddon(alone, short.length), undefined)
    assert.equal(decodeZstdBlock(alone, short.length), 'damaged')
  }
  assertDecodes(tree.frame(), Buffer.from(tree.content), 'a tree')
  for (const at of [0, 1, 2]) {
    const tables = (mode: TableMode): [TableMode, TableMode, TableMode] => {
      const all: [TableMode, TableMode, TableMode] = ['predefined', 'predefined', 'predefined']
      all[at] = mode
      return all
    }
    for (const mode of ['own', 'predefined'] as const) {
      const frame = new FrameMaker().packed(letters, sequences, { tables: tables(mode) })
      const first = frame.content.length
      frame.packed(letters, sequences, { tables: tables('repeat') })
      const raw = Buffer.from(frame.content)
      assertDecodes(frame.frame(), raw, 'of one frame')
      const alone = secondAlone(frame.frame(), raw.length - first)
      assert.equal(byAddon(alone, raw.length - first), undefined)
      assert.equal(decodeZstdBlock(alone, raw.length - first), 'damaged', `${mode} ${at}`)
    }
  }
})

test('more sequences than two bytes count', () => {
  const count = 33_000
  const frame = new FrameMaker().raw(TEXT).packed(
    Buffer.alloc(0),
    Array.from({ length: count }, (_, at) => ({ literals: 0, match: 3, offset: 5 + (at % 7) })),
  )
  const raw = Buffer.from(frame.content)
  assert.ok(byAddon(frame.frame(), raw.length)?.equals(raw))
  assertDecodes(frame.frame(), raw, `${count} sequences`)
})
