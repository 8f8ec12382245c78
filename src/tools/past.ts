/**
 * What the verbs that write keep of a store that has a past: what the service keeps of it is known to the service alone, so all of it stays. The oldest
 * fold point would do for a log that is whole; behind damage in it a later one is the only way to the epochs that came after. Of the fold points that
 * a verb makes behind what its opening found only the newest: a restore makes none there, and of an import each holds what was merged since, and all of
 * them together several times what was imported. The name is the engine's own.
 */
export const PAST = { keepLast: 3, keepMs: 0, [Symbol.for('tidemark.keepPast')]: true }
