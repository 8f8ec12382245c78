/**
 * Whether what a manifest names is there, by the names in the folders: before an opening publishes anything upon it, and before a point that is kept
 * is given up.
 *
 * Owns nothing. Does not own: what is in the files (the scan, `load`), which manifest counts (open.ts).
 * Invariants: a folder that is away for one open, as a disk that is not mounted, costs nothing: where a file is missing, and not damaged, the open is
 * refused before it has written anything, but for the log where a fall-back was asked for. Nobody is asked for files that no opening reads.
 */
import { TidemarkError } from '../base/errors.ts'
import { MANIFEST_NUMBERS_AHEAD_MAX } from '../base/limits.ts'
import {
  GENESIS,
  LOG_FOLDER,
  type LogEntry,
  type Manifest,
  manifestName,
  type RetainedPoint,
  SEGMENT_FOLDER,
  segmentNumbers,
} from '../format/index.ts'
import { holdsNothing, openLog } from '../log/index.ts'
import { type FoundManifest, filesOf, isOfPoint, listManifests, newestNumber, readManifest } from '../manifest/index.ts'
import { nameOf, type Storage } from '../storage/index.ts'

export interface NewestManifest extends FoundManifest {
  /** None that is there is damaged, and the log has files of writers who came after it: an older copy of the manifests was put back. */
  readonly isOld: boolean
}

/** What is asked for by who opens. */
export interface Asked {
  /** Default false: what lies behind it may be missing. */
  readonly atPoint?: boolean | undefined
  readonly onDamage?: 'refuse' | 'fall-back' | undefined
}

/** Of segments and log, by their paths. */
export async function filesThere(storage: Storage): Promise<ReadonlySet<string>> {
  const folders = [SEGMENT_FOLDER, LOG_FOLDER]
  const names = await Promise.all(folders.map(folder => storage.list(folder)))
  return new Set(folders.flatMap((folder, at) => (names[at] as string[]).map(name => `${folder}/${name}`)))
}

/**
 * `token`, or a higher one in the name of a segment: a later run whose manifests are gone may have left nothing else. Far above it is somebody else's
 * file, behind which there would be few tokens left.
 */
export function highestToken(token: number, there: ReadonlySet<string>): number {
  let highest = token
  for (const file of there) {
    const found = file.startsWith(`${SEGMENT_FOLDER}/`) ? segmentNumbers(nameOf(file))?.token : undefined
    if (found !== undefined && found > highest && found - token <= MANIFEST_NUMBERS_AHEAD_MAX) highest = found
  }
  return highest
}

/** Of all that a manifest names only what an opening reads: no file of the log that ends where the one before it does, or the fold point. */
export function missingOf(manifest: Manifest, there: ReadonlySet<string>): string[] {
  return [...filesOf({ ...manifest, log: readOf(manifest) })].filter(file => !there.has(file))
}

function readOf({ log, fold }: Manifest): LogEntry[] {
  const from = Math.max(
    0,
    log.findIndex(({ file }) => file === fold?.file),
  )
  return log.filter((entry, at) => at >= from && !holdsNothing(entry, (at === from ? fold : log[at - 1]?.end) ?? GENESIS))
}

/**
 * For who is about to publish upon `manifest`, which was found so, its log followed on. Where a newer one is damaged or not there nobody knows what else
 * there was, so of the log there must be something at all.
 * @throws TIDEMARK_LOG_DAMAGED, TIDEMARK_STORAGE for a segment
 */
export async function assertThere(
  storage: Storage,
  { damaged, isOld, newestNumber: number }: NewestManifest,
  manifest: Manifest,
  there: ReadonlySet<string>,
  { atPoint = false, onDamage = 'refuse' }: Asked,
): Promise<void> {
  const { log } = manifest
  const isNewest = damaged.length === 0 && !isOld
  const fallsBack = onDamage === 'fall-back'
  const missing = missingOf(manifest, there)
  const isLog = (file: string): boolean => file.startsWith(`${LOG_FOLDER}/`)
  // Who goes back to a point of a manifest that names all there is publishes nothing less than it, until he gives up what lies behind the point.
  const counts = !atPoint || !isNewest
  const segment = counts && (!atPoint || !fallsBack) ? missing.find(file => !isLog(file)) : undefined
  let file = counts && !fallsBack ? missing.find(isLog) : undefined
  if (file === undefined && !fallsBack && (isNewest ? missing.some(isLog) : true) && !log.some(entry => there.has(entry.file))) {
    if (log.length > 0) file = log.at(-1)?.file
    else if (!isNewest && !(await storage.exists(LOG_FOLDER))) file = LOG_FOLDER
  }
  file ??= segment
  // What stands there in place of a log that is away leads nowhere either.
  if (file === undefined && !isNewest && !fallsBack) await assertOwn(storage, manifest)
  // A writer who came meanwhile gives files back; whoever claims a number behind him is told.
  if (file === undefined || (await newestNumber(storage)) !== number) return
  throw file === segment ? missingSegment(file) : missingLog(file, log.length > 0)
}

async function assertOwn(storage: Storage, manifest: Manifest): Promise<void> {
  for (const entry of readOf(manifest)) {
    const opened = await openLog(storage, entry, manifest.storeId, undefined)
    if ('window' in opened) await opened.window.file.close()
    else if (opened.kind === 'foreign')
      throw new TidemarkError('TIDEMARK_LOG_DAMAGED', `${entry.file}: ${opened.message}`, {
        file: entry.file,
        hint: 'nothing was written: put the file back that belongs to this store',
      })
  }
}

function missingLog(file: string, isNamed: boolean): TidemarkError {
  const lost = isNamed ? "; where it is lost, open with onDamage: 'fall-back' to go on with what is left before it" : ''
  return new TidemarkError('TIDEMARK_LOG_DAMAGED', `${file} is missing`, {
    file,
    hint: `nothing was written: put it back, or mount what it lies on${lost}`,
  })
}

function missingSegment(file: string): TidemarkError {
  return new TidemarkError('TIDEMARK_STORAGE', `${file} is missing`, {
    file,
    info: { operation: 'list' },
    hint: 'nothing was written: put it back, or mount what it lies on; where an older copy of the folder `manifest` was put back, put the newest one there',
  })
}

/**
 * For an older copy of the manifests whose log was followed on: where what it stands on was given up since, that alone can be put back. Who goes back to
 * a point and falls back needs none of it, and has no other way where the newest manifests are lost.
 * @throws TIDEMARK_MANIFEST_DAMAGED
 */
export async function assertNotOutlived(
  storage: Storage,
  found: NewestManifest,
  followed: Manifest,
  there: ReadonlySet<string>,
  { atPoint = false, onDamage }: Asked,
): Promise<void> {
  const [missing] = missingOf(followed, there)
  if (missing === undefined || (atPoint && onDamage === 'fall-back')) return
  // One who came meanwhile may have given it back, and has left a manifest.
  if ((await newestNumber(storage)) !== found.newestNumber) return
  const file = manifestName(found.manifest.number)
  throw new TidemarkError(
    'TIDEMARK_MANIFEST_DAMAGED',
    `no manifest is there that is newer than ${file}, which is older than the log, and ${missing}, which it stands on, is missing`,
    {
      file,
      info: { missing },
      hint: "put the newest copy of the folder `manifest` back: nothing was written; where it is lost, open with restore.at, at one that `tidemark log` lists, and onDamage: 'fall-back'",
    },
  )
}

/**
 * Fold points that a later manifest, which is damaged or not there, did not keep any more may be gone, or some of what they stand on. One whose manifest cannot be
 * read, or is another history's, is kept: nobody knows what it stands on. All are while what the manifest itself stands on, with `followed` for its log, is missing, or
 * all segments are: a folder may be away.
 */
export async function withKept(
  storage: Storage,
  { manifest, damaged, isOld }: NewestManifest,
  followed: Manifest['log'],
  there: ReadonlySet<string>,
): Promise<Manifest> {
  if ((damaged.length === 0 && !isOld) || manifest.retained.length === 0) return manifest
  if (missingOf({ ...manifest, log: followed }, there).length > 0 || ![...there].some(file => file.startsWith(`${SEGMENT_FOLDER}/`)))
    return manifest
  const numbers = new Set(await listManifests(storage))
  const retained: RetainedPoint[] = []
  for (const point of manifest.retained) {
    if (!numbers.has(point.number)) continue
    const found = await readManifest(storage, point.number).catch(() => undefined)
    const kept = found !== undefined && isOfPoint(found, manifest.storeId, point) ? found : undefined
    // Of the log the oldest files go first.
    const log = manifest.log.find(({ end }) => end !== null && end.epoch > point.epoch)
    const needed = filesOf({ young: kept?.young ?? [], base: kept?.base ?? [], log: log === undefined ? [] : [log] })
    if ([...needed].every(file => there.has(file))) retained.push(point)
  }
  return { ...manifest, retained }
}
