/**
 * From a manifest to what its segments say: which manifest a restore stands on, and a walk over the image of it.
 *
 * Owns: the segments it opens until the walk has ended. Does not own: the log behind the fold point, decoding.
 * Invariant: a restore stands on the newest fold point that is kept and not beyond the point asked for.
 */
import { hasCode } from '../base/errors.ts'
import type { Manifest } from '../format/index.ts'
import { type BasePart, Image, type SegmentLayer } from '../image/index.ts'
import { readManifest } from '../manifest/index.ts'
import { type LayerCursor, ReadAhead, Segment } from '../segment/index.ts'
import type { Storage } from '../storage/index.ts'

/** The manifest to start from; undefined when what is asked for is older than all that is kept. */
export async function standOn(storage: Storage, newest: Manifest, at: 'latest' | number | Date): Promise<Manifest | undefined> {
  const reaches = (epoch: number, timeMs: number): boolean =>
    epoch === 0 || at === 'latest' || (typeof at === 'number' ? epoch <= at : timeMs <= at.getTime())
  if (newest.fold === null || reaches(newest.fold.epoch, newest.fold.timeMs)) return newest
  for (const { number, epoch, timeMs } of newest.retained.toReversed()) {
    if (!reaches(epoch, timeMs)) continue
    try {
      return await readManifest(storage, number)
    } catch (error) {
      // An older one will do, with more of the log behind it.
      if (!hasCode(error, 'TIDEMARK_MANIFEST_DAMAGED')) throw error
    }
  }
  return undefined
}

/** Walks every record up to the fold point, in the order of places. `visit` is called with a cursor that stands on one; it may wait. */
export async function walkImage(
  storage: Storage,
  { young, base }: Manifest,
  visit: (cursor: LayerCursor) => Promise<void> | undefined,
): Promise<void> {
  const opened: Segment[] = []
  const aheads: ReadAhead[] = []
  const open = async (entry: Manifest['young'][number]): Promise<SegmentLayer> => {
    const segment = await Segment.open(storage, entry)
    opened.push(segment)
    const ahead = new ReadAhead(segment)
    aheads.push(ahead)
    return ahead
  }
  try {
    const layers: SegmentLayer[] = []
    for (const entry of young) layers.push(await open(entry))
    for (const ahead of aheads) await ahead.fill()
    const parts: BasePart[] = []
    for (const { start, through, segment } of base) parts.push({ start, through, layer: segment === null ? null : await open(segment) })
    const cursor = new Image({ tables: [], young: layers, base: parts }).cursor()
    for (let count = 1; cursor.next(); count++) {
      const wait = visit(cursor)
      if (wait !== undefined) await wait
      if (count % FILL_STRIDE === 0) for (const ahead of aheads) if (ahead.begun && !ahead.ready) await ahead.fill()
    }
  } finally {
    for (const segment of opened) await segment.close().catch(() => {})
  }
}

const FILL_STRIDE = 64
