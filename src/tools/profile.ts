/** The verb that says how a store is written and what could be set otherwise: profile. Owns no state; safe beside a living writer. */
import {
  type CollectionProfile,
  type Distribution,
  type Effect,
  type IntervalEffect,
  type Profile,
  profile as profileOf,
  type Recommendation,
} from 'tidemark'
import { UsageError, type Verb } from './usage.ts'

/** The most that a profile takes. */
const FOR_SECONDS_MAX = 604_800
const COLLECTIONS_SHOWN = 10
const LULLS_SHOWN = 3
const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS

export const profile: Verb = {
  usage: 'profile <dir> [--collection NAME] [--for SECONDS] [--json]',
  what: 'how the store is written, and what could be set otherwise; --for: of the next so many seconds, not of what is stored',
  positionals: [1, 1],
  options: { collection: { type: 'string' }, for: { type: 'string' } },
  run: async ({ positionals: [directory], flags }) => {
    const forMs = millisecondsOf(flags['for'])
    const name = flags['collection']
    if (name === '') throw new UsageError(`'' is no name of a collection`, 'tidemark status <dir> lists them')
    const found = await profileOf(directory as string, { forMs, ...(typeof name === 'string' ? { collection: name } : {}) })
    return { ok: found.ok, json: found, text: textOf(found, forMs > 0) }
  },
}

function millisecondsOf(text: string | boolean | undefined): number {
  if (text === undefined) return 0
  const seconds = typeof text === 'string' && text.trim() !== '' ? Number(text) : Number.NaN
  if (!(seconds > 0)) throw new UsageError(`'${text}' is no number of seconds`, 'profile <dir> --for 60')
  if (seconds > FOR_SECONDS_MAX)
    throw new UsageError(`'${text}' is more than ${FOR_SECONDS_MAX} seconds`, 'of what is stored, profile tells without --for')
  return 1000 * seconds
}

/** `followed`: of a time in which the store was looked at, not of what is stored. */
export function textOf(found: Profile, followed: boolean): string[] {
  const { history, all, collections, recommendations } = found
  const nothing = followed ? 'nothing was written in the time it was followed' : 'there is no history to look at: no epoch is retained'
  if (history.epochs === 0) return [...problems(found), nothing]
  const shown = collections.slice(0, COLLECTIONS_SHOWN)
  return [
    ...problems(found),
    `history     ${history.epochs} epochs, ${history.firstEpoch} to ${history.lastEpoch}, ${time(history.coveredMs)} from ${new Date(history.fromMs).toISOString()}${breaks(history)}`,
    `interval    ${history.intervalMs === 0 ? 'not known: no time lies between two epochs' : `${time(history.intervalMs)}; ${percent(history.regularShare)} of the barriers came so`}`,
    `log         ${size(history.logBytes)}${history.coveredMs === 0 ? '' : `, ${size(rate(history.logBytes, history.coveredMs))}/s`}; blocks ${size(history.blockBytes)} of ${size(history.rawBytes)} raw, ${history.compression === 'unknown' ? 'none of which would shrink' : history.compression}`,
    ...collectionText(all),
    ...(shown.length > 1 ? shown.flatMap(collectionText) : []),
    ...(collections.length > shown.length ? [`and ${collections.length - shown.length} more collections: --json`] : []),
    ...timeText(found),
    ...intervalText(found.intervals),
    ...blockText(found),
    ...(recommendations.length === 0 ? ['', 'nothing to recommend: no change would gain more than the error of its figures'] : []),
    ...recommendations.flatMap(recommendationText),
  ]
}

function problems({ history: { damage, notes } }: Profile): string[] {
  const damaged =
    damage === undefined ? [] : [`damaged: ${damage.file} at ${damage.offset}: ${damage.message}; the figures are of what lies before`]
  return [...damaged, ...notes.map(note => `note: ${note}`)]
}

function breaks({ restarts, missedEpochs }: Profile['history']): string {
  return `${restarts > 0 ? `, ${restarts} restarts` : ''}${missedEpochs > 0 ? `, ${missedEpochs} epochs given back unread` : ''}`
}

function collectionText(of: CollectionProfile): string[] {
  const { hotSet, large } = of
  const title = ['', `${JSON.stringify(of.name)}  ${of.kind === 'several' ? '' : `${of.kind}, `}${count(of.entries)} entries`]
  if (of.records === 0) return [...title, '  written     nothing']
  // Where no time passed, there is no rate.
  const rates = of.recordsPerSecond === 0 ? '' : `${count(of.recordsPerSecond)} records/s, ${size(of.bytesPerSecond)}/s raw; `
  const about = of.sampledShare === 1 ? '' : ` ± ${percent(of.distinctErrorShare)} (${percent(of.sampledShare)} of the keys followed)`
  const merged = of.merged.map(
    ({ factor, bytesShare, errorShare }) => `${factor} × ${percent(bytesShare)}${errorShare > 0 ? ` ± ${percent(errorShare)}` : ''}`,
  )
  return [
    ...title,
    `  written     ${rates}${count(of.records)} records, ${percent(of.deletedShare)} deletes`,
    `  epoch       records ${distribution(of.recordsPerEpoch, count)}; bytes ${distribution(of.bytesPerEpoch, size)}`,
    `  record      ${distribution(of.recordBytes, size)}${large.records > 0 ? `; ${large.records} of 64 KiB and more are ${percent(large.bytesShare)} of the bytes` : ''}`,
    `  keys        ${count(of.distinctKeys)}${about}, written ${of.rewriteRatio.toFixed(1)} times each`,
    `  hot set     half of the records: ${count(hotSet.keys50)} keys; nine tenths: ${count(hotSet.keys90)} keys, ${size(hotSet.bytes90)}`,
    `  redundant   ${percent(of.redundantShare)} of the records; written twice within an epoch: ${percent(of.wastedBytesShare)} of the bytes`,
    `  left of the bytes, were so many intervals one:  ${merged.join('   ')}`,
  ]
}

function timeText({ rate: { stepMs, recordsPerSecond }, daily, lulls, history }: Profile): string[] {
  if (history.coveredMs === 0) return []
  const most = recordsPerSecond.reduce((a, b) => Math.max(a, b), 0)
  const lines = ['', `over time   ${sparkline(recordsPerSecond)}  steps of ${time(stepMs)}, at most ${count(most)} records/s`]
  if (lulls.count > 0) {
    const longest = lulls.longest
      .slice(0, LULLS_SHOWN)
      .map(({ fromMs, durationMs }) => `${time(durationMs)} from ${new Date(fromMs).toISOString()}`)
    lines.push(`lulls       ${lulls.count}, ${percent(lulls.timeShare)} of the time; ${longest.join('; ')}`)
  } else lines.push('lulls       none')
  if (daily.enough) {
    const byHour = Array.from({ length: 24 }, (_, hour) => daily.hours.find(each => each.hour === hour)?.recordsPerSecond ?? 0)
    lines.push(`by hour     ${sparkline(byHour)}  0 to 23 h UTC`)
  } else if (history.coveredMs >= DAY_MS) lines.push('by hour     the history does not show each hour of the day')
  else lines.push(`by hour     the history is too short for a daily pattern: ${time(history.coveredMs)} (retention.keepMs keeps more)`)
  return lines
}

function intervalText(intervals: readonly IntervalEffect[]): string[] {
  if (intervals.length === 0) return []
  return [
    '',
    'interval    log bytes/s        commits/s',
    ...intervals.map(
      ({ intervalMs, bytesPerSecond, commitsPerSecond, errorShare }) =>
        `${time(intervalMs).padEnd(12)}${`${size(bytesPerSecond)}/s${errorShare > 0 ? ` ± ${percent(errorShare)}` : ''}`.padEnd(19)}${commitsPerSecond < 0.1 ? commitsPerSecond.toPrecision(2) : commitsPerSecond.toFixed(2)}`,
    ),
  ]
}

function blockText({ blocks }: Profile): string[] {
  if (blocks.length === 0) return []
  return [
    '',
    'blocks      raw      ratio   compress    cold get (without the read)',
    ...blocks.map(
      ({ compression, level, blockBytes, ratio, compressUs, getUs }) =>
        `${`${compression}${compression === 'none' ? '' : ` ${level}`}`.padEnd(12)}${size(blockBytes).padEnd(9)}${ratio.toFixed(2).padEnd(8)}${`${compressUs.toFixed(0)} us`.padEnd(12)}${getUs.toFixed(0)} us`,
    ),
  ]
}

function recommendationText({ setting, kind, collection, from, to, why, expected }: Recommendation): string[] {
  const effects = Object.entries(expected) as [string, Effect][]
  return [
    '',
    `${kind === 'hint' ? 'consider' : 'recommended'}: ${setting}${collection === undefined ? '' : ` of ${JSON.stringify(collection)}`}: ${from} -> ${to}`,
    `  ${why}`,
    ...effects.map(
      ([name, { before, after, errorShare }]) =>
        `  ${name.padEnd(18)} ${number(before)} -> ${number(after)}${errorShare > 0 ? ` ± ${percent(errorShare)}` : ''}`,
    ),
  ]
}

function distribution({ p50, p90, p99, max }: Distribution, show: (value: number) => string): string {
  return `p50 ${show(p50)}, p90 ${show(p90)}, p99 ${show(p99)}, max ${show(max)}`
}

const SPARKS = '▁▂▃▄▅▆▇█'
const SPARKS_MAX = 48

function sparkline(values: readonly number[]): string {
  const width = Math.max(1, Math.ceil(values.length / SPARKS_MAX))
  const joined: number[] = []
  for (let at = 0; at < values.length; at += width)
    joined.push(values.slice(at, at + width).reduce((a, b) => a + b, 0) / Math.min(width, values.length - at))
  const most = Math.max(...joined)
  return joined.map(value => (value === 0 ? '·' : SPARKS[Math.min(SPARKS.length - 1, Math.floor((SPARKS.length * value) / most))])).join('')
}

function rate(bytes: number, ms: number): number {
  return ms > 0 ? (1000 * bytes) / ms : 0
}

function number(value: number): string {
  return Math.abs(value) >= 100 ? String(Math.round(value)) : value.toPrecision(3)
}

function count(value: number): string {
  return Number.isInteger(value) || value >= 99.5 ? Math.round(value).toLocaleString('en') : value.toPrecision(2)
}

function percent(share: number): string {
  const hundredths = 100 * share
  return `${hundredths === 0 || hundredths >= 10 ? hundredths.toFixed(0) : hundredths.toFixed(1)} %`
}

function size(bytes: number): string {
  const step = bytes < 1024 ? 0 : bytes < 1024 ** 2 ? 1 : bytes < 1024 ** 3 ? 2 : 3
  const value = bytes / 1024 ** step
  return `${step === 0 ? value.toFixed(0) : value >= 100 ? value.toFixed(0) : value.toPrecision(3)} ${['B', 'KiB', 'MiB', 'GiB'][step]}`
}

function time(ms: number): string {
  if (ms < 1000) return `${ms.toFixed(0)} ms`
  if (ms < 2 * MINUTE_MS) return `${(ms / 1000).toPrecision(3)} s`
  return ms < 2 * HOUR_MS ? `${(ms / MINUTE_MS).toFixed(0)} min` : `${(ms / HOUR_MS).toFixed(1)} h`
}
