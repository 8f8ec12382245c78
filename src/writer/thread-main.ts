/**
 * The thread of a writer: storage with synchronous calls (what else runs here, upkeep and the unpacking of blocks, waits for a commit), messages from
 * and to the host.
 */
import { getPriority, setPriority } from 'node:os'
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import { systemClock } from '../base/clock.ts'
import { assert } from '../base/errors.ts'
import { failpointOf, noFailpoint } from '../base/failpoint.ts'
import { pauser } from '../base/pauser.ts'
import { systemRandom } from '../base/random.ts'
import { systemScheduler } from '../base/scheduler.ts'
import { unpackBlocks } from '../segment/index.ts'
import { FileStorage } from '../storage/index.ts'
import { Answer } from './answer.ts'
import type { ToWriter, UnpackedMessage, UnpackMessage } from './contract.ts'
import type { ThreadStart } from './thread-host.ts'
import { Writer } from './writer.ts'

const port = parentPort
assert(port !== null, 'the writer runs in a thread')
const start = workerData as ThreadStart
/** Longest time in ms for which upkeep, and unpacking, may make a message wait, one block aside. */
const UPKEEP_SLICE_MS = 1
/** A tenth of the weight of a thread of normal priority. */
const NICE = 10

yieldToOthers()

/** Its calls go through the thread pool: a sync of a segment holds up no commit. */
const beside = new FileStorage(start.root)
const writer = new Writer(start.facts, {
  storage: new FileStorage(start.root, { flavour: 'sync' }),
  send: message => {
    port.postMessage(message)
    if (message.type === 'closed') port.close()
  },
  monotonic: () => systemClock.monotonic(),
  random: systemRandom,
  scheduler: systemScheduler,
  look: () => {
    // In order: what the port has given out already was received before.
    for (let next = receiveMessageOnPort(port); next !== undefined; next = receiveMessageOnPort(port))
      take(next.message as ToWriter | UnpackMessage)
  },
  upkeep: { storage: beside, scheduler: systemScheduler, sliceMs: UPKEEP_SLICE_MS },
  failpoint: start.testing === true ? failpointOf(process.env['TIDEMARK_FAILPOINT'], 'writer') : noFailpoint,
  ...(start.fileBytesMax === undefined ? {} : { fileBytesMax: start.fileBytesMax }),
})
const pause = pauser({ clock: systemClock, scheduler: systemScheduler, sliceMs: UPKEEP_SLICE_MS })
port.on('message', take)

function take(message: ToWriter | UnpackMessage): void {
  if (message.type === 'unpack') void unpack(message)
  else writer.receive(message)
}

/** For the main thread, which is to be held up by it no more than a commit. */
async function unpack({ id, wanted }: UnpackMessage): Promise<void> {
  const raw = await unpackBlocks(beside, wanted, pause)
  const post = (answer: UnpackedMessage['raw']): void => port?.postMessage({ type: 'unpacked', id, raw: answer } satisfies UnpackedMessage)
  try {
    return post(raw ?? null)
  } catch {
    // For want of memory, which even the least may lack.
  }
  new Answer(post, systemScheduler).post(null)
}

/**
 * On Linux 0 names the calling thread. Woken on the core of the main thread, a writer of the same priority takes it for one to three
 * milliseconds, in the middle of a slice or of a request; a nicer one waits for a free core, and gets its share where there is none.
 * Threads made from here on inherit it; those of the pool for files exist already, because `open` used them, and stay as they are.
 */
function yieldToOthers(): void {
  if (process.platform !== 'linux') return
  try {
    // A service that gives way more itself would get a writer that comes before its main thread.
    if (getPriority(0) < NICE) setPriority(0, NICE)
  } catch {
    // Not allowed here: the system decides.
  }
}
