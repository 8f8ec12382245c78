/**
 * The verb import: what export wrote, or lines like those, into a store.
 *
 * Owns: the store while it is open, and the lines that are not stored yet. Does not own: what a line means (lines.ts).
 * Invariants: no store is made before there is a line that holds; a batch of lines is stored whole or not at all; what is held in memory is
 * bounded whatever the size; no recovery point that was there is dropped, but of a store that never held an entry.
 */
import { defaultCodec, hasCode, type Key, open, type Settings, type Store, TidemarkError } from 'tidemark'
import { type Line, LineReader } from './lines.ts'
import { PAST } from './past.ts'
import { reading, setterOf } from './stores.ts'
import { LOCK_OPTION, lockOf, problemText, UsageError, type Verb } from './usage.ts'
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
/** A checkpoint of all that was read may take long. */
const TIMEOUT_MS = 3_600_000
/** That of what was stored before the import failed. */
const GIVE_UP_MS = 30_000

export const importLines: Verb = {
  usage: 'import <dir> [--no-lock] [--json]',
  what: 'reads what export wrote from the standard input, to its last line; makes the store when it is missing',
  positionals: [1, 1],
  options: LOCK_OPTION,
  run: async ({ positionals: [directory], flags }) => {
    const intake = new Intake(
      () => openToImport(directory as string, lockOf(flags)),
      text => process.stderr.write(text),
      flags['json'] === true,
    )
    const reader = new LineReader(await defaultCodec(), () => intake.storedText)
    const { entries, epoch } = await intake.all(reader.read(process.stdin))
    return { json: { entries, epoch }, text: [`${entries} entries are durable at epoch ${epoch}`] }
  },
}

async function openToImport(directory: string, lock: 'os' | 'none'): Promise<Store> {
  const retention = await retentionOf(directory)
  return await open(directory, { budget: { memoryBytesMax: MEMORY_BYTES_MAX }, restore: { hydrate: 'on-demand' }, retention, lock })
}

/**
 * A store that is made here has no past to lose, nor has one that an import made which failed at its first lines: of many gigabytes it would keep the
 * whole log, too.
 */
export async function retentionOf(directory: string): Promise<NonNullable<Settings['retention']>> {
  try {
    return (await reading(directory, undefined, hasPast)) ? PAST : {}
  } catch (error) {
    // Where it is not known, and what is wrong is told by the opening that counts.
    return hasCode(error, 'TIDEMARK_NO_STORE') ? {} : PAST
  }
}

/** Whether it holds an entry, or did at a point that is kept, as far as those can be read. */
export async function hasPast(store: Pick<Store, 'stats' | 'recoveryPoints'>): Promise<boolean> {
  if (store.stats().restored.entries > 0) return true
  return (await store.recoveryPoints()).some(
    ({ entries, lost, unlisted }) => entries > 0 || lost !== undefined || (unlisted?.entriesMost ?? 0) > 0,
  )
}

export class Intake {
  readonly #open: () => Promise<Store>
  readonly #say: (text: string) => void
  readonly #json: boolean
  #store: Store | undefined
  #batch: Line[] = []
  #batchBytes = 0
  /** Bytes stored that may not be durable. */
  #waiting = 0
  #entries = 0

  /** `say`: told what goes on meanwhile. */
  constructor(open: () => Promise<Store>, say: (text: string) => void, json = false) {
    this.#open = open
    this.#say = say
    this.#json = json
  }

  /** Stores the lines and closes the store. */
  async all(lines: Iterable<Line> | AsyncIterable<Line>): Promise<{ entries: number; epoch: number }> {
    let epoch: number
    try {
      for await (const line of lines) await this.#take(line)
      epoch = await this.#finish()
    } catch (error) {
      // What keeps it from becoming durable now is not what the caller is to hear of first.
      await this.#store?.close({ timeoutMs: GIVE_UP_MS }).catch(({ message, code, hint, file }: TidemarkError) => {
        const problem = { message: `what was stored is not all durable: ${message}`, code, hint, file }
        this.#say(problemText('degraded', problem, this.#json))
      })
      throw error
    }
    await this.#store?.close({ timeoutMs: TIMEOUT_MS })
    return { entries: this.#entries, epoch }
  }

  get storedText(): string {
    return `the ${this.#entries} entries of the batches before it are stored`
  }

  async #take(line: Line): Promise<void> {
    const store = await this.#opened()
    this.#batch.push(line)
    this.#batchBytes += line.bytes
    if (this.#batch.length < BATCH_LINES && this.#batchBytes < BATCH_BYTES) return
    this.#put(store)
    if (this.#waiting < DURABLE_BYTES) return
    await store.durable({ timeoutMs: TIMEOUT_MS })
    await roomIn(store)
    this.#waiting = 0
  }

  async #finish(): Promise<number> {
    const store = await this.#opened()
    this.#put(store)
    return (await store.checkpoint({ timeoutMs: TIMEOUT_MS })).epoch
  }

  async #opened(): Promise<Store> {
    if (this.#store !== undefined) return this.#store
    const store = await this.#open()
    this.#store = store
    const told = new Set<string>()
    store.on('degraded', error => {
      // The store tries again and again, and so it fails.
      const kind = `${error.code} ${error.info?.['errno']}`
      if (!told.has(kind)) this.#say(problemText('degraded', error, this.#json))
      told.add(kind)
    })
    return store
  }

  /** @throws UsageError naming the line, or the store's error where what is stored under its key cannot be read, with the line in it */
  #put(store: Store): void {
    /** Undefined: every line was set, and the values are encoded. */
    let at: Line | undefined
    const before = store.stats().collections
    try {
      store.transaction(() => {
        for (at of this.#batch) setLine(store, at)
        at = undefined
      })
    } catch (error) {
      // A transaction that fails takes back entries, not the collections it made: they would stand in the way of the corrected lines.
      for (const name of Object.keys(store.stats().collections)) if (!Object.hasOwn(before, name)) store.delete(name)
      const { code, kind, collection, key, file, message, hint } = error as TidemarkError
      // What was set last of a key is what is encoded.
      const refused = at ?? this.#batch.findLast(({ collection: name, entry }) => name === collection && [entry?.key].includes(key as Key))
      if ((kind !== 'input' && kind !== 'damage') || refused === undefined) throw error
      const what = `line ${refused.number} is refused: ${message}`
      if (kind === 'input') throw new UsageError(what, `${hint}; ${this.storedText}`, 1)
      const instead = 'let the service set it, outside of a transaction, or import into a new store'
      const about = { ...(collection === undefined ? {} : { collection, key }), ...(file === undefined ? {} : { file }) }
      throw new TidemarkError(code, what, { hint: `${hint}; ${instead}; ${this.storedText}`, cause: error, ...about })
    }
    this.#entries += this.#batch.filter(({ entry }) => entry !== undefined).length
    this.#waiting += this.#batchBytes
    this.#batch = []
    this.#batchBytes = 0
  }
}

function setLine(store: Store, { collection, kind, codec, entry }: Line): void {
  const set = setterOf(store, collection, kind, codec)
  if (entry !== undefined) set(entry.key, entry.value)
}

/** Entries leave the memory when they were folded, which is slower than reading lines; where it fails, waiting is no help. */
async function roomIn(store: Store): Promise<void> {
  const full = (): boolean => (store.stats().memory?.liveBytes ?? 0) > MEMORY_BYTES_MAX
  for (let waited = 0; full() && waited < ROOM_MS_MAX; waited += LOOK_MS) await wait(LOOK_MS)
}
