/**
 * Loading: the segments that a restore stands on, opened, the log behind them as a table. Nothing is decoded, and no block is read.
 *
 * Owns: the segments until they are handed over. Does not own: which manifest that is (stand.ts), collections, hydration, when to begin again
 * (beside.ts).
 * Invariants: an epoch counts only after the scan verified it whole; `entries` of the catalogue are exact, or too high where what cannot be read
 * had to be counted; nothing later than the time that was asked for is loaded.
 */
import { hasCode, TidemarkError } from '../base/errors.ts'
import type { Pauser } from '../base/pauser.ts'
import { ColdState } from '../cold/index.ts'
import type { CatalogueEntry, Manifest } from '../format/index.ts'
import { countImage, Image, openSegments, type Reused } from '../image/index.ts'
import { readsOtherwise, type ScanReport } from '../log/index.ts'
import { assertDecompressible } from '../segment/index.ts'
import { mayStayUnread, type Storage } from '../storage/index.ts'
import { type Believe, besideWriter } from './beside.ts'
import { isUnfit } from './kept.ts'
import type { OpenedStore } from './open.ts'
import { standOn } from './stand.ts'
import { readTail, type Tail } from './tail.ts'

export interface LoadRequest {
  readonly storage: Storage
  readonly opened: OpenedStore
  readonly at: 'latest' | number | Date
  readonly onDamage: 'refuse' | 'fall-back'
  readonly monotonic: () => number
  /** Gives way to other work when it is time; undefined when it is not. */
  readonly pause: Pauser
}

export interface LoadResult {
  readonly catalogue: readonly CatalogueEntry[]
  /** All that is stored, as of the point. The caller closes it. */
  readonly cold: ColdState
  /** What `cold` stands on, beside the tail. */
  readonly layers: Reused
  readonly tail: Tail
  /** The manifest whose segments it stands on. */
  readonly image: Manifest
  readonly report: ScanReport
}

/** @throws TIDEMARK_LOG_DAMAGED, TIDEMARK_SEGMENT_DAMAGED, TIDEMARK_NO_SUCH_POINT, TIDEMARK_STORAGE, TIDEMARK_COMPRESSION_UNAVAILABLE */
export function load(request: LoadRequest): Promise<LoadResult> {
  return besideWriter(request.storage, request.opened, request.pause, (opened, believe) => loadFrom({ ...request, opened }, believe))
}

async function loadFrom({ storage, opened, at, onDamage, monotonic, pause }: LoadRequest, believe: Believe): Promise<LoadResult> {
  const { storeId, log, fold: known } = opened.manifest
  const stand = await standOn(storage, opened, at, pause, believe)
  if (stand === undefined) throw noSuchPoint(at, 'nothing is kept that is so old')
  if (isUnfit(stand)) throw stand.error
  const { image, until } = stand
  const layers = await openSegments(storage, image)
  try {
    await assertDecompressible(layers.segments)
    const { leftOverEpoch } = opened
    const tail = await readTail({ storage, storeId, log, leftOverEpoch, fold: image.fold, known, until, onDamage, pause })
    const { report, table } = tail
    const { end } = report
    if (report.damage !== null) await believe(report.damage.file)
    if (stand.damage !== undefined && end.epoch >= stand.damage.firstLostEpoch) throw readsOtherwise(stand.damage)
    const isThere = at === 'latest' || (typeof at === 'number' ? end.epoch === at && at > 0 : end.epoch > 0)
    if (!isThere) throw noSuchPoint(at, end.epoch === 0 ? 'there is none before it' : `the one before it is epoch ${end.epoch}`)
    const tables = table.isEmpty ? [] : [table]
    let { catalogue } = tail
    // Keys whose values were refused are counted by their commit whether they have a record or not.
    const refused = report.lastCommit === null ? image.fold?.refused : report.lastCommit.refused
    if ((refused ?? 0) > 0 && image.fold !== null) {
      while (!table.sortSome(SORT_RECORDS)) await pause()
      const counts = await countImage(layers, tables, pause).catch(uncounted)
      if (counts !== undefined) catalogue = catalogue.map(entry => ({ ...entry, entries: counts.get(entry.id) ?? 0 }))
    }
    const { segments, young, base } = layers
    const cold = new ColdState({ image: new Image({ tables, young, base }), segments }, monotonic)
    return { catalogue, cold, layers, tail, image, report }
  } catch (error) {
    for (const segment of layers.segments) await segment.close().catch(() => {})
    throw error
  }
}

const SORT_RECORDS = 256

/** What the commit counted stays then, which hides no entry; and nothing that can be read is kept from anybody. */
function uncounted(error: unknown): undefined {
  const isUnread = hasCode(error, 'TIDEMARK_SEGMENT_DAMAGED') || hasCode(error, 'TIDEMARK_COMPRESSION_UNAVAILABLE') || mayStayUnread(error)
  if (!isUnread) throw error
}

function noSuchPoint(at: LoadRequest['at'], why: string): TidemarkError {
  const point = typeof at === 'number' ? `epoch ${at}` : (at as Date).toISOString()
  return new TidemarkError('TIDEMARK_NO_SUCH_POINT', `there is no recovery point at ${point}; ${why}`, {
    hint: 'choose one of recoveryPoints()',
  })
}
