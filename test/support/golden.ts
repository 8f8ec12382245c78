/** The content of the golden stores: a short life with everything version 1 can write, and a plain account of what a store holds. */
import { inspect } from 'node:util'
import { ByteWriter } from '../../src/base/bytes.ts'
import { decodeKey, type Key, tideCodec } from '../../src/codec/index.ts'
import {
  appendPut,
  appendTombstone,
  type CatalogueEntry,
  type CompressionPreference,
  RECORD_PUT,
  RecordCursor,
} from '../../src/format/index.ts'
import { LogScan } from '../../src/log/index.ts'
import { forkAt, openForReading, openForWriting } from '../../src/restore/index.ts'
import type { Storage } from '../../src/storage/index.ts'
import { InlineHost } from '../../src/writer/index.ts'
import { pseudoRandom } from './log-store.ts'

const THINGS: CatalogueEntry = { id: 1, kind: 'map', name: 'things', codec: 'tide1', entries: 3, bytes: 100 }
const COUNTER: CatalogueEntry = { id: 7, kind: 'value', name: 'counter ü', codec: 'tide1', entries: 1, bytes: 9 }

type Write = readonly [collection: number, key: Key, value?: unknown]

interface LifePlan {
  readonly compression: CompressionPreference
  readonly epochs: readonly { readonly writes: readonly Write[]; readonly catalogue: readonly CatalogueEntry[]; readonly refused: number }[]
  readonly forkAt?: number
}

const text = (seed: string): string => `${seed} and what comes after it, `.repeat(12)

const PLAN: readonly LifePlan[] = [
  {
    compression: 'none',
    epochs: [
      {
        writes: [
          [1, 'a', { name: 'ada', born: 1815 }],
          [1, 2, [1, -1, 0.5, 10n ** 20n]],
          [1, 3n, null],
        ],
        catalogue: [THINGS],
        refused: 0,
      },
      { writes: [], catalogue: [THINGS], refused: 0 },
      {
        writes: [
          [1, 'a'],
          [7, 'value', 42],
        ],
        catalogue: [COUNTER, THINGS],
        refused: 2,
      },
    ],
  },
  {
    compression: 'deflate',
    epochs: [
      {
        writes: [
          [1, 'text', text('tide')],
          [1, 'more', { list: [text('mark'), new Date(0), new Map([[1, new Set(['x'])]])] }],
        ],
        catalogue: [COUNTER, THINGS],
        refused: 0,
      },
      { writes: [[7, 'value', 43]], catalogue: [COUNTER], refused: 0 },
    ],
  },
  {
    compression: 'zstd',
    forkAt: 4,
    epochs: [
      {
        writes: [
          [1, 'text', text('another tide')],
          [1, '\ud800', Buffer.from('bytes')],
          [1, Number.NaN, undefined],
        ],
        catalogue: [COUNTER, THINGS],
        refused: 0,
      },
    ],
  },
]

export async function writeGolden(storage: Storage): Promise<void> {
  for (const [index, life] of PLAN.entries()) {
    const random = pseudoRandom(`golden ${index}`)
    let { manifest } = await openForWriting(storage, { createdBy: 'tidemark golden', random })
    const until = life.forkAt === undefined ? undefined : { epoch: life.forkAt }
    const { end: acceptedEnd, unproven } = await new LogScan({ storage, storeId: manifest.storeId, log: manifest.log, until }).run()
    if (until !== undefined) manifest = (await forkAt(storage, manifest, { end: acceptedEnd, unproven }, { random })).manifest
    const host = new InlineHost({
      storage,
      facts: { manifest, acceptedEnd, unproven: until === undefined ? unproven : null, compression: life.compression },
      clock: { monotonic: () => 0 },
      random,
    })
    let epoch = acceptedEnd.epoch
    for (const { writes, catalogue, refused } of life.epochs) {
      epoch++
      const writer = new ByteWriter(64)
      for (const write of writes) {
        const [collection, key, value] = write
        if (write.length === 2) appendTombstone(writer, collection, key)
        else appendPut(writer, collection, key, value, tideCodec)
      }
      host.post({
        type: 'commit',
        attempt: 1,
        epoch,
        timeMs: 1_700_000_000_000 + epoch,
        bytes: writer.view(),
        records: writes.length,
        catalogue,
        refused,
      })
    }
    await host.close()
  }
}

/** Everything the store says, as plain data. */
export async function accountOf(storage: Storage): Promise<unknown> {
  const { manifest } = await openForReading(storage)
  const scan = new LogScan({ storage, storeId: manifest.storeId, log: manifest.log })
  const epochs: unknown[] = []
  let records: unknown[] = []
  for await (const item of scan) {
    if (item.type === 'commit') {
      epochs.push({ commit: item.commit, position: item.position, records })
      records = []
      continue
    }
    const { bytes } = item
    const cursor = new RecordCursor(bytes)
    while (cursor.next()) {
      const key = inspect(decodeKey(bytes, cursor.keyStart, cursor.keyEnd))
      const value = cursor.kind === RECORD_PUT ? inspect(tideCodec.decode(bytes, cursor.valueStart, cursor.valueEnd), { depth: 9 }) : null
      records.push({ collection: cursor.collection, key, value })
    }
  }
  const { storeId, lineage, token, number } = manifest
  return JSON.parse(
    JSON.stringify({ store: { storeId, lineage, token, number }, epochs, torn: scan.report.torn, healed: scan.report.healed }),
  )
}
