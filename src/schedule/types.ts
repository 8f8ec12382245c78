/** The words of the scheduler. Plain data, but for what it is given. */
import type { Clock, LoopLoad } from '../base/clock.ts'

/** What upkeep may do: wait for a quieter time, go on as always, or use the quiet there is. */
export type UpkeepLevel = 'held' | 'slow' | 'free'

/** Every kind of decision, with its reasons. */
export const DECISIONS = {
  /** A barrier falls. */
  barrier: ['interval', 'lull', 'delta', 'rpo', 'asked', 'retry'],
  /** The window becomes longer. */
  widen: ['rewrites'],
  /** The window becomes shorter again. */
  narrow: ['calm', 'slow-commits'],
  /** Barriers wait while the RPO has room. */
  pause: ['loop', 'writer', 'storage'],
  resume: ['calm'],
  'upkeep-held': ['busy'],
  'upkeep-slow': ['even'],
  'upkeep-free': ['lull'],
  'pressure-high': ['failing', 'storage', 'writer'],
  'pressure-low': ['calm'],
  /** From this epoch on so many rebuildable collections are left out; from this one on none. */
  'left-out': ['pressure'],
  'taken-in': ['durable'],
  /** A change is older than the RPO allows and not durable. */
  'rpo-broken': ['failing', 'storage', 'loop', 'held'],
  'rpo-met': ['durable'],
} as const satisfies Record<string, readonly string[]>

export type DecisionType = keyof typeof DECISIONS
export type DecisionReason<Type extends DecisionType = DecisionType> = (typeof DECISIONS)[Type][number]
export type BarrierReason = DecisionReason<'barrier'>
/** Of barriers that are not decided on by looks at the clock: somebody asked, an epoch failed, a collection has an RPO of its own. */
export type CutReason = Extract<BarrierReason, 'asked' | 'retry' | 'rpo'>

/** What was decided and why. */
export interface Decision {
  /** ms since 1970. */
  readonly time: number
  readonly type: DecisionType
  readonly reason: DecisionReason
  /** What it was decided on: milliseconds, bytes, counts and shares, each named so. */
  readonly numbers: Readonly<Record<string, number>>
}

/** Notes a decision, and says it. */
export type Decide = <Type extends DecisionType>(type: Type, reason: DecisionReason<Type>, numbers: Decision['numbers']) => void

export interface CadenceSettings {
  /** 0: no barrier but those asked for. */
  readonly intervalMs: number
  readonly intervalMsMin: number
  /** The RPO. */
  readonly intervalMsMax: number
  /** Whether windows may be made longer than `intervalMs`, and moved into lulls. */
  readonly elastic: boolean
  readonly deltaBytesMax: number
  readonly cycleMs: number
}

export interface CadenceParts {
  readonly clock: Clock
  readonly loopLoad: LoopLoad
  readonly settings: CadenceSettings
  /** Is told of every decision, once, and of the pressure at that moment. */
  readonly decided: (decision: Decision, pressure: number) => void
}

export interface Look {
  /** A barrier is to fall now, or as soon as the epoch under way has ended. */
  readonly barrier: BarrierReason | undefined
  readonly againMs: number
}

/** Of one collection: keys listed as changed since the last barrier, some of them twice. */
export interface Changed {
  readonly id: number
  readonly keys: number
  /** Each counts once, however often it was written. */
  readonly distinct?: true
  /** The next barrier would leave it out. */
  readonly waits?: true
  /** What the drain has made of so many of the keys, those included that it passed over because they were written again. */
  readonly drained?: { readonly keys: number; readonly bytes: number }
}

/** Of a critical collection: at most so old is its change that waits for a barrier, of what it asked for; and so late that was noticed. */
export type OwnRpo = Readonly<Record<'rpoMs' | 'rpoMsMax' | 'lateMs', number>>

/** How long the writer took for a block, and how much of that it worked: for the rest it waited for the storage, or for its room below the ceiling. */
export type Took = Readonly<Record<'ms' | 'workMs', number>>

/** What became durable. */
export interface Committed {
  readonly records: number
  /** Record bytes of every live collection; of one with `asOf` nothing was written: it was left out. */
  readonly written: readonly { readonly id: number; readonly bytes: number; readonly asOf?: number }[]
}

/** What is to be seen of the engine at a look. */
export interface Seen {
  /** Something changed that no barrier has cut, and can be written. */
  readonly dirty: boolean
  readonly changed: readonly Changed[]
  readonly collections: number
  /** False: `changed` does not grow any more, although keys are written. */
  readonly counted: boolean
  /** Handed to the writer and not credited back. */
  readonly inFlightBytes: number
  readonly lag: LagAges
}

/** How old the oldest change is of what epochs leave out; 0: nothing lags. */
export interface LagAges {
  /** That is not durable. */
  readonly laggingMs: number
  /** That no barrier has taken. */
  readonly uncutMs: number
}

export interface ScheduleStats {
  /** The time between barriers aimed at now. */
  readonly windowMs: number
  readonly lull: boolean
  /** Barriers wait, as long as the RPO lets them. */
  readonly paused: boolean
  readonly upkeep: UpkeepLevel
  /** From 0, durability keeps up, to 1. */
  readonly pressure: number
  /**
   * At most so old is the oldest change that is not durable; 0: none is. What a crash now would lose, but for what waits for a reason of its
   * own: rebuildable collections that epochs leave out (see `laggingMs`), values that were refused (see `stats().refused`) and insignificant
   * changes (see `insignificant` of each collection). With `intervalMs: 0` nobody looks: a change counts from the last barrier, or from the last time
   * that this was asked for and there was none.
   */
  readonly rpoMs: number
  /** The highest since `open`. */
  readonly rpoMsWorst: number
  /** Promised, as `checkpoint.intervalMsMax`; 0: barriers fall only when asked for. */
  readonly rpoMsMax: number
  /**
   * At most so old is the oldest change that is not durable of rebuildable collections that epochs leave out under pressure; 0: none lags.
   * Promised: ten times `checkpoint.intervalMs`, or `checkpoint.intervalMsMax` where that is more.
   */
  readonly laggingMs: number
  /** Estimated record bytes that the next barrier would write, if it fell now. */
  readonly deltaBytes: number
  /** Share of the day of which the pattern is known, 0 to 1. */
  readonly dayKnown: number
  /** Decisions made since `open`. */
  readonly decisions: number
}
