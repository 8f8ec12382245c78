/** Frames at the bounds of the format are decoded; what is one beyond a bound is refused, though all else in it is right. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeZstdBlock, ZSTD_OWN_BYTES_MAX } from '../src/format/index.ts'
import { type Counts, packedTree, plainTree, type Tree } from './support/zstd-codes.ts'
import { assertDecodes, byAddon, filled } from './support/zstd-contents.ts'
import { FrameMaker, type Sequence, type TableMode } from './support/zstd-frames.ts'

const TEXT = Buffer.from('a mark shows how high it stood')
const TABLES = [
  { of: 'literal lengths', symbols: 36, log: 9 },
  { of: 'offsets', symbols: 32, log: 8 },
  { of: 'match lengths', symbols: 53, log: 9 },
] as const
/** Their codes are 0, 2 and 0, which take no further bits but for the offset. */
const SEQUENCES: readonly Sequence[] = [4, 6, 7].map(offset => ({ literals: 0, match: 3, offset }))

function taken(frame: FrameMaker, what: string): void {
  const raw = Buffer.from(frame.content)
  assertDecodes(frame.frame(), raw, what)
  assert.ok(byAddon(frame.frame(), raw.length)?.equals(raw), what)
}

/** `others`: some take it all the same. */
function refused(frame: FrameMaker, what: string, others?: 'others'): void {
  const { length } = frame.content
  assert.equal(decodeZstdBlock(frame.frame(), length), 'damaged', what)
  if (others === undefined) assert.equal(byAddon(frame.frame(), length), undefined, what)
}

/** One of the three tables in this mode, the others predefined. */
function only(at: number, mode: TableMode): [TableMode, TableMode, TableMode] {
  const modes: [TableMode, TableMode, TableMode] = ['predefined', 'predefined', 'predefined']
  modes[at] = mode
  return modes
}

/** Of `symbols` symbols; nearly all states are of the code that SEQUENCES has. */
function countsOf(at: number, symbols: number, log: number): Counts {
  const counts = new Array<number>(symbols).fill(0)
  counts[at === 1 ? 2 : 0] = 2 ** log - 1
  counts[symbols - 1] = 1
  return { counts, log }
}

test('the counts of sequences, around each form of their number', () => {
  for (const count of [1, 127, 128, 255, 256, 0x7eff, 0x7f00, 0x7f01]) {
    const sequences = Array.from({ length: count }, (_, at) => ({ literals: 0, match: 3, offset: 5 + (at % 7) }))
    taken(new FrameMaker().raw(TEXT).packed(Buffer.alloc(0), sequences), `${count} sequences`)
  }
})

for (const [at, { of, symbols, log }] of TABLES.entries()) {
  test(`tables of ${of}: as many symbols and states as there may be, and one more`, () => {
    const described = (counts: Counts): FrameMaker =>
      new FrameMaker().raw(TEXT).packed(TEXT, SEQUENCES, { tables: only(at, 'own'), counts: [counts, counts, counts] })
    taken(described(countsOf(at, symbols, 5)), 'all symbols')
    refused(described(countsOf(at, symbols + 1, 5)), 'one more symbol')
    taken(described(countsOf(at, symbols, log)), 'all states')
    refused(described(countsOf(at, symbols, log + 1)), 'twice as many states')
    // Their counts would go far beyond where they belong: what stands there is as it was.
    refused(described(countsOf(at, 3000, 5)), 'thousands of symbols')
    taken(new FrameMaker().raw(TEXT).packed(TEXT, SEQUENCES, { tables: only(at, 'predefined') }), 'the next frame')
  })
}

test('a single code that is none is refused', () => {
  for (const [at, { of, symbols }] of TABLES.entries()) {
    // Codes of no further bits, and an offset before that is more than 1.
    const frame = new FrameMaker().raw(TEXT).packed(TEXT, SEQUENCES)
    const [head, { length }] = [frame.frame().length, frame.content]
    frame.packed(TEXT, [{ literals: 1, match: 3, offset: 1 }], { tables: only(at, 'rle') })
    taken(frame, of)
    const stored = frame.frame()
    // Behind the header of the block, that of the literals and they themselves: how many sequences there are, and the modes.
    const place = head + 3 + 1 + TEXT.length + 2
    assert.equal(stored[place - 2], 1)
    assert.equal(stored[place], at === 0 ? 1 : 0)
    stored[place] = symbols
    // What stands behind the meaning of the last code gives other lengths.
    for (const raw of [frame.content.length, frame.content.length - 3]) {
      assert.ok(raw > length)
      stored.writeUInt32LE(raw, 6)
      assert.equal(decodeZstdBlock(stored, raw), 'damaged', of)
      assert.equal(byAddon(stored, raw), undefined)
    }
  }
})

test('weights of a Huffman tree up to 11, in a table of up to 64 states', () => {
  // The lightest twice.
  const steps = (most: number): number[] => [1, ...Array.from({ length: most }, (_, at) => at + 1)]
  const alone = (tree: Tree, letters: Uint8Array): FrameMaker => new FrameMaker().packed(letters, [], { literals: 'huffman', tree })
  const letters = (most: number): Uint8Array => filled(60, at => at % most)
  taken(alone(plainTree([1, 1]), letters(2)), 'one bit each')
  taken(alone(plainTree(steps(11)), letters(12)), 'weights of 1 to 11')
  taken(alone(plainTree(steps(11).reverse()), letters(12)), 'weights of 11 to 1')
  taken(alone(plainTree([1, 1]), letters(2)), 'one bit each')
  // The most frequent alone, whose code is one bit.
  refused(alone(plainTree(steps(12)), new Uint8Array(60).fill(12)), 'weights of 1 to 12', 'others')
  refused(alone(plainTree([2, 2]), letters(2)), 'none of the lightest')
  const odd: Tree = { description: Buffer.from([129, 0x13]), codes: new Map([[0, '000']]) }
  refused(alone(odd, letters(1)), 'weights that a last one makes no power of two')
  const packed = (symbols: number, log: number, weights: readonly number[] = new Array<number>(64).fill(1)): FrameMaker => {
    const counts = new Array<number>(symbols).fill(0)
    counts[0] = 2 ** (log - 1) - 1
    counts[1] = 2 ** (log - 1)
    counts[symbols - 1] = 1
    return alone(packedTree(weights, { counts, log }), letters(64))
  }
  taken(packed(12, 5), 'twelve weights')
  taken(packed(12, 6), '64 states')
  refused(packed(12, 7), '128 states')
  refused(packed(13, 5), 'thirteen weights', 'others')
  // Behind a tree whose first weights are of one, of which nothing may be left.
  const damaged = packedTree([1, 1, 1, 1], { counts: [63, 65], log: 7 })
  taken(alone(plainTree([1, 1, 1, 1]), letters(4)), 'two bits each')
  refused(alone({ ...damaged, codes: new Map([[0, '0']]) }, new Uint8Array(8)), 'no weights')
  // A stream of two bytes.
  const { description, codes } = packedTree([1, 1, 1, 1], { counts: [16, 16], log: 5 })
  const ended = (bytes: readonly number[]): Buffer => {
    const all = [...description.subarray(1, -2), ...bytes]
    return Buffer.from([all.length, ...all])
  }
  taken(alone({ description, codes }, letters(4)), 'four weights')
  refused(alone({ description: ended([...description.subarray(-2), 0]), codes }, letters(4)), 'no bit that ends the weights')
  const last = new Map([[2, '1']])
  for (let byte = 1; byte < 256; byte++)
    refused(alone({ description: ended([byte]), codes: last }, new Uint8Array(8).fill(2)), 'fewer bits than two states')
  const ones = new Array<number>(256).fill(1)
  taken(packed(12, 5, ones), 'weights of all bytes')
  refused(packed(12, 5, [...ones, 9]), 'one more')
})

test('four Huffman streams are of six literals at least, and of a byte each', () => {
  for (let count = 1; count <= 8; count++) {
    const frame = new FrameMaker().packed(TEXT, [], { literals: 'huffman' })
    frame.packed(TEXT.subarray(0, count), [], { literals: 'treeless', fourStreams: true })
    if (count >= 6) taken(frame, `${count} literals`)
    else refused(frame, `${count} literals`, 'others')
  }
  const short = new FrameMaker().packed(
    filled(8, at => at % 2),
    [],
    { literals: 'huffman', tree: plainTree([1, 1]) },
  )
  taken(short, 'two bits each')
})

test('a block takes 128 KiB at most, and gives as much, however large the window is', () => {
  const frames = [0, 1].map(more => new FrameMaker().packed(new Uint8Array(ZSTD_OWN_BYTES_MAX - 4 + more), []))
  const [most, more] = frames as [FrameMaker, FrameMaker]
  for (const window of [0x38, 0x40, 0x80]) {
    assertDecodes(most.frame({ window }), Buffer.from(most.content), 'as much')
    assert.equal(decodeZstdBlock(more.frame({ window }), more.content.length), 'damaged', 'one byte more')
    assert.equal(byAddon(more.frame({ window }), more.content.length), undefined)
  }
  taken(new FrameMaker().packed(new Uint8Array(ZSTD_OWN_BYTES_MAX), [], { literals: 'rle' }), 'one literal repeated')
  const bits = filled(ZSTD_OWN_BYTES_MAX, at => at % 2)
  taken(new FrameMaker().packed(bits, [], { literals: 'huffman', tree: plainTree([1, 1]) }), 'literals of a bit each')
})

test('nothing stands behind the end of a block', () => {
  for (const sequences of [[], SEQUENCES]) {
    const frame = new FrameMaker().raw(TEXT)
    const block = frame.frame().length
    frame.packed(TEXT, sequences)
    taken(frame, 'as it is')
    const { length } = frame.content
    const longer = Buffer.concat([frame.frame(), Buffer.alloc(1)])
    longer.writeUIntLE(longer.readUIntLE(block, 3) + (1 << 3), block, 3)
    assert.equal(decodeZstdBlock(longer, length), 'damaged')
    assert.equal(byAddon(longer, length), undefined)
  }
})

test('a Huffman stream ends with a bit that says so', () => {
  for (const oneStream of [false, true]) {
    const count = oneStream ? 8 : 32
    const frame = new FrameMaker().packed(new Uint8Array(count).fill(1), [], { literals: 'huffman', tree: plainTree([1, 1]), oneStream })
    taken(frame, 'as it is')
    // Eight literals of a bit each, the bit that ends them in a byte of its own, and no sequences.
    const whole = frame.frame()
    assert.deepEqual([...whole.subarray(-3)], [0xff, 1, 0])
    // Without that bit eight bytes might count as read.
    const stored = Buffer.concat([whole.subarray(0, -2), Buffer.alloc(9)])
    stored.writeUIntLE(stored.readUIntLE(10, 3) + (7 << 3), 10, 3)
    stored.writeUIntLE(stored.readUIntLE(13, 3) + (7 << 14), 13, 3)
    assert.equal(decodeZstdBlock(stored, count), 'damaged')
  }
})

test('what three codes and the next three states take is read, however much it is', () => {
  const rare = (log: number, often: number, seldom: number): Counts => {
    const counts = new Array<number>(seldom + 1).fill(0)
    counts[often] = 2 ** log - 1
    counts[seldom] = -1
    return { counts, log }
  }
  // The code of literals, their least number and its bits: 31 to 40 bits beside the codes, and 26 for the states.
  for (const [code, literals] of [
    [10, 10],
    [16, 16],
    [20, 24],
    [22, 32],
    [24, 48],
    [25, 64],
    [26, 128],
    [27, 256],
    [28, 512],
  ] as const) {
    const counts = [rare(9, 1, code), rare(8, 2, 16), rare(9, 1, 51)]
    const short = Array.from({ length: 9 }, () => ({ literals: 1, match: 4, offset: 4 }))
    for (let before = 0; before < 8; before++) {
      const long = { literals, match: 32_771 + 12_345, offset: 65_536 + 2345 }
      const sequences = [...short.slice(0, before), long, ...short]
      const frame = new FrameMaker().repeated(9, 68_000).packed(
        filled(literals + 20, at => at % 253),
        sequences,
        { counts },
      )
      assertDecodes(frame.frame(), Buffer.from(frame.content), `${literals} literals behind ${before}`)
      if (before === 0) taken(frame, `${literals} literals`)
    }
  }
})
