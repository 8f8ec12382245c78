/**
 * Whether a restore can stand on a fold point that is kept: its manifest is whole and says that point, and every segment it names is there, as long as
 * it was.
 * Owns nothing; no byte of a segment is read: `verify` does that.
 */
import { hasCode, TidemarkError } from '../base/errors.ts'
import { type Manifest, manifestName, type RetainedPoint, segmentsOf } from '../format/index.ts'
import { isOfPoint, readManifest } from '../manifest/index.ts'
import { isErrno, isNotGivenBack, type Storage } from '../storage/index.ts'

/** Why it cannot. */
export interface Unfit {
  readonly file: string
  readonly message: string
  /** For whoever has nothing else to stand on. */
  readonly error: TidemarkError
}

export function isUnfit(found: object): found is Unfit {
  return 'error' in found
}

/** The manifest of a point that `newest` keeps. */
export async function readKept(storage: Storage, newest: Manifest, point: RetainedPoint): Promise<Manifest | Unfit> {
  const file = manifestName(point.number)
  let manifest: Manifest
  try {
    manifest = await readManifest(storage, point.number)
  } catch (error) {
    if (isErrno((error as Error).cause, 'ENOENT')) return unfit(file, error, `${file} is missing`)
    if (!isNotGivenBack(error) && !hasCode(error, 'TIDEMARK_MANIFEST_DAMAGED')) throw error
    return unfit(file, error)
  }
  if (!isOfPoint(manifest, newest.storeId, point)) return unfit(file, ofAnother(manifest, point))
  return (await unfitSegment(storage, manifest)) ?? manifest
}

/** For a manifest that stands under the number of a point and is not the point's. */
export function ofAnother({ fold }: Manifest, { number, epoch }: RetainedPoint): TidemarkError {
  const file = manifestName(number)
  return new TidemarkError('TIDEMARK_MANIFEST_DAMAGED', `${file} is not that of the point at epoch ${epoch}, which is kept`, {
    file,
    info: { epoch, found: fold?.epoch ?? 0 },
    hint: 'put the file back that belongs to this store, from a copy of the same history',
  })
}

export async function unfitSegment(storage: Storage, manifest: Manifest): Promise<Unfit | undefined> {
  for (const { file, bytes } of segmentsOf(manifest)) {
    try {
      const length = await storage.size(file)
      if (length !== bytes) return unfit(file, wrongLength(file, `${file} is ${length} bytes long, not ${bytes}`))
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return unfit(file, error, `${file} is missing`)
      if (!isNotGivenBack(error)) throw error
      return unfit(file, error)
    }
  }
  return undefined
}

function unfit(file: string, error: unknown, message = (error as Error).message): Unfit {
  return { file, message, error: error as TidemarkError }
}

function wrongLength(file: string, message: string): TidemarkError {
  return new TidemarkError('TIDEMARK_SEGMENT_DAMAGED', message, { file, hint: 'keep a copy of the directory, then restore it from one' })
}
