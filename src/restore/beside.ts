/**
 * Reading beside a living writer, who gives back files that the manifest a reader took still names.
 *
 * Does: when something is missing or damaged, reads the newest manifest again; where that is another one, the work begins again with it.
 * Owns: how often. Does not own: the work, what is damage.
 * Invariant: a file is reported only while the newest manifest, read after the look, needs it; READ_ATTEMPTS_MAX attempts are made.
 */
import { hasCode, TidemarkError } from '../base/errors.ts'
import { READ_ATTEMPTS_MAX } from '../base/limits.ts'
import type { Pauser } from '../base/pauser.ts'
import { type Manifest, manifestName, segmentsOf } from '../format/index.ts'
import { filesOf, isOfPoint, readManifest } from '../manifest/index.ts'
import type { Storage } from '../storage/index.ts'
import { type OpenedStore, openForReading } from './open.ts'

/** Awaited by work that found a file missing or damaged, before it says so; throws where that is to be looked at again. */
export type Believe = (file: string | undefined) => Promise<void>

/** Ends an attempt: there is a later manifest to begin again with. */
class MovedOn extends Error {
  readonly newest: OpenedStore

  constructor(newest: OpenedStore) {
    super(`the newest manifest is ${newest.manifest.number} now`)
    this.newest = newest
  }
}

/**
 * What `work` makes of `opened`, or of a later manifest. Work that rejects has given back what it took.
 * @throws what `work` throws; TIDEMARK_STORAGE when the store moved on under every attempt, or it is not known whether it did
 */
export async function besideWriter<T>(
  storage: Storage,
  opened: OpenedStore,
  pause: Pauser,
  work: (opened: OpenedStore, believe: Believe) => Promise<T>,
): Promise<T> {
  let from = opened
  for (let attempt = 1; ; attempt++) {
    const { manifest, shared } = from
    const believe: Believe = async file => {
      if (!shared) return
      const newest = await openAgain(storage, pause)
      if (newest === undefined || newest.manifest.number === manifest.number) return
      if (attempt < READ_ATTEMPTS_MAX) throw new MovedOn(newest)
      if (file === undefined || (await neededBy(storage, newest.manifest)).has(file)) return
      throw movedOnAlways(file)
    }
    try {
      return await attemptOf(work, from, believe)
    } catch (error) {
      if (!(error instanceof MovedOn)) throw error
      from = error.newest
    }
  }
}

/**
 * At a second look; undefined where there is none that counts any more. @throws whatever else fails: nobody knows then whether there is a later manifest,
 * which does without the file that was missed
 */
export async function openAgain(storage: Storage, pause: Pauser): Promise<OpenedStore | undefined> {
  try {
    return await openForReading(storage, pause)
  } catch (error) {
    const isNone = hasCode(error, 'TIDEMARK_NO_STORE') || hasCode(error, 'TIDEMARK_DIRECTORY')
    if (isNone || (error instanceof TidemarkError && error.kind === 'damage')) return undefined
    throw error
  }
}

async function attemptOf<T>(
  work: (opened: OpenedStore, believe: Believe) => Promise<T>,
  opened: OpenedStore,
  believe: Believe,
): Promise<T> {
  try {
    return await work(opened, believe)
  } catch (error) {
    if (error instanceof TidemarkError && (error.kind === 'damage' || error.code === 'TIDEMARK_STORAGE')) await believe(error.file)
    throw error
  }
}

/** Every file that the manifest, or one that it keeps, stands on; those that cannot be read, or are not the point's, name none. */
export async function neededBy(storage: Storage, manifest: Manifest): Promise<ReadonlySet<string>> {
  const needed = new Set([manifestName(manifest.number), ...filesOf(manifest)])
  for (const point of manifest.retained) {
    needed.add(manifestName(point.number))
    try {
      const kept = await readManifest(storage, point.number)
      if (!isOfPoint(kept, manifest.storeId, point)) continue
      for (const { file } of segmentsOf(kept)) needed.add(file)
    } catch (error) {
      if (!hasCode(error, 'TIDEMARK_MANIFEST_DAMAGED') && !hasCode(error, 'TIDEMARK_STORAGE')) throw error
    }
  }
  return needed
}

export function movedOnAlways(file: string): TidemarkError {
  return new TidemarkError(
    'TIDEMARK_STORAGE',
    `${file} was given back by the writer of the store, each of ${READ_ATTEMPTS_MAX} times it was read`,
    {
      file,
      hint: 'nothing is damaged: try again',
    },
  )
}
