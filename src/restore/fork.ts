/**
 * Going on from an older point: a manifest with a new lineage; and taking it back where `open` ends in an error.
 *
 * Does not own: where the scan ended, who holds the lock. Invariant: an open that rejects has given up nothing that was acknowledged, or says so.
 * A fork counts as soon as its name stands, whatever the call that made it says: the next open would go on from it. So where anything fails from
 * there on, the manifest from before it is published again, above it, with its own log and lineage, and that once more; all that it names is still there,
 * because nothing is collected, nor a manifest removed that it keeps, before a writer runs. Who dies between the two leaves the fork, or after a
 * power cut one or the other: nobody was answered then, and the fork is what was asked for. Behind a fork whose name may not be on the device the
 * sync of the later name is all that is asked of: with it that one counts, whether the other is there or not. One that does not
 * read back may do so later: it is taken back, too.
 */
import { TidemarkError } from '../base/errors.ts'
import { noFailpoint } from '../base/failpoint.ts'
import type { Manifest } from '../format/index.ts'
import { proveEpoch, type ScanReport } from '../log/index.ts'
import { fork, readNewest, repeat, unfork } from '../manifest/index.ts'
import type { Storage } from '../storage/index.ts'
import { claim, hex, type OpenFacts } from './open.ts'

interface Forked {
  readonly manifest: Manifest
  /** For an open that fails before anything was written upon it; gives the error to reject with. */
  readonly takeBack: (failure: unknown) => Promise<unknown>
  /** The error to reject with where a writer may have built upon it. */
  readonly leave: (failure: unknown) => TidemarkError
}

/**
 * Makes history go on from where a scan ended, an older point or the last one before damage: durable when it resolves, and as it was when it
 * rejects. `image`: the manifest whose segments it stands on. What lies beyond is no longer named; its bytes stay until they are collected.
 * @throws TIDEMARK_FAILED when the last epoch of the file that was open cannot be made durable
 */
export async function forkAt(
  storage: Storage,
  before: Manifest,
  { end, unproven }: Pick<ScanReport, 'end' | 'unproven'>,
  facts: Pick<OpenFacts, 'random' | 'failpoint'>,
  image: Manifest = before,
): Promise<Forked> {
  const { random, failpoint = noFailpoint } = facts
  const lineageId = hex(random.bytes(16))
  const next = fork(before, end, lineageId, image)
  // The fork closes this file where it ends: the next writer takes it for durable up to there.
  if (unproven !== null) await proveEpoch(storage, before.storeId, unproven, end)
  const leave = (failure: unknown): TidemarkError => notTakenBack(failure, end.epoch)
  const takeBack = async (failure: unknown): Promise<unknown> => {
    try {
      const found = await readNewest(storage)
      if (found !== undefined && found.manifest.number >= before.number) {
        const { manifest: newest, newestNumber: number, damaged } = found
        const last = damaged[0]
        // It never came to be.
        if (last === undefined && !newest.lineage.some(({ id }) => id === lineageId)) return failure
        // One that does not verify may at the next look. Where nobody knows whose it is, nothing is put above it.
        if (newest.writer === before.writer && (last === undefined || isSpoiled(failure, last.file))) {
          const back = await claim(storage, unfork(before, { ...newest, number }), failpoint)
          // Were it damaged later, the way back from it would be the fork: the one before the newest says the same, too.
          await claim(storage, repeat(back), failpoint).catch(() => {})
          return failure
        }
      }
    } catch {
      // The first failure is the one to tell of.
    }
    return leave(failure)
  }
  try {
    return { manifest: await claim(storage, next, failpoint), takeBack, leave }
  } catch (failure) {
    throw await takeBack(failure)
  }
}

/** The last try of a `claim` did not read back as this file: its name is ours then, and so are those of the tries before it. */
function isSpoiled(failure: unknown, file: string): boolean {
  return failure instanceof TidemarkError && failure.file === file && failure.info?.operation === 'read'
}

function notTakenBack(failure: unknown, epoch: number): TidemarkError {
  const { message } = failure as Error
  const code = failure instanceof TidemarkError ? failure.code : 'TIDEMARK_STORAGE'
  return new TidemarkError(code, `${message}; and the store may go on from epoch ${epoch} all the same`, {
    cause: failure,
    hint: `keep a copy of the directory before the store is opened for writing again: \`restored.epoch\` says whether it went back to ${epoch}`,
    info: { epoch },
  })
}
