/**
 * A writer in a thread of its own.
 *
 * Owns: the thread. Does not own: what it writes. Invariants: an idle thread never keeps the process alive, a commit under way does, for
 * somebody may wait for it, and so do blocks that are being unpacked; a batch's memory is transferred, not copied; a thread that ends before it
 * was asked to, sends what cannot be read, or cannot be asked to end, is reported once, as a failure that ends the writer; `close` resolves when
 * the thread is done, whatever it was reported for.
 */
import { Worker, type WorkerOptions } from 'node:worker_threads'
import { TidemarkError } from '../base/errors.ts'
import type { BlocksWanted, RawBlocks } from '../segment/index.ts'
import { isThere, workingDirectoryGone } from '../storage/index.ts'
import type { FromWriter, ToWriter, UnpackedMessage, UnpackMessage, WriterFacts, WriterHost } from './contract.ts'
import { toErrorData } from './error-data.ts'
import { Mailbox } from './mailbox.ts'

export interface ThreadStart {
  /** Absolute path of the store. */
  readonly root: string
  readonly facts: WriterFacts
  /** Only then TIDEMARK_FAILPOINT is looked at. */
  readonly testing?: boolean
  readonly fileBytesMax?: number
}

/** Before anything is made: a Worker that cannot run says so only after `open`. @throws TIDEMARK_PACKAGE_INCOMPLETE, TIDEMARK_DIRECTORY */
export function assertThreadStarts(): void {
  assertFileThere()
  const cause = workingDirectoryGone()
  if (cause === undefined) return
  throw new TidemarkError(
    'TIDEMARK_DIRECTORY',
    `the working directory of the process is gone, and Node.js starts no thread there: ${cause.message}`,
    {
      hint: 'start the process in a directory that is there, or go to one (process.chdir) and open again',
      cause,
    },
  )
}

function assertFileThere(): void {
  let cause: unknown
  try {
    if (isThere(threadFile())) return
  } catch (error) {
    // A bundle of CommonJS does not know where it lies.
    cause = error
  }
  throw new TidemarkError(
    'TIDEMARK_PACKAGE_INCOMPLETE',
    "the file that the writer's thread starts from is not beside the package's others",
    {
      ...(cause === undefined ? {} : { cause }),
      hint: "when bundling keep the package out of the bundle (external: ['tidemark']); else install it again",
    },
  )
}

function threadFile(): URL {
  return new URL('./thread-main.js', import.meta.url)
}

/**
 * No flags of the process: --input-type, for one, would be the end of a thread that starts from a file, and what NODE_OPTIONS loads first may
 * be the code that opens the store. Where packages are found by such code alone (Plug'n'Play of Yarn) it stays.
 */
function surroundings(): WorkerOptions {
  const env = process.versions['pnp'] === undefined ? { env: { ...process.env, NODE_OPTIONS: '' } } : {}
  return { execArgv: [], ...env }
}

/** @throws TIDEMARK_FAILED */
function startThread(start: ThreadStart): Worker {
  try {
    return new Worker(threadFile(), { workerData: start, name: 'tidemark-writer', ...surroundings() })
  } catch (cause) {
    throw new TidemarkError('TIDEMARK_FAILED', `the writer's thread cannot be started: ${(cause as Error).message}`, {
      cause,
      hint: 'raise the limit of threads (ulimit -u, pids.max), or allow workers where the process runs under permissions (--allow-worker), and open again',
    })
  }
}

export class ThreadHost implements WriterHost {
  readonly #mailbox = new Mailbox()
  readonly #worker: Worker
  #attempt = 0
  readonly #reasons = { commit: false, asked: false, unpack: false }
  /** Who waits for blocks, by the id of the message. */
  readonly #unpacking = new Map<number, (raw: RawBlocks | undefined) => void>()
  #unpacked = 0
  #ended = false

  constructor(start: ThreadStart) {
    this.#worker = startThread(start)
    this.#worker.on('message', (message: FromWriter | UnpackedMessage) => {
      if (message.type === 'unpacked') return this.#unpackEnded(message)
      if (message.type === 'closed') this.#end()
      else if (this.#answers(message)) this.#keep({ commit: false })
      this.#mailbox.deliver(message)
    })
    this.#worker.on('messageerror', error => this.#lost(error))
    this.#worker.on('error', error => this.#lost(error))
    this.#worker.on('exit', code => {
      this.#lost(new Error(`the thread ended with code ${code}`))
      this.#mailbox.end()
    })
    // After the listeners: adding one for messages makes the port keep the process alive.
    this.#worker.unref()
  }

  post(message: ToWriter): void {
    if (this.#ended || this.#mailbox.closing) return
    if ('attempt' in message) this.#attempt = message.attempt
    if (message.type === 'commit') this.#keep({ commit: true })
    const transfer = transferable(message)
    try {
      this.#worker.postMessage(message, transfer)
    } catch (error) {
      // Memory that the runtime does not let go (its pool of small buffers) is copied.
      if (transfer.length > 0 && (error as Error).name === 'DataCloneError') this.#worker.postMessage(message)
      // Any other is advice: the engine is right without it, and nobody is ready for the error.
      else if ('attempt' in message) throw error
    }
  }

  onMessage(listener: (message: FromWriter) => void): void {
    this.#mailbox.listen(listener)
  }

  close(): Promise<void> {
    if (!this.#mailbox.ended && !this.#mailbox.closing) {
      this.#worker.ref()
      if (!this.#ended) this.#postClose()
    }
    return this.#mailbox.close()
  }

  terminate(): void {
    this.#end()
    this.#mailbox.end()
    void this.#worker.terminate()
  }

  unpack(wanted: BlocksWanted): Promise<RawBlocks | undefined> {
    if (this.#ended || this.#mailbox.closing) return Promise.resolve(undefined)
    const id = ++this.#unpacked
    return new Promise(resolve => {
      try {
        this.#worker.postMessage({ type: 'unpack', id, wanted } satisfies UnpackMessage)
      } catch {
        // For want of memory.
        return resolve(undefined)
      }
      this.#unpacking.set(id, resolve)
      this.#keep({ unpack: true })
    })
  }

  keepAlive(on: boolean): void {
    this.#keep({ asked: on })
  }

  /** The commit that is under way, not one before it. */
  #answers(message: FromWriter): boolean {
    if (message.type === 'credit' || message.type === 'upkeep') return false
    return !('attempt' in message) || message.attempt === this.#attempt
  }

  #unpackEnded({ id, raw }: UnpackedMessage): void {
    this.#unpacking.get(id)?.(raw ?? undefined)
    this.#unpacking.delete(id)
    this.#keep({ unpack: this.#unpacking.size > 0 })
  }

  #keep(reasons: { readonly commit?: boolean; readonly asked?: boolean; readonly unpack?: boolean }): void {
    if (this.#ended || this.#mailbox.closing) return
    Object.assign(this.#reasons, reasons)
    if (Object.values(this.#reasons).includes(true)) this.#worker.ref()
    else this.#worker.unref()
  }

  #postClose(): void {
    try {
      this.#worker.postMessage({ type: 'close' } satisfies ToWriter)
    } catch (error) {
      // For want of memory. It cannot end by itself, and whoever closes waits until it has ended.
      this.#lost(error)
    }
  }

  #end(): void {
    this.#ended = true
    this.#worker.unref()
    for (const resolve of this.#unpacking.values()) resolve(undefined)
    this.#unpacking.clear()
  }

  #lost(cause: unknown): void {
    if (this.#ended) return
    this.#end()
    this.#mailbox.deliver({ type: 'failed', attempt: this.#attempt, error: toErrorData(lostThread(cause)), fatal: true })
    // One that could not be understood still runs, and may write until it has ended: `close` waits for that.
    void this.#worker.terminate()
  }
}

/** Of a thread that ended before it was asked to. What it was short of at its start it tells only then, behind `open`. */
export function lostThread(cause: unknown): TidemarkError {
  const what = cause instanceof Error ? cause.message : String(cause)
  const isStart = (cause as { code?: unknown } | undefined)?.code === 'ERR_WORKER_INIT_FAILED'
  const message = isStart ? `the writer's thread could not start: ${what}` : `the writer's thread was lost: ${what}`
  const hint = isStart ? `raise the limit of ${limitIn(what)}, and open the store again` : 'open the store again'
  return new TidemarkError('TIDEMARK_FAILED', message, { cause, hint })
}

function limitIn(reason: string): string {
  if (reason.includes('EMFILE')) return 'open files (ulimit -n)'
  if (reason.includes('ENFILE')) return 'open files of the whole system (fs.file-max)'
  return 'threads and memory (ulimit -u, ulimit -v, pids.max)'
}

function transferable(message: ToWriter): ArrayBuffer[] {
  if (message.type !== 'batch' && message.type !== 'commit') return []
  const { buffer } = message.bytes
  // Memory that others share with these bytes (small pooled buffers) is copied instead.
  return buffer instanceof ArrayBuffer && buffer.byteLength > 0 && !isPooled(buffer) ? [buffer] : []
}

const POOL = Buffer.allocUnsafe(1).buffer

function isPooled(buffer: ArrayBufferLike): boolean {
  return buffer === POOL || buffer.byteLength === Buffer.poolSize
}
