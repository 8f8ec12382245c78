/** Where the engine can be killed from inside: each step of append, sync, commit, roll, manifest, takeover, fold, merge and collection. */
import { FAILPOINTS, UPKEEP_FAILPOINTS } from '../../src/base/failpoint.ts'

/**
 * `manifest.*` is reached while opening and in the writer, and each is a place of its own. `fail.*` takes a failing system call: see
 * faults.test.ts and takeover.test.ts.
 */
export const PLACES: readonly string[] = [
  ...FAILPOINTS.filter(name => !name.startsWith('fail.')).flatMap(name =>
    name.startsWith('manifest.') ? [`open/${name}`, `writer/${name}`] : [name],
  ),
  ...UPKEEP_FAILPOINTS,
]
