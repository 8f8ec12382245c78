/** The thread of a writer: storage with synchronous calls (nothing else runs here), messages from and to the host. */
import { parentPort, workerData } from 'node:worker_threads'
import { systemClock } from '../base/clock.ts'
import { assert } from '../base/errors.ts'
import { failpointOf, noFailpoint } from '../base/failpoint.ts'
import { systemRandom } from '../base/random.ts'
import { systemScheduler } from '../base/scheduler.ts'
import { FileStorage } from '../storage/index.ts'
import type { ToWriter } from './contract.ts'
import type { ThreadStart } from './thread-host.ts'
import { Writer } from './writer.ts'

const port = parentPort
assert(port !== null, 'the writer runs in a thread')
const start = workerData as ThreadStart

const writer = new Writer(start.facts, {
  storage: new FileStorage(start.root, { flavour: 'sync' }),
  send: message => {
    port.postMessage(message)
    if (message.type === 'closed') port.close()
  },
  monotonic: () => systemClock.monotonic(),
  random: systemRandom,
  scheduler: systemScheduler,
  failpoint: start.testing === true ? failpointOf(process.env['TIDEMARK_FAILPOINT'], 'writer') : noFailpoint,
  ...(start.fileBytesMax === undefined ? {} : { fileBytesMax: start.fileBytesMax }),
})
port.on('message', (message: ToWriter) => writer.receive(message))
