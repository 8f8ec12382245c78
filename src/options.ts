/** Settings with their defaults. Does not own: what may be given (settings.ts). */
import { DAY_MS } from './base/durations.ts'
import { TidemarkError } from './base/errors.ts'
import { LOG_FILE_BYTES_MAX, TIMER_MS_MAX } from './base/limits.ts'
import { type ValueCodec, wrapCodec } from './codec/index.ts'
import type { CadenceSettings } from './schedule/index.ts'
import { checkSettings, keepsPast, refuse, type Settings } from './settings.ts'

export type { Settings } from './settings.ts'

export interface ResolvedSettings {
  readonly readOnly: boolean
  readonly cadence: CadenceSettings
  readonly stallMsMax: number
  readonly ioBytesPerSecondMax: number
  readonly memoryBytesMax: number
  readonly at: 'latest' | number | Date
  readonly hydrate: 'background' | 'on-demand' | 'eager'
  readonly onDamage: 'refuse' | 'fall-back'
  readonly retention: { readonly keepLast: number; readonly keepMs: number }
  /** Fold points that are there when the store is opened stay, whatever `retention` says. */
  readonly keepsPast: boolean
  readonly compression: 'zstd' | 'deflate' | 'none'
  readonly lock: 'os' | 'none'
  readonly codecs: readonly ValueCodec[]
  readonly untracked: boolean
  readonly sample: number
}

export function resolveSettings(given: Settings = {}): ResolvedSettings {
  const settings = checkSettings(given)
  const memoryBytesMax = settings.budget?.memoryBytesMax ?? Number.POSITIVE_INFINITY
  const hydrate = settings.restore?.hydrate ?? 'background'
  if (memoryBytesMax !== Number.POSITIVE_INFINITY && hydrate !== 'on-demand') {
    throw new TidemarkError('TIDEMARK_SETTINGS', `setting 'budget.memoryBytesMax' needs restore.hydrate 'on-demand', not '${hydrate}'`, {
      hint: "set restore: { hydrate: 'on-demand' }: the other ways bring everything into memory",
      info: { path: 'budget.memoryBytesMax' },
    })
  }
  return {
    readOnly: settings.readOnly ?? false,
    cadence: resolveCadence(settings.checkpoint ?? Object.create(null)),
    stallMsMax: settings.budget?.stallMsMax ?? 1,
    ioBytesPerSecondMax: settings.budget?.ioBytesPerSecondMax ?? Number.POSITIVE_INFINITY,
    at: settings.restore?.at ?? 'latest',
    hydrate,
    memoryBytesMax,
    onDamage: settings.restore?.onDamage ?? 'refuse',
    retention: { keepLast: settings.retention?.keepLast ?? 3, keepMs: settings.retention?.keepMs ?? 3_600_000 },
    keepsPast: keepsPast(settings),
    compression: settings.compression ?? 'zstd',
    lock: settings.lock ?? 'os',
    codecs: (settings.codecs ?? []).map(codec => wrapCodec(codec)),
    untracked: settings.debug?.untracked ?? false,
    sample: settings.debug?.sample ?? 1000,
  }
}

function resolveCadence(given: NonNullable<Settings['checkpoint']>): CadenceSettings {
  const { intervalMs = 1000, intervalMsMin = intervalMs / 4, deltaBytesMax = LOG_FILE_BYTES_MAX, cycleMs = DAY_MS } = given
  const intervalMsMax = given.intervalMsMax ?? Math.min(TIMER_MS_MAX, 4 * intervalMs)
  if (intervalMsMin > intervalMs) refuse('checkpoint.intervalMsMin', `at most intervalMs, which is ${intervalMs}`, intervalMsMin)
  if (intervalMs === 0 && given.intervalMsMax !== undefined)
    refuse('checkpoint.intervalMsMax', 'left out where intervalMs is 0: nothing is checkpointed unless asked for', intervalMsMax)
  if (intervalMsMax < intervalMs) refuse('checkpoint.intervalMsMax', `at least intervalMs, which is ${intervalMs}`, intervalMsMax)
  return { intervalMs, intervalMsMin, intervalMsMax, elastic: given.intervalMsMax !== undefined, deltaBytesMax, cycleMs }
}
