/** What an open store says of how it was restored. Owns nothing. */
import { entriesOf, laggingIn } from '../format/index.ts'
import type { LoadResult, OpenedStore } from '../restore/index.ts'
import type { Restored } from './types.ts'

export function describeRestore(opened: OpenedStore, loaded: LoadResult, durationMs: number): Restored {
  const { report, catalogue } = loaded
  const { epoch, timeMs, records } = loaded.tail
  const { damage, healed, torn } = report
  const notes = [
    ...opened.damagedManifests.map(
      ({ file, message }) => `${file} does not verify (${message}); an older manifest was taken and the log followed on`,
    ),
    ...(opened.older === undefined ? [] : [opened.older]),
    ...healed.map(({ file, offset, what }) => `${file} at ${offset}: ${what} was damaged and is healed`),
    ...(torn === null || torn.unsealedEpoch === null
      ? []
      : [`${torn.file} at ${torn.offset}: epoch ${torn.unsealedEpoch} is incomplete and was never acknowledged as far as can be told`]),
  ]
  return {
    epoch,
    timeMs,
    entries: entriesOf(catalogue),
    records,
    durationMs,
    lost: damage ?? undefined,
    lagging: laggingIn(catalogue),
    notes,
  }
}
