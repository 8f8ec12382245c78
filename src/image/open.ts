/**
 * From what a manifest names to layers that can be asked and walked.
 *
 * Owns: nothing; who asks closes what is opened. Invariant: after an error nothing is left open that it opened.
 */
import type { Pauser } from '../base/pauser.ts'
import { type Manifest, type SegmentEntry, segmentsOf } from '../format/index.ts'
import { BlockCache, type Layer, ReadAhead, Segment } from '../segment/index.ts'
import type { Storage } from '../storage/index.ts'
import { type BasePart, boundOf, Image, type SegmentLayer } from './image.ts'

/** Segments, or records, between two pauses. */
const STRIDE = 64
/** Files asked for at once: each alone takes a fifth of a millisecond of waiting, and there may be thousands. */
const AT_ONCE = 16

export type Named = Pick<Manifest, 'young' | 'base'>

/** What an earlier opening left: segments that are open already, and the blocks their look-ups read last. */
export interface Reused {
  readonly segments: readonly Segment[]
  readonly cache: BlockCache
}

export interface OpenedSegments extends Reused {
  /** Newest first, young before base. */
  readonly segments: readonly Segment[]
  readonly young: readonly Segment[]
  readonly base: readonly (BasePart & { readonly layer: Segment | null })[]
}

/** Opens the descriptor of every segment that is not open yet; no byte is read. From then on the names may go. `pause` is awaited often. */
export async function openSegments(
  storage: Storage,
  named: Named,
  reused?: Reused,
  pause: Pauser = () => undefined,
): Promise<OpenedSegments> {
  const cache = reused?.cache ?? new BlockCache()
  const known = new Map(reused?.segments.map(segment => [segment.entry.file, segment]))
  const entries = segmentsOf(named)
  const opened: Segment[] = []
  try {
    const missing = entries.filter(({ file }) => !known.has(file))
    for (let at = 0; at < missing.length; at += AT_ONCE) {
      const some = await Promise.allSettled(missing.slice(at, at + AT_ONCE).map(entry => Segment.open(storage, entry, { cache })))
      opened.push(...some.flatMap(one => (one.status === 'fulfilled' ? one.value : [])))
      for (const one of some) if (one.status === 'rejected') throw one.reason
      await pause()
    }
    for (const segment of opened) known.set(segment.entry.file, segment)
    const segments: Segment[] = []
    const young: Segment[] = []
    const base: (BasePart & { layer: Segment | null })[] = []
    const take = ({ file }: SegmentEntry): Segment => {
      const segment = known.get(file) as Segment
      segments.push(segment)
      return segment
    }
    for (const entry of named.young) {
      young.push(take(entry))
      if (young.length % STRIDE === 0) await pause()
    }
    for (const { start, through, segment } of named.base) {
      base.push({ start, through, layer: segment === null ? null : take(segment), bound: boundOf(start) })
      if (base.length % STRIDE === 0) await pause()
    }
    return { segments, young, base, cache }
  } catch (error) {
    for (const segment of opened) await segment.close().catch(() => {})
    throw error
  }
}

/** Counts the live records of each collection, by reading everything; for where nobody knows better. `pause` is awaited often. */
export async function countImage(opened: OpenedSegments, tables: readonly Layer[], pause: Pauser): Promise<Map<number, number>> {
  const aheads: ReadAhead[] = []
  const ahead = (segment: Segment): SegmentLayer => {
    const layer = new ReadAhead(segment)
    aheads.push(layer)
    return layer
  }
  const young = opened.young.map(ahead)
  const base = opened.base.map(part => ({ ...part, layer: part.layer === null ? null : ahead(part.layer) }))
  const cursor = new Image({ tables, young, base }).cursor()
  const counts = new Map<number, number>()
  for (let step = 1; cursor.next(); step++) {
    if (cursor.put) counts.set(cursor.collection, (counts.get(cursor.collection) ?? 0) + 1)
    if (step % STRIDE !== 0) continue
    for (const one of aheads) if (one.begun && !one.ready) await one.fill()
    await pause()
  }
  return counts
}
