/**
 * Checks a whole store: the manifests that are kept, every segment they name, the log behind the oldest fold point, and behind damage in it from
 * the next fold point on. Writes nothing; a living writer may go on meanwhile.
 *
 * Owns: the report, and which segments were found whole, so that a look that begins again does not read them twice. Does not own: the
 * judgement of a file (manifest/, segment/, log/).
 * Invariants: a file counts as damaged only while the newest manifest, read again after the look, still needs it; every manifest, segment and
 * log file that is needed has one entry in the report.
 */
import { resolve } from 'node:path'
import { hasCode, TidemarkError } from '../base/errors.ts'
import { READ_ATTEMPTS_MAX } from '../base/limits.ts'
import { type Pauser, systemPauser } from '../base/pauser.ts'
import { countRecords, GENESIS, type LogPosition, type Manifest, manifestName, type SegmentEntry, segmentsOf } from '../format/index.ts'
import { type BlockItem, LogScan } from '../log/index.ts'
import { isOfPoint, noStoreIn, readManifest } from '../manifest/index.ts'
import { verifySegment } from '../segment/index.ts'
import { FileStorage, isErrno, isNotGivenBack, type Storage } from '../storage/index.ts'
import { movedOnAlways, neededBy, openAgain } from './beside.ts'
import { ofAnother } from './kept.ts'
import { type OpenedStore, openForReading } from './open.ts'

export interface FileReport {
  /** Relative to the store's directory. */
  readonly file: string
  readonly kind: 'manifest' | 'segment' | 'log'
  readonly bytes: number
  /** What is wrong with it; undefined: nothing that was seen. Of the log behind damage in it not all is looked at, which `notes` say. */
  readonly problem: string | undefined
}

export interface Verification {
  /** Nothing is damaged. */
  readonly ok: boolean
  /** The newest epoch that verifies. */
  readonly epoch: number
  readonly files: readonly FileReport[]
  /** What is not as it was written and costs nothing, a copy that heals, an end that was never acknowledged; and what was not looked at. */
  readonly notes: readonly string[]
}

/** @throws TIDEMARK_NO_STORE, TIDEMARK_DIRECTORY, TIDEMARK_FORMAT_NEWER, TIDEMARK_STORAGE */
export async function verifyDirectory(directory: string): Promise<Verification> {
  try {
    return await verifyStore(new FileStorage(directory), systemPauser())
  } catch (error) {
    throw noStoreIn(resolve(directory), error, 'correct the path')
  }
}

export async function verifyStore(storage: Storage, pause: Pauser): Promise<Verification> {
  const whole = new Set<string>()
  for (let attempt = 1; ; attempt++) {
    const opened = await openForReading(storage, pause).catch(error => {
      if (hasCode(error, 'TIDEMARK_MANIFEST_DAMAGED')) return error as TidemarkError
      throw error
    })
    const number = opened instanceof TidemarkError ? -1 : opened.manifest.number
    const later = async (): Promise<Manifest | undefined> => {
      const now = await openAgain(storage, pause)
      return now === undefined || now.manifest.number === number ? undefined : now.manifest
    }
    let result: Verification
    try {
      result = opened instanceof TidemarkError ? unopened(opened) : await look(storage, opened, pause, whole)
    } catch (error) {
      // A living writer may take back a commit that failed, while it is read.
      if (hasCode(error, 'TIDEMARK_STORAGE') && attempt < READ_ATTEMPTS_MAX && (await later()) !== undefined) continue
      throw error
    }
    if (result.ok) return result
    // Files that a living writer gave back meanwhile are missed by nobody.
    const now = await later()
    if (now === undefined) return result
    if (attempt < READ_ATTEMPTS_MAX) continue
    const needed = await neededBy(storage, now)
    const files = result.files.filter(({ file, problem }) => problem === undefined || needed.has(file))
    if (files.some(({ problem }) => problem !== undefined)) return { ...result, files }
    throw movedOnAlways(result.files.find(({ problem }) => problem !== undefined)?.file ?? '')
  }
}

function unopened({ file, message }: TidemarkError): Verification {
  return { ok: false, epoch: 0, files: [{ file: file ?? 'manifest', kind: 'manifest', bytes: 0, problem: message }], notes: [] }
}

type AddSized = (kind: FileReport['kind'], file: string, problem?: string) => Promise<void>

/** `whole`: hashes of segments that need not be read; those found whole join them. */
async function look(storage: Storage, opened: OpenedStore, pause: Pauser, whole: Set<string>): Promise<Verification> {
  const files: FileReport[] = []
  const notes: string[] = opened.older === undefined ? [] : [opened.older]
  const add = (kind: FileReport['kind'], file: string, bytes: number, problem?: string): void => {
    files.push({ file, kind, bytes, problem })
  }
  const { manifest, damagedManifests } = opened
  const addSized: AddSized = async (kind, file, problem) => {
    const { bytes, unsized } = await sizeOf(storage, file)
    add(kind, file, bytes, problem ?? unsized)
  }
  for (const { file, message } of damagedManifests) await addSized('manifest', file, message)
  await addSized('manifest', manifestName(manifest.number))
  const segments = new Map<string, SegmentEntry>()
  const places: LogPosition[] = []
  // Of a manifest no more stays than this: together those that are kept may be larger than the memory.
  const take = (taken: Manifest): void => {
    const { fold } = taken
    for (const entry of segmentsOf(taken)) segments.set(entry.file, entry)
    places.push(fold === null ? GENESIS : { file: fold.file, bytes: fold.bytes, epoch: fold.epoch, digest: fold.digest })
  }
  take(manifest)
  for (const point of manifest.retained) {
    if (point.number === manifest.number) continue
    const problem = await problemOf(async () => {
      const kept = await readManifest(storage, point.number)
      if (!isOfPoint(kept, manifest.storeId, point)) throw ofAnother(kept, point)
      take(kept)
    })
    await addSized('manifest', manifestName(point.number), problem?.message)
  }
  for (const entry of segments.values()) {
    const problem = whole.has(entry.sha256) ? undefined : await problemOf(() => verifySegment(storage, entry, pause))
    if (problem === undefined) whole.add(entry.sha256)
    add('segment', entry.file, entry.bytes, problem?.message)
  }
  const epoch = await lookAtLog(storage, opened, places, pause, addSized, notes)
  return { ok: files.every(({ problem }) => problem === undefined), epoch, files, notes }
}

/**
 * From the oldest fold point that can be read on, and behind damage from the next one, as recovery points go on there. Gives the newest epoch that
 * verifies.
 */
async function lookAtLog(
  storage: Storage,
  { manifest, leftOverEpoch }: OpenedStore,
  places: readonly LogPosition[],
  pause: Pauser,
  add: AddSized,
  notes: string[],
): Promise<number> {
  const { storeId, log, fold: known } = manifest
  const problems = new Map<string, string>()
  /** The file whose damage ended the scan before. */
  let broken: string | undefined
  let epoch = -1
  // Before the first fold point there is the beginning of the store.
  for (const from of places.toSorted((a, b) => a.epoch - b.epoch)) {
    // One at the last epoch that was read leads on where its file ends with it, and was damaged behind that epoch.
    if (from.epoch < epoch) continue
    if (broken !== undefined && from.epoch > epoch)
      notes.push(`behind the damage in ${broken} the log was not looked at up to the fold point at epoch ${from.epoch}`)
    broken = undefined
    const take = ({ bytes }: BlockItem): void => void countRecords(bytes)
    const scan = new LogScan({ storage, storeId, log, leftOverEpoch, from, known, onDamage: 'fall-back', take, pause })
    const problem = await problemOf(async () => {
      for await (const _ of scan);
    })
    const { damage, healed, torn, end } = scan.report
    for (const { file, offset, what } of healed) {
      const note = `${file} at ${offset}: ${what} is damaged; nothing is lost by it`
      // The scan before this one may have begun in the same file.
      if (!notes.includes(note)) notes.push(note)
    }
    if (torn !== null) notes.push(`${torn.file} at ${torn.offset}: ${torn.bytes} bytes of an epoch that was never acknowledged`)
    epoch = end.epoch
    if (damage === null && problem === undefined) break
    // A file that cannot be opened is not reached: the end lies in the one before it.
    const refused = log.find(({ file }) => file === problem?.file)
    broken = damage?.file ?? refused?.file ?? end.file ?? log[0]?.file ?? ''
    if (!problems.has(broken))
      problems.set(broken, damage === null ? (problem as Problem).message : `damaged at ${damage.offset}: ${damage.message}`)
  }
  if (broken !== undefined) notes.push(`behind the damage in ${broken} the log was not looked at`)
  for (const { file } of log) await add('log', file, problems.get(file))
  return epoch
}

interface Problem {
  readonly message: string
  /** Where the error names it. */
  readonly file: string | undefined
}

/** What an error says of the file it is about; other errors are passed on. */
async function problemOf(work: () => Promise<void>): Promise<Problem | undefined> {
  try {
    await work()
    return undefined
  } catch (error) {
    const file = error instanceof TidemarkError ? error.file : undefined
    if (error instanceof TidemarkError && error.kind === 'damage') return { message: error.message, file }
    if (missing(error)) return { message: 'it is missing', file }
    if (isErrno(error, 'EISDIR')) return { message: 'a folder stands in its place: move it away', file }
    if (isErrno(error, 'ENOTDIR')) return { message: 'a file stands in the place of its folder: move it away', file }
    if (isNotGivenBack(error)) return { message: (error as Error).message, file }
    throw error
  }
}

/** `unsized`: what is wrong with it, where not even its length is given back. */
async function sizeOf(storage: Storage, file: string): Promise<{ readonly bytes: number; readonly unsized?: string }> {
  try {
    return { bytes: await storage.size(file) }
  } catch (error) {
    if (missing(error)) return { bytes: 0 }
    if (isNotGivenBack(error)) return { bytes: 0, unsized: (error as Error).message }
    throw error
  }
}

function missing(error: unknown): boolean {
  return isErrno(error, 'ENOENT') || isErrno((error as Error).cause, 'ENOENT')
}
