/**
 * Manifests in a storage: find the newest that verifies, publish the next.
 *
 * Owns: the folder `manifest`. Does not own: what a manifest says (transitions.ts), when one is due.
 * Invariants: a manifest is never changed; it counts once its name and content are durable and read back; older ones go only after that, and the
 * newest MANIFESTS_KEPT stay, and those that are retained. They go in rising order, and one that cannot be removed keeps those behind it, up
 * to the first of whoever removes them: so nobody's newest manifest outlives the one that a rival put behind it, which is how a writer that
 * slept learns of that one (writer/ownership.ts). The newest of all never goes. Reading writes nothing.
 */
import { hasCode, TidemarkError } from '../base/errors.ts'
import type { Failpoint } from '../base/failpoint.ts'
import { MANIFEST_BYTES_MAX, MANIFESTS_KEPT } from '../base/limits.ts'
import {
  decodeManifest,
  encodeManifest,
  firstLine,
  LOG_FOLDER,
  MANIFEST_FOLDER,
  type Manifest,
  manifestName,
  manifestNumber,
  ORDER_FOLDER,
  SCHEDULE_FOLDER,
  SEGMENT_FOLDER,
  segmentsOf,
} from '../format/index.ts'
import {
  errnoOf,
  isErrno,
  isNotGivenBack,
  notWhereItWas,
  type Storage,
  type StorageFile,
  systemError,
  UNRELIABLE,
} from '../storage/index.ts'

import { assertNumbers } from './numbers.ts'

export interface FoundManifest {
  readonly manifest: Manifest
  /** The highest number there is, valid or not. */
  readonly newestNumber: number
  /** Newer manifests that do not verify, or are not given back: file and reason. */
  readonly damaged: readonly { readonly file: string; readonly message: string }[]
  /** Why the newest of these is not given back that is not; undefined where they all are. */
  readonly unread: unknown
}

/** One that is a link whose target is away is among them: not seen, an older one would be taken for the newest without a word. */
export async function listManifests(storage: Storage): Promise<number[]> {
  const names = await storage.list(MANIFEST_FOLDER, 'named')
  return names.flatMap(name => manifestNumber(name) ?? []).sort((a, b) => a - b)
}

/** What lies in the folder and is no manifest, by its path: somebody else's, where no manifest is. */
export async function strayManifests(storage: Storage): Promise<string[]> {
  const names = await storage.list(MANIFEST_FOLDER)
  return names.filter(name => manifestNumber(name) === undefined).map(name => `${MANIFEST_FOLDER}/${name}`)
}

/** The highest number there is, valid or not; 0 where there is none. */
export async function newestNumber(storage: Storage): Promise<number> {
  return (await listManifests(storage)).at(-1) ?? 0
}

/** What the device does not give back, or gives back wrong, may be there at the next look: one that is not whole at this many counts for nothing. */
const LOOKS = 3
/** So many that are not given back are passed in a look: a device that gives nothing back may take half a minute to say so, each time. */
const PASSED_MOST = 3

/**
 * The newest manifest that verifies; undefined where there are none. Throws TIDEMARK_MANIFEST_DAMAGED when there are some and none
 * verifies, TIDEMARK_STORAGE where one of these is not given back, TIDEMARK_FORMAT_NEWER when the newest whole one is of a later format.
 */
export async function readNewest(storage: Storage): Promise<FoundManifest | undefined> {
  let looks = 1
  for (let attempt = 0; ; attempt++) {
    const numbers = await listManifests(storage)
    const damaged: { file: string; message: string }[] = []
    let manifest: Manifest | undefined
    let unread: unknown
    let failure: unknown
    let vanished = false
    let passed = 0
    for (const number of numbers.toReversed()) {
      const file = manifestName(number)
      try {
        manifest = await readManifest(storage, number)
        break
      } catch (error) {
        const isUnread = isNotGivenBack(error)
        // A writer that removes old manifests while we read: it has published newer ones, so look again.
        if (!isUnread && !hasCode(error, 'TIDEMARK_MANIFEST_DAMAGED')) {
          if (attempt >= MANIFESTS_KEPT || (await storage.exists(file))) throw error
          vanished = true
          break
        }
        if (isUnread) unread ??= error
        failure ??= error
        damaged.push({ file, message: (error as Error).message })
        if (isUnread && ++passed > PASSED_MOST) break
      }
    }
    if (vanished || (damaged.length > 0 && looks++ < LOOKS)) continue
    if (manifest !== undefined) return { manifest, newestNumber: numbers.at(-1) as number, damaged, unread }
    if (failure === undefined) return undefined
    throw unread ?? failure
  }
}

/**
 * Of manifests of which none verifies: all there ever were, and nothing else. Where files have no other name first, a first opening that died left a
 * part of its own; whoever still writes it finds itself fenced. Nothing was acknowledged, for that takes a file of the log, which stays until there
 * is a segment. Both folders may be away: what a run left beside them tells that there was one.
 */
export async function isUnbegun(storage: Storage): Promise<boolean> {
  const [oldest] = await listManifests(storage)
  if (oldest !== 1) return false
  for (const folder of [LOG_FOLDER, SEGMENT_FOLDER, ORDER_FOLDER, SCHEDULE_FOLDER])
    if ((await storage.list(folder)).length > 0) return false
  return true
}

export async function readManifest(storage: Storage, number: number): Promise<Manifest> {
  const file = manifestName(number)
  const opened = await storage.open(file, 'read')
  try {
    const size = await opened.size()
    if (size > MANIFEST_BYTES_MAX) throw new TidemarkError('TIDEMARK_MANIFEST_DAMAGED', `${file}: it is too long`, { file })
    const manifest = decodeManifest(await opened.read(0, size), file)
    if (manifest.number === number) return manifest
    throw new TidemarkError('TIDEMARK_MANIFEST_DAMAGED', `${file}: it says that it is number ${manifest.number}`, { file })
  } finally {
    await opened.close()
  }
}

export type Published = 'ours' | 'taken' | 'overtaken' | 'spoiled'

/**
 * Puts a manifest under its number, durable and read back when it resolves: 'ours'; 'taken' when another's stands there; 'overtaken' when there are
 * later ones, whose author may have removed the one that stood there; 'spoiled' when it stands there and is not what was written: for an opener
 * the manifest before it is the newest then, so the next attempt says what that one did, under a later number. An error before may have
 * left our own manifest under this number: `writer` tells, and `made` was called, with its first line, where the storage said so.
 */
export async function publish(
  storage: Storage,
  next: Manifest,
  failpoint: Failpoint,
  made: (line: Buffer) => void = () => {},
): Promise<Published> {
  // It may have been raised beyond what was planned.
  assertNumbers(next)
  await failpoint('manifest.create')
  const bytes = encodeManifest(next)
  const created = await storage.createIfAbsent(manifestName(next.number), bytes)
  if (!created) return 'taken'
  made(Buffer.from(firstLine(bytes)))
  await failpoint('manifest.sync-folder')
  await storage.syncFolder(MANIFEST_FOLDER)
  await failpoint('manifest.durable')
  const newest = await newestNumber(storage)
  if (newest === next.number) return (await readsAs(storage, manifestName(next.number), bytes)) ? 'ours' : 'spoiled'
  if (newest < next.number) throw directoryGone(next.number)
  // Where its number was free because it was removed once, it is removed again.
  if (next.number <= newest - MANIFESTS_KEPT) await storage.remove(manifestName(next.number)).catch(() => {})
  return 'overtaken'
}

function readsAs(storage: Storage, file: string, bytes: Buffer): Promise<boolean> {
  return beginsAs(storage, file, bytes, bytes.length + 1)
}

/** By the first so many bytes. */
async function beginsAs(storage: Storage, file: string, bytes: Buffer, length = bytes.length): Promise<boolean> {
  let opened: StorageFile | undefined
  try {
    opened = await storage.open(file, 'read')
    return (await opened.read(0, length)).equals(bytes)
  } catch (error) {
    if (isNotGivenBack(error)) return false
    throw error
  } finally {
    await opened?.close()
  }
}

/** For one that is 'spoiled'. */
export function spoiled(number: number): TidemarkError {
  const file = manifestName(number)
  return new TidemarkError('TIDEMARK_STORAGE', `${file} does not read back as it was written`, {
    file,
    info: { operation: 'read' },
    hint: UNRELIABLE,
  })
}

/** For a manifest that was there, and is not, while no later one is: nobody takes the newest away from where it lies. */
export function directoryGone(number: number): TidemarkError {
  const info = { errno: errnoOf('ENOENT'), syscall: 'stat', operation: 'exists' }
  return notWhereItWas(manifestName(number), 'is gone, and there is no later one', info, systemError('ENOENT', 'stat'))
}

/**
 * For what a file of ours is open as, and what the next manifest is to name: under its name there must be all that was written to it. It is not where the
 * directory was replaced by a copy: what goes into the open file is in the one that was moved away. @throws TIDEMARK_STORAGE
 */
export async function assertInPlace(storage: Storage, files: readonly { readonly file: string; readonly bytes: number }[]): Promise<void> {
  for (const { file, bytes } of files) {
    let found: number
    try {
      found = await storage.size(file)
    } catch (error) {
      if (!isErrno(error, 'ENOENT')) throw error
      throw notWhereItWas(file, 'is gone', (error as TidemarkError).info, error)
    }
    if (found < bytes) throw notWhereItWas(file, `has ${found} of the ${bytes} bytes that were written to it`, { operation: 'size' })
  }
}

/**
 * For the newest manifest of a writer, by its first line. A store made by `copy` has another one under the same number, and nothing of what came into the
 * one that it stands in for: a manifest behind it would name what was never there. One that does not verify, or is not given back, is taken for
 * ours: rot is more likely, and the next manifest is the way out of it. @throws TIDEMARK_STORAGE
 */
export async function assertStillOurs(storage: Storage, number: number, line: Buffer): Promise<void> {
  const file = manifestName(number)
  if (await beginsAs(storage, file, line)) return
  let found: Manifest | undefined
  try {
    found = await readManifest(storage, number)
  } catch (error) {
    if (hasCode(error, 'TIDEMARK_MANIFEST_DAMAGED') || isNotGivenBack(error)) return
    if (!hasCode(error, 'TIDEMARK_FORMAT_NEWER')) throw error
  }
  // At the first look it may have read wrong.
  if (found !== undefined && firstLine(encodeManifest(found)).equals(line)) return
  throw notWhereItWas(file, 'is not the one that was written', { operation: 'read' })
}

/**
 * Makes a folder of a store at work, where that is: in an empty directory that stands in its place a folder would keep the one that was moved away from
 * being put back. @throws TIDEMARK_STORAGE
 */
export async function makeFolderInPlace(storage: Storage, folder: string): Promise<void> {
  if (!(await storage.exists(MANIFEST_FOLDER))) {
    const info = { errno: errnoOf('ENOENT'), syscall: 'stat', operation: 'makeFolder' }
    throw notWhereItWas(MANIFEST_FOLDER, 'is gone', info, systemError('ENOENT', 'stat'))
  }
  await storage.makeFolder(folder)
}

/** The segments and log files that a manifest names. */
export function filesOf(manifest: Pick<Manifest, 'log' | 'young' | 'base'>): ReadonlySet<string> {
  return new Set([...manifest.log, ...segmentsOf(manifest)].map(entry => entry.file))
}

/**
 * Removes manifests older than the newest MANIFESTS_KEPT, but for those that `current` keeps; failing to is no failure. `first`: the first one
 * of the writer of `current`.
 */
export async function pruneManifests(
  storage: Storage,
  current: Manifest,
  first = current.number,
  most = Number.POSITIVE_INFINITY,
): Promise<void> {
  const kept = new Set(current.retained.map(point => point.number))
  let keptUpTo = 0
  let left = most
  // What stays, stays until the next one is published.
  for (const number of await listManifests(storage).catch(() => [])) {
    if (number > current.number - MANIFESTS_KEPT || left === 0) break
    if (kept.has(number) || number <= keptUpTo) continue
    left--
    try {
      await storage.remove(manifestName(number))
    } catch {
      // It may be the newest that a writer who sleeps knows of.
      if (number < first) keptUpTo = first
    }
  }
}
