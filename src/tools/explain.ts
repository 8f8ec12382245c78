/** The verb that says what the scheduler decided of late, and why. Owns no state; safe beside a living writer. */
import { explain as explanationOf, type StoredDecision } from 'tidemark'
import type { Verb } from './usage.ts'

const SHOWN = 30

/** What a decision means, for people; one of a later version shows its own words. */
const MEANINGS: Readonly<Record<string, string>> = {
  'barrier interval': 'a checkpoint: the window was over',
  'barrier lull': 'a checkpoint: it was quiet, and it would be due soon',
  'barrier delta': 'a checkpoint: the delta had reached deltaBytesMax',
  'barrier rpo': 'a checkpoint: waiting longer would have broken the RPO',
  'barrier asked': 'a checkpoint: checkpoint(), durable() or close() asked for it',
  'barrier retry': 'a checkpoint: once more after a failure',
  'widen rewrites': 'longer windows: under this load they save writing the same keys again',
  'narrow calm': 'shorter windows: there is room for them again',
  'narrow slow-commits': 'shorter windows: commits take so long that longer ones would break the RPO',
  'pause loop': 'checkpoints wait: the event loop has no free moment',
  'pause writer': 'checkpoints wait: the writer is behind',
  'pause storage': 'checkpoints wait: the storage is slow',
  'resume calm': 'checkpoints wait no longer',
  'upkeep-held busy': 'folding and merging wait: this is the busy part of the day',
  'upkeep-slow even': 'folding and merging go on as always: neither busy nor quiet, or not known',
  'upkeep-free lull': 'folding and merging use the quiet part of the day',
  'pressure-high failing': 'pressure: checkpoints fail',
  'pressure-high storage': 'pressure: the storage does not keep up',
  'pressure-high writer': 'pressure: the writer does not keep up',
  'pressure-low calm': 'no pressure any more',
  'left-out pressure': 'checkpoints leave rebuildable collections out from here on: durability does not keep up',
  'taken-in durable': 'nothing lags any more: a checkpoint holds all collections again',
  'rpo-broken failing': 'RPO BROKEN: checkpoints fail',
  'rpo-broken storage': 'RPO BROKEN: the storage does not keep up',
  'rpo-broken loop': 'RPO BROKEN: the event loop was blocked',
  'rpo-broken held': 'RPO BROKEN: a hold or a transaction was in the way',
  'rpo-met durable': 'RPO met again',
}

export const explain: Verb = {
  usage: 'explain <dir> [--all] [--json]',
  what: `what was decided of late and why: when checkpoints are made, when folding waits (the last ${SHOWN}; --all for all kept)`,
  positionals: [1, 1],
  options: { all: { type: 'boolean' } },
  run: async ({ positionals: [directory], flags }) => {
    const explanation = await explanationOf(directory as string)
    const { savedMs, decisions, day, cycleMs } = explanation
    if (savedMs === 0)
      return { json: explanation, text: ['nothing is kept yet: a store that makes automatic checkpoints keeps it within a minute'] }
    const shown = flags['all'] === true ? decisions : decisions.slice(-SHOWN)
    return {
      json: explanation,
      text: [
        ...shown.map(line),
        `as of ${new Date(savedMs).toISOString()}`,
        ...(day.length > 0 ? [`known of the load: ${day.length} of 96 parts of ${Number((cycleMs / 96 / 1000).toPrecision(4))} s`] : []),
      ],
    }
  },
}

function line({ time, until, times, type, reason, numbers }: StoredDecision): string {
  const when = times > 1 ? `${stamp(time)} .. ${stamp(until)}  ${times} times` : stamp(time)
  const meaning = MEANINGS[`${type} ${reason}`] ?? `${type}: ${reason}`
  const facts = Object.entries(numbers).map(([name, value]) => `${name} ${Number(value.toPrecision(4))}`)
  return `${when}  ${meaning}${facts.length > 0 ? `  (${facts.join(', ')})` : ''}`
}

function stamp(ms: number): string {
  const date = new Date(ms)
  return Number.isNaN(date.getTime()) ? String(ms) : date.toISOString()
}
