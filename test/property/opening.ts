/** What a life opens its store with: drawn from its seed, so that one life differs from the next. */
import { type Components, openStore } from '../../src/open.ts'
import type { Settings } from '../../src/options.ts'
import type { Store } from '../../src/store.ts'
import { SeededRandom } from '../../src/testing/index.ts'
import type { Life } from './life.ts'
import { hydrateOf, SMALL } from './small.ts'

export const DIRECTORY = 'simulated'

export interface Opening {
  readonly settings: Settings
  readonly components: Components
}

export function openingOf(life: Life, untracked: boolean): Opening {
  const { seed, storage, scheduler, plan } = life
  const components: Components = {
    storage,
    scheduler,
    clock: scheduler.clock,
    random: new SeededRandom(seed),
    writer: 'inline',
    // Nothing lags: see classes.test.ts.
    pressed: () => false,
    fileBytesMax: 40_000,
    // Every other life has collections of more entries than a Map takes.
    ...(seed % 2 === 0 ? { mapEntriesMax: 1 + (seed % 5) } : {}),
    // Every few epochs, in some lives never: tables, merges and dead files come and go while the program runs.
    thresholds: { ...SMALL, bytes: [100, 600, 2 ** 40][seed % 3] as number },
  }
  const settings: Settings = {
    restore: { hydrate: hydrateOf(seed) },
    checkpoint: { intervalMs: plan.intervalMs },
    // Each reads what the ones before it wrote in another way.
    compression: (['none', 'zstd', 'deflate'] as const)[(seed + (seed >>> 4)) % 3] as 'none' | 'zstd' | 'deflate',
    retention: { keepLast: 1 + (seed % 3), keepMs: seed % 7 < 2 ? 3_600_000 : 0 },
    budget: { stallMsMax: 1, memoryBytesMax: life.evicts ? 0 : Number.POSITIVE_INFINITY },
    debug: { untracked },
  }
  return { settings, components }
}

/** Of a life: what it opens beside itself, or before it, reads only. */
export function openReader({ settings, components }: Opening, at: number | Date | 'latest' = 'latest'): Promise<Store> {
  const restore = { ...settings.restore, at }
  return openStore(DIRECTORY, { ...settings, readOnly: true, restore }, { ...components, random: new SeededRandom(7) })
}
