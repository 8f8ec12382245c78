/**
 * zstd frames put together by hand (RFC 8878), in ways that encoders seldom take: every mode of a table, every form of literals, blocks of each
 * kind. What such a frame holds is put together beside it.
 */
import assert from 'node:assert/strict'
import { backwards, bitsOf, type Counts, countsOf, describe, Table, type Tree, times, treeOf } from './zstd-codes.ts'

/** Literals, then a copy of `match` bytes: `offset` is as the format has it, 1 to 3 the last ones, beyond them 3 more than the distance. */
export interface Sequence {
  readonly literals: number
  readonly match: number
  readonly offset: number
}

/** `own`: described in the block. What a block does not allow gives way to it. */
export type TableMode = 'predefined' | 'rle' | 'own' | 'repeat'
export type LiteralsMode = 'raw' | 'rle' | 'huffman' | 'treeless'

export interface PackedOptions {
  /** Of literal lengths, offsets, match lengths. */
  readonly tables?: readonly [TableMode, TableMode, TableMode]
  readonly literals?: LiteralsMode
  /** A size in so many bytes more than it takes, where there is a form for that. */
  readonly wider?: number
  readonly oneStream?: boolean
  /** However few they are. */
  readonly fourStreams?: boolean
  /** The Huffman tree, and what own tables are described by. */
  readonly tree?: Tree
  readonly counts?: readonly (Counts | undefined)[]
  /** Bits that nobody reads: of sequences, and of a Huffman stream. */
  readonly sparedBits?: { readonly sequences?: string; readonly literals?: string }
  readonly anyOffset?: boolean
  /** Reserved bits of the modes. */
  readonly reserved?: number
}

interface Code {
  readonly bits: readonly number[]
  readonly base: readonly number[]
  readonly logMax: number
  readonly predefined: Counts
}

const follow = (first: number, bits: readonly number[]): number[] =>
  bits.map((_, code) => bits.slice(0, code).reduce((sum, one) => sum + 2 ** one, first))
const LITERALS_BITS = [...times(16, 0), 1, 1, 1, 1, 2, 2, 3, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]
const MATCH_BITS = [...times(32, 0), 1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]
const OFFSET_BITS = Array.from({ length: 32 }, (_, code) => code)
const CODES: readonly Code[] = [
  {
    ...{ bits: LITERALS_BITS, base: follow(0, LITERALS_BITS), logMax: 9 },
    predefined: { log: 6, counts: [4, 3, ...times(11, 2), 1, 1, 1, ...times(9, 2), 3, 2, ...times(5, 1), ...times(4, -1)] },
  },
  {
    ...{ bits: OFFSET_BITS, base: OFFSET_BITS.map(bits => 2 ** bits), logMax: 8 },
    predefined: { log: 5, counts: [...times(6, 1), 2, 2, 2, ...times(15, 1), ...times(5, -1)] },
  },
  {
    ...{ bits: MATCH_BITS, base: follow(3, MATCH_BITS), logMax: 9 },
    predefined: { log: 6, counts: [1, 4, 3, ...times(6, 2), ...times(37, 1), ...times(7, -1)] },
  },
]

const uint = (value: bigint | number, bytes: number): Buffer => {
  const buffer = Buffer.alloc(8)
  buffer.writeBigUInt64LE(BigInt(value))
  return buffer.subarray(0, bytes)
}

export class FrameMaker {
  readonly content: number[] = []
  readonly #blocks: { readonly type: number; readonly size: number; readonly bytes: Buffer }[] = []
  readonly #before: (Table | undefined)[] = [undefined, undefined, undefined]
  #tree: Tree | undefined
  #offsets: [number, number, number] = [1, 4, 8]

  raw(bytes: Uint8Array): this {
    this.#give(bytes)
    this.#blocks.push({ type: 0, size: bytes.length, bytes: Buffer.from(bytes) })
    return this
  }

  repeated(byte: number, count: number): this {
    this.#give(times(count, byte))
    this.#blocks.push({ type: 1, size: count, bytes: Buffer.from([byte]) })
    return this
  }

  /** What is left of the literals behind the sequences stands at the end. Offsets that reach too far become 1 back, but with `anyOffset`. */
  packed(literals: Uint8Array, sequences: readonly Sequence[], options: PackedOptions = {}): this {
    const { content } = this
    const kept: Sequence[] = []
    let used = 0
    for (const wanted of sequences) {
      this.#give(literals.subarray(used, used + wanted.literals))
      used += wanted.literals
      if (content.length === 0) continue
      const distance = this.#distance(wanted)
      const reaches = distance > 0 && distance <= content.length
      const sequence = reaches || options.anyOffset === true ? wanted : { ...wanted, offset: 4 }
      kept.push(sequence)
      const back = this.#distance(sequence)
      this.#turn(sequence, back)
      for (let at = 0; at < sequence.match; at++) content.push(content[content.length - back] ?? 0)
    }
    this.#give(literals.subarray(used))
    const bytes = Buffer.concat([this.#literals(literals, options), this.#sequences(kept, options)])
    this.#blocks.push({ type: 2, size: bytes.length, bytes })
    return this
  }

  #give(bytes: Iterable<number>): void {
    for (const byte of bytes) this.content.push(byte)
  }

  /** Which of the last three offsets is meant, from 0 on; 3: the first less one, or a new one. */
  #place({ offset, literals }: Sequence): number {
    return offset > 3 ? 3 : offset - 1 + (literals === 0 ? 1 : 0)
  }

  #distance(sequence: Sequence): number {
    if (sequence.offset > 3) return sequence.offset - 3
    const [first, second, third] = this.#offsets
    return [first, second, third, first - 1][this.#place(sequence)] as number
  }

  #turn(sequence: Sequence, distance: number): void {
    const [first, second, third] = this.#offsets
    const place = this.#place(sequence)
    if (place > 0) this.#offsets = place === 1 ? [second, first, third] : [distance, first, second]
  }

  #literals(literals: Uint8Array, options: PackedOptions): Buffer {
    const { literals: wanted = 'raw', wider = 0, oneStream = false, fourStreams = false, sparedBits } = options
    const { length } = literals
    const symbols = [...new Set(literals)].sort((a, b) => a - b)
    const tree =
      wanted === 'treeless' && this.#tree !== undefined && symbols.every(one => this.#tree?.codes.has(one)) ? this.#tree : undefined
    const canHuffman = options.tree !== undefined || (symbols.length > 1 && (symbols.at(-1) as number) < 128)
    if (wanted === 'rle' && symbols.length === 1) return Buffer.concat([plainHead(1, length, wider), literals.subarray(0, 1)])
    if (tree === undefined && !((wanted === 'huffman' || wanted === 'treeless') && canHuffman))
      return Buffer.concat([plainHead(0, length, wider), literals])
    this.#tree = tree ?? options.tree ?? treeOf(symbols)
    const { codes, description } = this.#tree
    const stream = (from: number, to: number): Buffer =>
      backwards([...literals.subarray(from, to)].map(byte => codes.get(byte)).join('') + (sparedBits?.literals ?? ''))
    const one = (oneStream && length < 700) || (length < 6 && !fourStreams)
    const share = Math.ceil(length / 4)
    const streams = one ? [stream(0, length)] : [0, 1, 2, 3].map(at => stream(at * share, at === 3 ? length : (at + 1) * share))
    const jumps = one ? [] : streams.slice(0, 3).map(bytes => uint(bytes.length, 2))
    const bytes = Buffer.concat([...(tree === undefined ? [description] : []), ...jumps, ...streams])
    const most = Math.max(length, bytes.length)
    const form = one ? 0 : Math.min(3, (most < 1024 ? 1 : most < 16384 ? 2 : 3) + wider)
    const bits = [10, 10, 14, 18][form] as number
    const head =
      BigInt(tree === undefined ? 2 : 3) | BigInt(form << 2) | (BigInt(length) << 4n) | (BigInt(bytes.length) << BigInt(4 + bits))
    return Buffer.concat([uint(head, [3, 3, 4, 5][form] as number), bytes])
  }

  #sequences(sequences: readonly Sequence[], options: PackedOptions): Buffer {
    const { tables = ['own', 'own', 'own'], counts = [], sparedBits, reserved = 0 } = options
    const { length } = sequences
    if (length === 0) return Buffer.from([0])
    const head = length < 128 ? [length] : length < 0x7f00 ? [(length >> 8) + 128, length & 255] : [255, ...uint(length - 0x7f00, 2)]
    const values = [sequences.map(one => one.literals), sequences.map(one => one.offset), sequences.map(one => one.match)]
    const parts = values.map((list, at) => this.#coded(list, at, tables[at] as TableMode, counts[at]))
    const [l, o, m] = parts as [Coded, Coded, Coded]
    const modes = (l.mode << 6) | (o.mode << 4) | (m.mode << 2) | reserved
    let bits = l.first + o.first + m.first
    for (let at = 0; at < length; at++) {
      bits += (o.extra[at] as string) + m.extra[at] + l.extra[at]
      if (at < length - 1) bits += (l.steps[at] as string) + m.steps[at] + o.steps[at]
    }
    const stream = backwards(bits + (sparedBits?.sequences ?? ''))
    return Buffer.concat([Buffer.from([...head, modes]), l.description, o.description, m.description, stream])
  }

  #coded(values: readonly number[], at: number, wanted: TableMode, own: Counts | undefined): Coded {
    const { bits, base, logMax, predefined } = CODES[at] as Code
    const codes = values.map(value => base.findLastIndex(one => one <= value))
    const extra = values.map((value, one) => bitsOf(value - (base[codes[one] as number] as number), bits[codes[one] as number] as number))
    const before = this.#before[at]
    let description: Buffer = Buffer.alloc(0)
    let mode = 3
    let table = before
    if (wanted !== 'repeat' || table === undefined || !codes.every(code => table?.has(code))) {
      const known = Table.ofCounts(predefined.counts, predefined.log)
      if (wanted === 'rle' && new Set(codes).size === 1) {
        mode = 1
        table = new Table(0, [{ symbol: codes[0] as number, bits: 0, base: 0 }])
        description = Buffer.from([codes[0] as number])
      } else if (wanted === 'predefined' && codes.every(code => known.has(code))) {
        mode = 0
        table = known
      } else {
        mode = 2
        const log = own?.log ?? Math.min(logMax, Math.max(5 + (codes.length % 5), Math.ceil(Math.log2(2 * new Set(codes).size))))
        const counts = own?.counts ?? countsOf(codes, log)
        table = Table.ofCounts(counts, log)
        description = describe(counts, log)
      }
    }
    this.#before[at] = table
    return { mode, description, extra, ...(table as Table).encode(codes) }
  }

  /** `window`: its descriptor, of 128 KiB if not said; null: the frame is a single segment, and no block larger than it. */
  frame({ window = 0x38, sizeBytes = 4, flags = 0 }: { window?: number | null; sizeBytes?: 1 | 2 | 4 | 8; flags?: number } = {}): Buffer {
    const { length } = this.content
    const form = [1, 2, 4, 8].indexOf(sizeBytes)
    assert.ok(sizeBytes !== 1 || (length < 256 && window === null))
    const head = [0x28, 0xb5, 0x2f, 0xfd, (form << 6) | (window === null ? 0x20 : 0) | flags, ...(window === null ? [] : [window])]
    const blocks = this.#blocks.flatMap(({ type, size, bytes }, at) => [
      uint((size << 3) | (type << 1) | (at === this.#blocks.length - 1 ? 1 : 0), 3),
      bytes,
    ])
    return Buffer.concat([Buffer.from(head), uint(sizeBytes === 2 ? length - 256 : length, sizeBytes), ...blocks])
  }
}

interface Coded {
  readonly mode: number
  readonly description: Buffer
  readonly extra: readonly string[]
  readonly first: string
  readonly steps: readonly string[]
}

function plainHead(kind: number, length: number, wider: number): Buffer {
  const bytes = Math.min(3, (length < 32 ? 1 : length < 4096 ? 2 : 3) + wider)
  if (bytes === 1) return Buffer.from([(length << 3) | kind])
  return uint((length << 4) | (bytes === 2 ? 4 : 12) | kind, bytes)
}
