/** The two entropy codings of zstd (RFC 8878, 4), slow and plain: bits are characters. For frames that are put together by hand. */

export interface Counts {
  readonly log: number
  readonly counts: readonly number[]
}

export const times = (count: number, value: number): number[] => new Array<number>(count).fill(value)

/** Of a number in so many bits, the highest first. */
export const bitsOf = (value: number, bits: number): string => (bits === 0 ? '' : value.toString(2).padStart(bits, '0'))

/** A stream that is read from its end on, its bits in that order. */
export function backwards(bits: string): Buffer {
  const whole = `1${bits}`
  const padded = whole.padStart(Math.ceil(whole.length / 8) * 8, '0')
  return Buffer.from((padded.match(/.{8}/g) ?? []).map(byte => Number.parseInt(byte, 2)).reverse())
}

/** One that is read from its begin on: numbers with their bits. */
function forwards(fields: readonly (readonly [value: number, bits: number])[]): Buffer {
  const bits = fields.map(([value, count]) => [...bitsOf(value, count)].reverse().join('')).join('')
  const padded = bits.padEnd(Math.ceil(bits.length / 8) * 8, '0')
  return Buffer.from((padded.match(/.{8}/g) ?? []).map(byte => Number.parseInt([...byte].reverse().join(''), 2)))
}

interface Cell {
  readonly symbol: number
  readonly bits: number
  readonly base: number
}

export class Table {
  readonly log: number
  readonly #cells: Cell[]

  constructor(log: number, cells: Cell[]) {
    this.log = log
    this.#cells = cells
  }

  static ofCounts(counts: readonly number[], log: number): Table {
    const size = 2 ** log
    const symbols = new Array<number>(size)
    let high = size
    for (const [symbol, count] of counts.entries()) if (count === -1) symbols[--high] = symbol
    let at = 0
    for (const [symbol, count] of counts.entries()) {
      for (let one = 0; one < count; one++) {
        symbols[at] = symbol
        do at = (at + size / 2 + size / 8 + 3) % size
        while (at >= high)
      }
    }
    const next = counts.map(Math.abs)
    return new Table(
      log,
      symbols.map(symbol => {
        const state = next[symbol] as number
        next[symbol] = state + 1
        const bits = log - Math.floor(Math.log2(state))
        return { symbol, bits, base: state * 2 ** bits - size }
      }),
    )
  }

  has(symbol: number): boolean {
    return this.#cells.some(cell => cell.symbol === symbol)
  }

  /** The bits of the first state, and what is read behind each symbol but the last. */
  encode(symbols: readonly number[]): { first: string; steps: string[] } {
    let state = this.#cells.findIndex(cell => cell.symbol === symbols.at(-1))
    const steps: string[] = []
    for (const symbol of symbols.slice(0, -1).reverse()) {
      const next = state
      state = this.#cells.findIndex(cell => cell.symbol === symbol && cell.base <= next && next < cell.base + 2 ** cell.bits)
      const { bits, base } = this.#cells[state] as Cell
      steps.push(bitsOf(next - base, bits))
    }
    return { first: bitsOf(state, this.log), steps: steps.reverse() }
  }
}

/** Counts that give each symbol of these a state at least; those that come once are of the kind that takes few bits. */
export function countsOf(symbols: readonly number[], log: number): number[] {
  const counts = times(Math.max(...symbols) + 1, 0)
  for (const symbol of symbols) counts[symbol] = (counts[symbol] as number) + 1
  const scaled = counts.map(count => (count === 0 ? 0 : Math.max(1, Math.floor((count * 2 ** log) / symbols.length / 2))))
  const most = scaled.indexOf(Math.max(...scaled))
  scaled[most] = (scaled[most] as number) + 2 ** log - scaled.reduce((sum, one) => sum + one)
  return scaled.map((count, symbol) => (count === 1 && symbol % 2 === 0 ? -1 : count))
}

export function describe(counts: readonly number[], log: number): Buffer {
  const fields: [number, number][] = [[log - 5, 4]]
  let left = 2 ** log
  for (let symbol = 0; left > 0; symbol++) {
    const count = counts[symbol] as number
    const bits = Math.floor(Math.log2(left + 1)) + 1
    const short = 2 ** bits - 2 - left
    const value = count + 1
    if (value < short) fields.push([value, bits - 1])
    else fields.push([value < 2 ** (bits - 1) ? value : value + short, bits])
    left -= Math.abs(count)
    if (count !== 0) continue
    let zeros = 0
    while (counts[symbol + 1 + zeros] === 0) zeros++
    symbol += zeros
    for (; zeros >= 3; zeros -= 3) fields.push([3, 2])
    fields.push([zeros, 2])
  }
  return forwards(fields)
}

/** How long the code of each symbol is, by its index; the longest ones up to 11. */
function lengthsOf(symbols: readonly number[]): number[] {
  const leaves = [0]
  // The first is cut again and again, as long as it may be: codes of all lengths.
  while (leaves.length < symbols.length) {
    const room = Math.ceil(Math.log2(symbols.length - leaves.length + 1))
    const at = leaves.findIndex(length => length + room <= 11)
    const length = (leaves[at] as number) + 1
    leaves.splice(at, 1, length, length)
  }
  const lengths = times(Math.max(...symbols) + 1, 0)
  for (const [at, symbol] of symbols.entries()) lengths[symbol] = leaves[at] as number
  return lengths
}

export interface Tree {
  readonly description: Buffer
  readonly codes: ReadonlyMap<number, string>
}

/** With its weights written plainly, so of symbols below 128, two at least. */
export function treeOf(symbols: readonly number[]): Tree {
  const lengths = lengthsOf(symbols)
  const log = Math.max(...lengths)
  return plainTree(lengths.map(length => (length === 0 ? 0 : log + 1 - length)))
}

/** Of all weights, the last of which is not written. */
export function plainTree(weights: readonly number[]): Tree {
  const named = weights.slice(0, -1)
  const bytes = named.flatMap((weight, at) => (at % 2 === 0 ? [(weight << 4) | (named[at + 1] ?? 0)] : []))
  return { description: Buffer.from([127 + named.length, ...bytes]), codes: codesOf(weights) }
}

/** With its weights coded by the table of these counts, by two states in turn; each step of it takes a bit at least, by which the end is found. */
export function packedTree(weights: readonly number[], { counts, log }: Counts): Tree {
  const named = weights.slice(0, -1)
  const [even, odd] = [0, 1].map(parity => Table.ofCounts(counts, log).encode(named.filter((_, at) => at % 2 === parity)))
  let bits = `${even?.first}${odd?.first}`
  for (let at = 0; at < named.length - 2; at++) bits += (at % 2 === 0 ? even : odd)?.steps[at >> 1]
  const bytes = Buffer.concat([describe(counts, log), backwards(bits)])
  return { description: Buffer.concat([Buffer.from([bytes.length]), bytes]), codes: codesOf(weights) }
}

function codesOf(weights: readonly number[]): ReadonlyMap<number, string> {
  const log = Math.log2(weights.reduce((sum, weight) => sum + (weight === 0 ? 0 : 2 ** (weight - 1)), 0))
  const codes = new Map<number, string>()
  let place = 0
  for (let weight = 1; weight <= log; weight++) {
    for (const [symbol, one] of weights.entries()) {
      if (one !== weight) continue
      codes.set(symbol, bitsOf(place, log).slice(0, log + 1 - weight))
      place += 2 ** (weight - 1)
    }
  }
  return codes
}
