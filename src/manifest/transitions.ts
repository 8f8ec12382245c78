/**
 * How one manifest becomes the next: pure functions, each guarded by predicates on (old, new) before anything is written.
 *
 * Invariants: numbers rise; the token never falls and rises with every opener; a store keeps its id; lineages change by forks only, which add one
 * and forget those of which no epoch is left; the log list keeps its closed files and their ends, except where a fork says that history ends earlier,
 * or a fold that nobody asks for its beginning (folding.ts); what is dropped from its end holds no epoch at or before the accepted end.
 */
import { assert } from '../base/errors.ts'
import { EMPTY_BASE, type LogEntry, type LogPosition, type Manifest, STORE_FORMAT } from '../format/index.ts'
import { assertNumbers, assertSuccessor } from './numbers.ts'

export interface Author {
  /** Random for this opening, 32 hex digits. */
  readonly writer: string
  readonly createdBy: string
}

export function firstManifest(storeId: string, lineageId: string, author: Author): Manifest {
  return {
    number: 1,
    storeId,
    lineage: [{ id: lineageId, forkEpoch: 0 }],
    token: 1,
    writer: author.writer,
    format: STORE_FORMAT,
    createdBy: author.createdBy,
    log: [],
    catalogue: null,
    fold: null,
    young: [],
    base: EMPTY_BASE,
    retained: [],
  }
}

/**
 * A new writer opens. `newestNumber` is the highest number there is, valid or not: every opener raises the token by one, so a token no
 * one has had is as far above the old one as the number, and above `given`, the highest in the log and the segments: the manifests of those may be gone. `log` may go on
 * beyond the old one's where the newest manifest was lost.
 */
export function takeOver(old: Manifest, newestNumber: number, log: readonly LogEntry[], author: Author, given = old.token): Manifest {
  assertSuccessor(old, newestNumber)
  const number = newestNumber + 1
  const token = Math.max(old.token + (number - old.number), given + 1)
  const next: Manifest = { ...old, ...author, format: STORE_FORMAT, number, token, log }
  checkCommon(old, next)
  assert(next.token > old.token, 'a takeover raises the token')
  // Where the newest manifest was lost, the open file may have been left without an accepted epoch: another one stands in its place then.
  assert(
    old.log.every((entry, index) => (entry.end === null ? next.log[index] !== undefined : sameEntry(entry, next.log[index]))),
    'a takeover keeps the log',
  )
  const folded = log.find(entry => entry.file === old.fold?.file)
  assert(
    old.fold === null || (folded !== undefined && (folded.end === null || folded.end.epoch >= old.fold.epoch)),
    'the log of a takeover reaches to the fold point',
  )
  return next
}

/** The log goes on in `file`: what was open is closed at the accepted end, or dropped when nothing in it was accepted. */
export function roll(old: Manifest, end: LogPosition, file: string, catalogue: Manifest['catalogue']): Manifest {
  const closed = closeLog(old.log, end)
  const next: Manifest = { ...old, number: old.number + 1, log: [...closed, { file, end: null }], catalogue: catalogue ?? old.catalogue }
  checkCommon(old, next)
  assert(next.token === old.token, 'a roll keeps the token')
  const kept = old.log.filter(entry => entry.end !== null)
  assert(
    kept.every((entry, index) => sameEntry(entry, next.log[index])),
    'a roll keeps every closed file',
  )
  assert(closed.length - kept.length <= 1, 'a roll closes one file')
  assert(!old.log.some(entry => entry.file === file), 'a roll begins a new file')
  assert(lastEpoch(closed) === end.epoch, 'a roll goes on at the accepted end')
  return next
}

/** The file being written is given up: it ends at the accepted end, or is dropped, before the next one is begun. */
export function giveUp(old: Manifest, end: LogPosition): Manifest {
  const next: Manifest = { ...old, number: old.number + 1, log: closeLog(old.log, end) }
  checkCommon(old, next)
  assert(next.token === old.token, 'giving a file up keeps the token')
  assert(
    old.log.filter(entry => entry.end !== null).every((entry, index) => sameEntry(entry, next.log[index])),
    'giving a file up keeps every closed file',
  )
  assert(lastEpoch(next.log) === end.epoch, 'a file given up ends at the accepted end')
  return next
}

/**
 * History goes on from an older epoch: what lies beyond it is no longer named, and a new lineage begins. `image`: the manifest whose segments
 * it stands on, the old one or an earlier one that is kept.
 */
export function fork(old: Manifest, end: LogPosition, lineageId: string, image: Manifest = old): Manifest {
  const covered = image.fold?.epoch ?? 0
  assert(covered <= end.epoch, 'a fork stands on segments that know nothing beyond it')
  const retained = old.retained.filter(point => point.epoch < covered)
  const next: Manifest = {
    ...old,
    number: old.number + 1,
    fold: image.fold,
    young: image.young,
    base: image.base,
    retained,
    log: closeLog(old.log, end),
    lineage: [...lineagesLeft(old.lineage, retained[0]?.epoch ?? covered, end.epoch), { id: lineageId, forkEpoch: end.epoch }],
  }
  checkCommon(old, next, 'forked')
  assert(next.token === old.token, 'a fork keeps the token')
  assert(!old.lineage.some(entry => entry.id === lineageId), 'a fork begins a new lineage')
  assert(next.lineage[0] === old.lineage[0], 'a fork keeps the first lineage')
  assert(lastEpoch(next.log) === end.epoch, 'a fork ends where it says')
  assert(
    next.log.every((entry, index) => index === next.log.length - 1 || sameEntry(entry, old.log[index])),
    'a fork keeps what comes before it',
  )
  return next
}

/**
 * Of the others no epoch is left, and a service that goes back at each start would add to the list for ever: what they have is given up, or lies
 * before the oldest epoch that is kept, as that does with which the one behind them begins. The first stays in any case: a list begins with one at 0.
 */
function lineagesLeft(lineage: Manifest['lineage'], oldestEpoch: number, forkEpoch: number): Manifest['lineage'] {
  const below = lineage.filter((entry, at) => at === 0 || entry.forkEpoch < forkEpoch)
  return below.filter((_, at) => at === 0 || (below[at + 1]?.forkEpoch ?? forkEpoch) >= oldestEpoch)
}

/** A fork whose open did not end well is undone: all is as before it, above it. `last`: the newest manifest, which stands on the fork. */
export function unfork(before: Manifest, last: Manifest): Manifest {
  const next: Manifest = { ...before, number: last.number + 1 }
  checkCommon(before, next)
  assert(last.writer === before.writer && last.token === before.token, 'a fork is undone by who made it')
  return next
}

/** The list up to the accepted end, its last file closed there. */
export function closeLog(log: readonly LogEntry[], end: LogPosition): readonly LogEntry[] {
  const at = end.file === null ? -1 : log.findIndex(entry => entry.file === end.file)
  assert(end.file === null || at >= 0, 'the accepted end lies in a named file')
  return log
    .slice(0, at + 1)
    .map((entry, index) => (index === at ? { file: entry.file, end: { bytes: end.bytes, epoch: end.epoch, digest: end.digest } } : entry))
}

function checkCommon(old: Manifest, next: Manifest, lineage: 'kept' | 'forked' = 'kept'): void {
  assert(next.number > old.number, 'manifest numbers rise')
  assert(next.token >= old.token, 'the token never falls')
  assertNumbers(next)
  assert(next.storeId === old.storeId, 'a store keeps its id')
  assert(lineage === 'forked' || next.lineage === old.lineage, 'a fork alone changes the lineages')
  let epoch = 0
  for (const [index, entry] of next.log.entries()) {
    assert(entry.end !== null || index === next.log.length - 1, 'only the last log file is open')
    assert(entry.end === null || entry.end.epoch >= epoch, 'epochs are in order')
    epoch = entry.end?.epoch ?? epoch
  }
}

function lastEpoch(log: readonly LogEntry[]): number {
  return log.at(-1)?.end?.epoch ?? 0
}

function sameEntry(a: LogEntry, b: LogEntry | undefined): boolean {
  return (
    b !== undefined &&
    a.file === b.file &&
    a.end?.bytes === b.end?.bytes &&
    a.end?.epoch === b.end?.epoch &&
    a.end?.digest === b.end?.digest
  )
}
