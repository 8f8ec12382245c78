/**
 * Loading: reads the segments of an opened store, then the log behind them to the point asked for, and builds the collections.
 * Owns: nothing; joins the scan (log/) and the loader. Invariant: an epoch is applied only after the scan verified it whole.
 */
import { TidemarkError } from '../base/errors.ts'
import { decodeKey, type ValueCodec } from '../codec/index.ts'
import { type Commit, type Manifest, RECORD_PUT, RecordCursor } from '../format/index.ts'
import { LogScan, type ScanReport } from '../log/index.ts'
import type { Storage } from '../storage/index.ts'
import { type LoadedCollection, Loader } from './loader.ts'
import type { OpenedStore } from './open.ts'
import { standOn, walkImage } from './segments.ts'

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
  /** The manifest whose segments it stands on. */
  readonly image: Manifest
  /** The last epoch that counts, and its time; 0 for an empty store. */
  readonly epoch: number
  readonly timeMs: number
  /** What was read of the log. */
  readonly tail: { readonly rawBytes: number; readonly records: number }
}

/** Records applied between two looks at the clock. */
const STRIDE = 32

/** @throws TIDEMARK_LOG_DAMAGED, TIDEMARK_NO_SUCH_POINT, TIDEMARK_VALUE_DAMAGED */
export async function load(request: LoadRequest): Promise<LoadResult> {
  const { storage, opened, at, onDamage, codecs, pause } = request
  const { storeId, log } = opened.manifest
  const image = await standOn(storage, opened.manifest, at)
  if (image === undefined) throw noSuchPoint(at, 'nothing is kept that is so old')
  const { fold } = image
  const until = at === 'latest' ? undefined : typeof at === 'number' ? { epoch: at } : { timeMs: at.getTime() }
  const scan = new LogScan({ storage, storeId, log, from: fold ?? undefined, until, onDamage, pause: () => pause() ?? undefined })
  const loader = new Loader(codecs)
  let nextId = fold?.nextId ?? 1
  if (fold !== null) {
    loader.begin(fold.catalogue)
    await walkImage(storage, image, cursor => {
      const { collection, put, bytes, keyStart, keyEnd, start, end } = cursor
      if (put) loader.put(collection, decodeKey(bytes, keyStart, keyEnd), bytes, start, end)
      return loader.records % STRIDE === 0 ? pause() : undefined
    })
  }
  let begun: Commit | undefined
  const tail = { rawBytes: 0, records: 0 }
  const begin = (commit: Commit): void => {
    if (begun === commit) return
    begun = commit
    loader.begin(commit.catalogue)
    for (const { id } of commit.catalogue) nextId = Math.max(nextId, id + 1)
    tail.rawBytes += commit.rawBytes
    tail.records += commit.records
  }
  for await (const item of scan) {
    begin(item.commit)
    if (item.type === 'block') await apply(loader, item.bytes, pause)
  }
  const { report } = scan
  const { end, lastCommit } = report
  const isThere = at === 'latest' || (typeof at === 'number' ? end.epoch === at && at > 0 : end.epoch > 0)
  if (!isThere) throw noSuchPoint(at, end.epoch === 0 ? 'there is none before it' : `the one before it is epoch ${end.epoch}`)
  const collections = await loader.finish(pause)
  const timeMs = lastCommit?.timeMs ?? fold?.timeMs ?? 0
  return { collections, report, records: loader.records, nextId, image, epoch: end.epoch, timeMs, tail }
}

function noSuchPoint(at: LoadRequest['at'], why: string): TidemarkError {
  const point = typeof at === 'number' ? `epoch ${at}` : (at as Date).toISOString()
  return new TidemarkError('TIDEMARK_NO_SUCH_POINT', `there is no recovery point at ${point}; ${why}`, {
    hint: 'choose one of recoveryPoints()',
  })
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
