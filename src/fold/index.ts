/** Upkeep in the background: folding, merging, collecting (RFC 0006, section 2). */
export type { FoldingParts, FoldNews, Thresholds } from './contract.ts'
export { Folding } from './folding.ts'
export type { TailSize } from './tail.ts'
