/** Upkeep in the background: folding, merging, collecting (RFC 0006, section 2). */
export { Folding, type FoldingParts, type FoldNews, type Thresholds } from './folding.ts'
export type { TailSize } from './tail.ts'
