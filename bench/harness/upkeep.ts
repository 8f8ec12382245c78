/** A store that has run for a while: filled as a service fills it, its upkeep at rest. */
import type { Store } from 'tidemark'
import { sleep, turn } from './child.ts'
import { bytesWritten } from './written.ts'

const KEYS_PER_TURN = 2000
const KEYS_PER_CHECKPOINT = 200_000
/** Below it folding may wait for more: records behind the fold point at which it is due. */
export const FOLDED_RECORDS = 24_576
/** Nothing has happened for so long: at rest. In a small store no job takes as long without a trace. */
const CALM_MS = 3000
const CALM_MS_SMALL = 1000
const SMALL_KEYS = 100_000
/**
 * Nothing has happened for so long, and dead files are removed too: after 30 s the newest manifest is written once more, and what the one before it
 * named is dead; the grace is 10 s, found dead and removed in sweeps of their own.
 */
export const COLLECTED_MS = 55_000
const LOOK_MS = 50
const FOLD_MS_MAX = 1500
const TIMEOUT_MS = 600_000
/** Written in a span without work, such as this process's own messages. */
const NOTHING_BYTES = 16_384

/** Commits what was changed; gives the epoch. */
export async function commit(store: Store): Promise<number> {
  return (await store.checkpoint({ timeoutMs: TIMEOUT_MS })).epoch
}

/**
 * Puts `count` entries, a checkpoint every 200,000, with some time to fold each before the next, but not all it wants: it takes the time that it
 * was given between commits before. Gives the epoch that is to be folded at least.
 */
export async function fill(store: Store, count: number, put: (index: number) => void): Promise<number> {
  let folded = 0
  for (let at = 0; at < count; ) {
    const begin = at
    for (const end = Math.min(count, at + KEYS_PER_CHECKPOINT); at < end; at++) {
      put(at)
      if (at % KEYS_PER_TURN === 0) await turn()
    }
    const epoch = await commit(store)
    if (at - begin < FOLDED_RECORDS) continue
    folded = epoch
    await untilFolded(store, epoch, FOLD_MS_MAX)
  }
  return folded
}

export async function untilFolded(store: Store, epoch: number, msMax = Number.POSITIVE_INFINITY): Promise<void> {
  const end = performance.now() + msMax
  while (store.stats().upkeep.foldedEpoch < epoch && performance.now() < end) await sleep(LOOK_MS)
}

export function calmMsOf(keys: number): number {
  return keys > SMALL_KEYS ? CALM_MS : CALM_MS_SMALL
}

/**
 * Until all up to `epoch` is folded and nothing has happened for `calmMs`: neither a job that ended, which the store tells, nor a byte of
 * one under way, which only the system knows.
 */
export async function untilAtRest(store: Store, epoch: number, calmMs: number): Promise<void> {
  await untilFolded(store, epoch)
  let said = ''
  let written = 0
  for (let since = performance.now(); performance.now() - since < calmMs; ) {
    await sleep(LOOK_MS)
    const now = JSON.stringify(store.stats().upkeep)
    const bytes = bytesWritten() ?? 0
    if (now === said && bytes - written < NOTHING_BYTES) continue
    said = now
    written = bytes
    since = performance.now()
  }
}
