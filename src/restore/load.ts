/**
 * Loading: reads the log of an opened store to the point asked for and builds the collections.
 * Owns: nothing; joins the scan (log/) and the loader. Invariant: an epoch is applied only after the scan verified it whole.
 */
import { TidemarkError } from '../base/errors.ts'
import { decodeKey, type ValueCodec } from '../codec/index.ts'
import { type Commit, RECORD_PUT, RecordCursor } from '../format/index.ts'
import { LogScan, type ScanReport } from '../log/index.ts'
import type { Storage } from '../storage/index.ts'
import { type LoadedCollection, Loader } from './loader.ts'
import type { OpenedStore } from './open.ts'

export interface LoadRequest {
  readonly storage: Storage
  readonly opened: OpenedStore
  readonly at: 'latest' | number | Date
  readonly onDamage: 'refuse' | 'fall-back'
  readonly codecs: ReadonlyMap<string, ValueCodec>
  /** Gives way to other work when it is time; undefined when it is not. */
  readonly pause: () => Promise<void> | undefined
}

export interface LoadResult {
  readonly collections: readonly LoadedCollection[]
  readonly report: ScanReport
  readonly records: number
  /** Above every collection id seen. */
  readonly nextId: number
}

/** Records applied between two looks at the clock. */
const STRIDE = 32

/** @throws TIDEMARK_LOG_DAMAGED, TIDEMARK_NO_SUCH_POINT, TIDEMARK_VALUE_DAMAGED */
export async function load(request: LoadRequest): Promise<LoadResult> {
  const { storage, opened, at, onDamage, codecs, pause } = request
  const { storeId, log } = opened.manifest
  const until = at === 'latest' ? undefined : typeof at === 'number' ? { epoch: at } : { timeMs: at.getTime() }
  const scan = new LogScan({ storage, storeId, log, until, onDamage, pause: () => pause() ?? undefined })
  const loader = new Loader(codecs)
  let begun: Commit | undefined
  let nextId = 1
  const begin = (commit: Commit): void => {
    if (begun === commit) return
    begun = commit
    loader.begin(commit.catalogue)
    for (const { id } of commit.catalogue) nextId = Math.max(nextId, id + 1)
  }
  for await (const item of scan) {
    begin(item.commit)
    if (item.type === 'block') await apply(loader, item.bytes, pause)
  }
  const { report } = scan
  if (at !== 'latest' && (report.commits === 0 || (typeof at === 'number' && report.end.epoch !== at))) {
    const newest = report.lastCommit === null ? 'there is none before it' : `the one before it is epoch ${report.lastCommit.epoch}`
    throw new TidemarkError(
      'TIDEMARK_NO_SUCH_POINT',
      `there is no recovery point at ${typeof at === 'number' ? `epoch ${at}` : at.toISOString()}; ${newest}`,
      {
        hint: 'choose one of recoveryPoints()',
      },
    )
  }
  return { collections: await loader.finish(pause), report, records: loader.records, nextId }
}

async function apply(loader: Loader, bytes: Buffer, pause: () => Promise<void> | undefined): Promise<void> {
  const cursor = new RecordCursor(bytes)
  for (let count = 1; cursor.next(); count++) {
    const key = decodeKey(bytes, cursor.keyStart, cursor.keyEnd)
    if (cursor.kind === RECORD_PUT) loader.put(cursor.collection, key, bytes, cursor.valueStart, cursor.valueEnd)
    else loader.remove(cursor.collection, key)
    if (count % STRIDE === 0) {
      const wait = pause()
      if (wait !== undefined) await wait
    }
  }
}
