/**
 * The verb that tells what a collection holds: show. Owns no state; safe beside a living writer.
 * Invariants: only what is asked for is made, and no more of it at once than an entry; nothing of a value is left out.
 */
import buffer from 'node:buffer'
import { inspect } from 'node:util'
import { type Codec, defaultCodec, type Key } from 'tidemark'
import { says } from './numbers.ts'
import { writePieces } from './output.ts'
import { CELL, Contents, type Entries, reading } from './stores.ts'
import { epochOf, UsageError, type Verb } from './usage.ts'
import { say } from './values.ts'

const KEYS_SHOWN = 100
/** Said at once of a value that is bytes. */
const PIECE_BYTES = 16_384
/** Levels of a value that `inspect` goes down: beyond some hundreds more the stack may end, and it leaves out the rest without an error. */
const LEVELS_MAX = 200
/** What Node.js, of one release or another, writes in the style of what is left out, beside contents that are all there. */
const LABELS = new Set(['[Uint8Contents]', 'byteLength', 'byteOffset', 'buffer'])

export const keyText = (key: Key): string => (typeof key === 'string' ? JSON.stringify(key) : inspect(key))

export const show: Verb = {
  usage: 'show <dir> <collection> [key] [--at EPOCH] [--all] [--json]',
  what: `an entry, or the keys (the first ${KEYS_SHOWN}; --all for all)`,
  positionals: [2, 3],
  options: { at: { type: 'string' }, all: { type: 'boolean' } },
  run: async ({ positionals: [directory, name, typed], flags }) => {
    const codec = await defaultCodec()
    await reading(directory as string, epochOf(flags['at']), store => {
      const entries = new Contents(store).entriesOf(name as string)
      return writePieces(shown(entries, codec, { typed, all: flags['all'] === true, json: flags['json'] === true }))
    })
    return undefined
  },
}

/** What is asked for: of the key that was typed, or else of all of them. */
export interface Asked {
  readonly typed?: string | undefined
  readonly all: boolean
  readonly json: boolean
}

/** The output. @throws UsageError when there is no such entry, or no text takes it */
export function shown(entries: Entries, codec: Codec, { typed, all, json }: Asked): Iterable<string> {
  if (typed === undefined && entries.kind === 'map') {
    const most = all ? Number.POSITIVE_INFINITY : KEYS_SHOWN
    return json ? keysJson(entries, codec, most) : keysText(entries, most)
  }
  const key = typed === undefined ? CELL : keyIn(entries, typed)
  if (!entries.has(key)) throw new UsageError(`'${entries.name}' holds no value`, 'it was never set, or not yet at this epoch', 1)
  const value = entries.get(key)
  if (!json) return valueText(value)
  const { name, kind } = entries
  const said = (): string =>
    JSON.stringify({ collection: name, kind, codec: entries.codec, key: say(codec, key), value: say(codec, value) })
  return [fits('JSON', said), '\n']
}

function* keysText({ size, keys }: Entries, most: number): Generator<string> {
  let count = 0
  for (const key of keys()) {
    if (count >= most) break
    count++
    yield `${keyText(key)}\n`
  }
  if (size > count) yield `and ${size - count} more: --all\n`
}

/** As JSON.stringify would write it, were the keys in a list. */
function* keysJson({ name, kind, codec: own, size, keys }: Entries, codec: Codec, most: number): Generator<string> {
  yield `${JSON.stringify({ collection: name, kind, codec: own, entries: size }).slice(0, -1)},"keys":[`
  let count = 0
  for (const key of keys()) {
    if (count >= most) break
    yield `${count === 0 ? '' : ','}${JSON.stringify(say(codec, key))}`
    count++
  }
  yield ']}\n'
}

function* valueText(value: unknown): Generator<string> {
  if (value instanceof Uint8Array) yield* bytesText(value)
  else yield fits('text', () => inspectWhole(value))
  yield '\n'
}

function* bytesText(bytes: Uint8Array): Generator<string> {
  yield Buffer.isBuffer(bytes) ? '<Buffer ' : `Uint8Array(${bytes.length}) <`
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
    const piece = Buffer.from(bytes.subarray(at, at + PIECE_BYTES))
      .toString('hex')
      .replace(/../g, ' $&')
    yield at === 0 ? piece.slice(1) : piece
  }
  yield '>'
}

/**
 * Of a Buffer inside a value Node.js shows the beginning, unless it is told otherwise for all there are. What stands for something that is left out has
 * a style of its own, which no text in the value has; only the labels of an ArrayBuffer and of a DataView have it, too.
 */
function inspectWhole(value: unknown): string {
  const most = buffer.INSPECT_MAX_BYTES
  let whole = true
  const stylize = (text: string, style: string): string => {
    if (style === 'special' && !LABELS.has(text)) whole = false
    return text
  }
  const options = { depth: LEVELS_MAX, maxArrayLength: null, maxStringLength: null, stylize }
  buffer.INSPECT_MAX_BYTES = Number.POSITIVE_INFINITY
  try {
    const text = inspect(value, options)
    if (whole) return text
  } finally {
    buffer.INSPECT_MAX_BYTES = most
  }
  throw new UsageError(`the value is nested too deep to be shown as text: over ${LEVELS_MAX} levels`, '--json shows all of it', 1)
}

/** @throws UsageError where it is longer than a text can be */
function fits(as: string, said: () => string): string {
  try {
    return said()
  } catch (error) {
    if (error instanceof UsageError) throw error
    throw new UsageError(
      `the value cannot be shown as ${as}: ${(error as Error).message}`,
      'tidemark copy takes a store elsewhere whatever it holds',
      1,
    )
  }
}

/** Whether the digits of base 16, 8 or 2 in `typed` say this very number. */
function isOfBase(typed: string, number: number): boolean {
  return /^0[xob]/i.test(typed) && Number.isFinite(number) && BigInt(typed) === BigInt(number)
}

/** What was typed as the key it may be: a string first, then a number, then a bigint. @throws UsageError when none is there */
function keyIn(entries: Entries, typed: string): Key {
  const candidates: Key[] = [typed]
  const number = Number(typed)
  const digits = /^(-?\d+)n?$/.exec(typed)?.[1]
  // Of so many digits the number may be that of others too, or none.
  const isOther = digits === typed && !(Number.isFinite(number) && BigInt(number) === BigInt(digits))
  const isSaid = typed === String(number) || (typed.trim() !== '' && (says(typed.trim(), number) || isOfBase(typed.trim(), number)))
  if (isSaid && !isOther) candidates.push(number)
  if (digits !== undefined) candidates.push(BigInt(digits))
  const key = candidates.find(candidate => entries.has(candidate))
  if (key === undefined) throw new UsageError(`'${entries.name}' has no key ${typed}`, 'tidemark show <dir> <collection> lists the keys', 1)
  return key
}
