/**
 * The lines of an export: one that begins it, one for each entry and for each collection without entries, one that ends it and says how many
 * entries there were.
 *
 * Does: writes those lines and takes them apart. Owns: the place in what is read, and what is open there. Does not own: the store.
 * Invariants: what began as an export ends as one, or is refused: one that was cut short looks whole up to there. Lines that stand in none, made
 * by hand or by another program, are taken as they are.
 */
import { constants } from 'node:buffer'
import { inspect } from 'node:util'
import type { Codec, Key, TidemarkError } from 'tidemark'
import { misread } from './numbers.ts'
import { CELL, DEFAULT_CODEC, type Entries } from './stores.ts'
import { UsageError } from './usage.ts'
import { say, unsay } from './values.ts'

const VERSION = 1
/** Of a line but those that begin and end an export. */
const FIELDS: ReadonlySet<string> = new Set(['collection', 'kind', 'codec', 'key', 'value'])
/** Characters of a key in a message. */
const KEY_SHOWN = 100
const LINE_END = 10
/** Of the longest text, were each of its characters one of three bytes. */
const LINE_BYTES_MAX = 3 * constants.MAX_STRING_LENGTH
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

type Head = Pick<Entries, 'name' | 'kind' | 'codec'>

export interface Line {
  readonly number: number
  readonly bytes: number
  readonly collection: string
  readonly kind: 'map' | 'value'
  readonly codec: string
  /** Undefined: the collection has no entries. */
  readonly entry: { readonly key: Key; readonly value: unknown } | undefined
}

export const BEGIN_LINE = `${JSON.stringify({ tidemark: VERSION })}\n`

export function endLine(entries: number): string {
  return `${JSON.stringify({ end: { entries } })}\n`
}

/** @throws UsageError naming an entry that makes no line, as one that is longer than a text can be */
export function entryLine(codec: Codec, head: Head, key: Key, value: unknown): string {
  try {
    return `${JSON.stringify({ ...headOf(head), key: say(codec, key), value: say(codec, value) })}\n`
  } catch (error) {
    throw new UsageError(
      `the entry ${inspect(key, { maxStringLength: KEY_SHOWN })} of '${head.name}' cannot be said in a line of JSON: ${(error as Error).message}`,
      'tidemark copy takes a store elsewhere whatever it holds; --collection exports the others one by one',
      1,
    )
  }
}

/** Of a collection without entries. */
export function emptyLine(head: Head): string {
  return `${JSON.stringify(headOf(head))}\n`
}

function headOf({ name, kind, codec }: Head): Record<string, unknown> {
  return { collection: name, kind, ...(codec === DEFAULT_CODEC ? {} : { codec }) }
}

export class LineReader {
  readonly #codec: Codec
  readonly #hint: () => string
  readonly #lineBytesMax: number
  #number = 0
  #empty = true
  /** The export that began and did not end yet. */
  #open: { readonly line: number; entries: number } | undefined

  /** `hint`: of an error. `lineBytesMax`: tests take less. */
  constructor(codec: Codec, hint: () => string, lineBytesMax = LINE_BYTES_MAX) {
    this.#codec = codec
    this.#hint = hint
    this.#lineBytesMax = lineBytesMax
  }

  /** @throws UsageError naming the line, or the export that has no end, or when there is no line at all */
  async *read(input: AsyncIterable<Uint8Array>): AsyncGenerator<Line> {
    const tooLong = (): UsageError => new UsageError(`line ${this.#number + 1} is longer than a text can be`, this.#hint(), 1)
    for await (const bytes of linesOf(input, this.#lineBytesMax, tooLong)) {
      this.#number++
      const line = this.#lineOf(bytes)
      if (line !== undefined) yield line
    }
    const hint = `see what the export said; ${this.#hint()}`
    if (this.#empty) throw new UsageError('the input is empty: not even an export of nothing is', hint, 1)
    if (this.#open !== undefined) throw new UsageError(`${noEnd(this.#open)}: it was cut short`, hint, 1)
  }

  #refuse(why: string): never {
    throw new UsageError(`line ${this.#number} is none of an export: ${why}`, this.#hint(), 1)
  }

  /** Undefined: the line is empty, or begins or ends an export. */
  #lineOf(bytes: Uint8Array): Line | undefined {
    try {
      const text = UTF8.decode(bytes)
      if (text.trim() === '') return undefined
      const line: unknown = JSON.parse(this.#number === 1 ? text.replace(/^\ufeff/, '') : text)
      this.#empty = false
      if (!isObject(line)) return this.#refuse('it is no object')
      if (!('collection' in line)) {
        if ('tidemark' in line) return this.#begin(line['tidemark'])
        if ('end' in line) return this.#end(line['end'])
      }
      const entry = this.#entryOf(line, text, bytes.length)
      if (this.#open !== undefined && entry.entry !== undefined) this.#open.entries++
      return entry
    } catch (error) {
      if (error instanceof UsageError) throw error
      return this.#refuse((error as TidemarkError).message)
    }
  }

  #begin(version: unknown): undefined {
    if (!(Number.isInteger(version) && (version as number) >= VERSION)) this.#refuse('it does not say of which version it is')
    if (version !== VERSION) this.#refuse('it begins one of a later version')
    if (this.#open !== undefined) this.#refuse(noEnd(this.#open))
    this.#open = { line: this.#number, entries: 0 }
  }

  #end(said: unknown): undefined {
    if (this.#open === undefined) return this.#refuse('it ends one that has no beginning')
    const entries = isObject(said) ? said['entries'] : undefined
    if (!(Number.isInteger(entries) && (entries as number) >= 0)) this.#refuse('it does not say how many entries there were')
    if (entries !== this.#open.entries) this.#refuse(`it ends one of ${entries} entries, and ${this.#open.entries} came`)
    this.#open = undefined
  }

  #entryOf(line: Record<string, unknown>, text: string, bytes: number): Line {
    const { collection, kind, codec = DEFAULT_CODEC } = line
    if (typeof collection !== 'string') return this.#refuse('it has no collection')
    // A key that has another name would be left out without a word, and a codec taken for the default one.
    const other = Object.keys(line).find(field => !FIELDS.has(field))
    const named = inspect(other, { maxStringLength: KEY_SHOWN })
    if (other !== undefined) return this.#refuse(`it has a field ${named}, and only ${[...FIELDS].join(', ')} mean anything`)
    if (kind !== 'map' && kind !== 'value') return this.#refuse('its kind is neither map nor value')
    if (typeof codec !== 'string') return this.#refuse('its codec is no name')
    const head = { number: this.#number, bytes, collection, kind, codec } as const
    if (!('key' in line)) return 'value' in line ? this.#refuse('it has a value and no key') : { ...head, entry: undefined }
    const key = unsay(this.#codec, line['key'])
    if (typeof key !== 'string' && typeof key !== 'number' && typeof key !== 'bigint') return this.#refuse('its key is none')
    if (typeof line['key'] === 'number') this.#assertRead(text, line['key'])
    if (kind === 'value' && key !== CELL) return this.#refuse(`the key of a value is '${CELL}'`)
    if (!('value' in line)) return this.#refuse('it has no value')
    const value = unsay(this.#codec, line['value'])
    if (codec !== DEFAULT_CODEC && !(value instanceof Uint8Array)) return this.#refuse('a value of a codec of its own is bytes')
    return { ...head, entry: { key, value } }
  }

  /** Two keys that are read as one would be one entry. */
  #assertRead(text: string, key: number): void {
    const other = misread(text, key)
    if (other === undefined) return
    const { source, exact } = other
    const asBigint = exact === undefined ? '' : `; as a bigint it is ${JSON.stringify(say(this.#codec, exact))}`
    this.#refuse(`the number ${source.slice(0, KEY_SHOWN)} of its key is read as ${key}${asBigint}`)
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

const noEnd = ({ line }: { readonly line: number }): string => `the export that begins at line ${line} has no end`

/** By '\n' alone: text inside JSON may hold every other line end. @throws what `tooLong` gives, before more than `bytesMax` of a line are held */
async function* linesOf(input: AsyncIterable<Uint8Array>, bytesMax: number, tooLong: () => UsageError): AsyncGenerator<Uint8Array> {
  let parts: Uint8Array[] = []
  let held = 0
  for await (const bytes of input) {
    let start = 0
    for (let end = bytes.indexOf(LINE_END); end >= 0; end = bytes.indexOf(LINE_END, start)) {
      parts.push(bytes.subarray(start, end))
      yield parts.length === 1 ? (parts[0] as Uint8Array) : Buffer.concat(parts)
      parts = []
      held = 0
      start = end + 1
    }
    if (start === bytes.length) continue
    held += bytes.length - start
    if (held > bytesMax) throw tooLong()
    parts.push(bytes.subarray(start))
  }
  if (parts.length > 0) yield Buffer.concat(parts)
}
