/**
 * The verbs that write: restore, copy, import; and export, whose lines import reads.
 * Own no state. Invariants: a copy is whole or no store; nothing is opened for writing before what is asked for is
 * known to be there; no recovery point is dropped but those that a restore gives up; a line of an export is one entry, or a collection without
 * entries.
 */
import { once } from 'node:events'
import { type Codec, copy as copyStore, defaultCodec, hasCode, type Key, open, type Store, type TidemarkError } from 'tidemark'
import { CELL, DEFAULT_CODEC, entriesOf, names, openToRead, reading, setterOf } from './stores.ts'
import { epochOf, UsageError, type Verb } from './usage.ts'
import { say, unsay } from './values.ts'
import { wait } from './wait.ts'

/** Lines imported in one transaction, and bytes of them beyond which it ends. */
const BATCH_LINES = 1000
const BATCH_BYTES = 1024 * 1024
/** Bytes imported until what came is made durable: what is not cannot leave the memory. */
const DURABLE_BYTES = 8 * 1024 * 1024
/** What an import holds of the store. */
const MEMORY_BYTES_MAX = 64 * 1024 * 1024
/** Of waiting until it holds no more than that. */
const ROOM_MS_MAX = 30_000
const LOOK_MS = 20
/** Characters written to the output at once. */
const CHUNK_CHARACTERS = 65_536
/** A checkpoint of all that was read may take long. */
const TIMEOUT_MS = 3_600_000
/** What the service keeps is known to the service alone: the oldest fold point stays, whatever its age, and with it all of the log behind it. */
const RETENTION = { keepLast: 1, keepMs: Number.MAX_SAFE_INTEGER }

const LINE_END = 10
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

export const restore: Verb = {
  usage: 'restore <dir> --to EPOCH [--json]',
  what: 'makes the store go on from an earlier epoch; what came after it is given up',
  positionals: [1, 1],
  options: { to: { type: 'string' } },
  run: async ({ positionals: [directory], flags }) => {
    const epoch = epochOf(flags['to'])
    if (epoch === undefined) throw new UsageError('restore needs --to EPOCH', 'tidemark log <dir> lists the epochs')
    // An opening for writing makes a store where none is, and takes one over.
    await reading(directory as string, epoch, () => {})
    const store = await open(directory as string, {
      restore: { at: epoch, hydrate: 'on-demand' },
      checkpoint: { intervalMs: 0 },
      retention: RETENTION,
    })
    await store.close()
    return { json: { epoch }, text: [`the store goes on from epoch ${epoch}`] }
  },
}

export const copy: Verb = {
  usage: 'copy <dir> <target> [--json]',
  what: 'copies the newest recovery point into a new store; the target is missing or empty',
  positionals: [2, 2],
  run: async ({ positionals: [directory, target] }) => {
    await refuseUsed(target as string)
    const { epoch, entries, files, bytes } = await copyStore(directory as string, target as string)
    return { json: { epoch, entries, files, bytes, target }, text: [`${entries} entries of epoch ${epoch} are in ${target}`] }
  },
}

async function refuseUsed(target: string): Promise<void> {
  let store: Store
  try {
    store = await openToRead(target)
  } catch (error) {
    // Whatever else is there, the copy itself refuses.
    if (hasCode(error, 'TIDEMARK_NO_STORE') || hasCode(error, 'TIDEMARK_DIRECTORY')) return
    throw error
  }
  const { epoch } = store.stats().restored
  await store.close()
  throw new UsageError(`${target} holds a store, at epoch ${epoch}`, 'give a directory that is missing or empty', 1)
}

export const exportLines: Verb = {
  usage: 'export <dir> [--collection NAME] [--at EPOCH]',
  what: 'writes a line of JSON for each entry',
  positionals: [1, 1],
  options: { collection: { type: 'string' }, at: { type: 'string' } },
  run: async ({ positionals: [directory], flags }) => {
    const codec = await defaultCodec()
    await reading(directory as string, epochOf(flags['at']), async store => {
      const asked = flags['collection']
      let chunk = ''
      for (const name of asked === undefined ? names(store) : [String(asked)]) {
        const entries = entriesOf(store, name)
        const head = { collection: name, kind: entries.kind, ...(entries.codec === DEFAULT_CODEC ? {} : { codec: entries.codec }) }
        let count = 0
        for (const [key, value] of entries.scan()) {
          chunk += `${JSON.stringify({ ...head, key: say(codec, key), value: say(codec, value) })}\n`
          count++
          if (chunk.length < CHUNK_CHARACTERS) continue
          await write(chunk)
          chunk = ''
        }
        if (count === 0) chunk += `${JSON.stringify(head)}\n`
      }
      await write(chunk)
    })
    return undefined
  },
}

async function write(text: string): Promise<void> {
  if (!process.stdout.write(text)) await once(process.stdout, 'drain')
}

interface Line {
  readonly number: number
  readonly collection: string
  readonly kind: 'map' | 'value'
  readonly codec: string
  /** Undefined: the collection has no entries. */
  readonly entry: { readonly key: Key; readonly value: unknown } | undefined
}

export const importLines: Verb = {
  usage: 'import <dir> [--json]',
  what: 'reads what export wrote from the standard input; makes the store when it is missing',
  positionals: [1, 1],
  run: async ({ positionals: [directory] }) => {
    const codec = await defaultCodec()
    const store = await open(directory as string, {
      budget: { memoryBytesMax: MEMORY_BYTES_MAX },
      restore: { hydrate: 'on-demand' },
      retention: RETENTION,
    })
    let entries = 0
    let lines = 0
    const put = (batch: readonly Line[]): void => {
      store.transaction(() => {
        for (const line of batch) setLine(store, line, entries)
      })
      entries += batch.filter(({ entry }) => entry !== undefined).length
    }
    try {
      let batch: Line[] = []
      let batchBytes = 0
      let waiting = 0
      for await (const bytes of linesOf(process.stdin)) {
        const line = lineOf(codec, bytes, ++lines, entries)
        if (line === undefined) continue
        batch.push(line)
        batchBytes += bytes.length
        if (batch.length < BATCH_LINES && batchBytes < BATCH_BYTES) continue
        put(batch)
        waiting += batchBytes
        batch = []
        batchBytes = 0
        if (waiting < DURABLE_BYTES) continue
        await store.durable({ timeoutMs: TIMEOUT_MS })
        await roomIn(store)
        waiting = 0
      }
      put(batch)
      const { epoch } = await store.checkpoint({ timeoutMs: TIMEOUT_MS })
      return { json: { entries, epoch }, text: [`${entries} entries are durable at epoch ${epoch}`] }
    } finally {
      await store.close({ timeoutMs: TIMEOUT_MS })
    }
  },
}

/** Entries leave the memory when they were folded, which is slower than reading lines; where it fails, waiting is no help. */
async function roomIn(store: Store): Promise<void> {
  const full = (): boolean => (store.stats().memory?.liveBytes ?? 0) > MEMORY_BYTES_MAX
  for (let waited = 0; full() && waited < ROOM_MS_MAX; waited += LOOK_MS) await wait(LOOK_MS)
}

const storedText = (stored: number): string => `the ${stored} entries of the batches before it are stored`

/** @throws UsageError naming the line */
function setLine(store: Store, { number, collection, kind, codec, entry }: Line, stored: number): void {
  try {
    const set = setterOf(store, collection, kind, codec)
    if (entry !== undefined) set(entry.key, entry.value)
  } catch (error) {
    const { kind: by, message, hint } = error as TidemarkError
    if (by !== 'input') throw error
    throw new UsageError(`line ${number} is refused: ${message}`, `${hint}; ${storedText(stored)}`, 1)
  }
}

/** Undefined: the line is empty. @throws UsageError naming the line */
function lineOf(codec: Codec, bytes: Uint8Array, number: number, stored: number): Line | undefined {
  const refuse = (why: string): never => {
    throw new UsageError(`line ${number} is none of an export: ${why}`, storedText(stored), 1)
  }
  try {
    const text = UTF8.decode(bytes)
    if (text.trim() === '') return undefined
    const line = JSON.parse(number === 1 ? text.replace(/^\ufeff/, '') : text) as Record<string, unknown>
    const { collection, kind, codec: name = DEFAULT_CODEC } = line
    if (typeof collection !== 'string') return refuse('it has no collection')
    if (kind !== 'map' && kind !== 'value') return refuse('its kind is neither map nor value')
    if (typeof name !== 'string') return refuse('its codec is no name')
    if (!('key' in line)) return { number, collection, kind, codec: name, entry: undefined }
    const key = unsay(codec, line['key'])
    if (typeof key !== 'string' && typeof key !== 'number' && typeof key !== 'bigint') return refuse('its key is none')
    if (kind === 'value' && key !== CELL) return refuse(`the key of a value is '${CELL}'`)
    if (!('value' in line)) return refuse('it has no value')
    const value = unsay(codec, line['value'])
    if (name !== DEFAULT_CODEC && !(value instanceof Uint8Array)) return refuse('a value of a codec of its own is bytes')
    return { number, collection, kind, codec: name, entry: { key, value } }
  } catch (error) {
    if (error instanceof UsageError) throw error
    return refuse((error as TidemarkError).message)
  }
}

/** By '\n' alone: text inside JSON may hold every other line end. */
async function* linesOf(input: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let parts: Uint8Array[] = []
  for await (const bytes of input) {
    let start = 0
    for (let end = bytes.indexOf(LINE_END); end >= 0; end = bytes.indexOf(LINE_END, start)) {
      parts.push(bytes.subarray(start, end))
      yield parts.length === 1 ? (parts[0] as Uint8Array) : Buffer.concat(parts)
      parts = []
      start = end + 1
    }
    if (start < bytes.length) parts.push(bytes.subarray(start))
  }
  if (parts.length > 0) yield Buffer.concat(parts)
}
