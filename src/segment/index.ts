/** Segments: so far the contract of a layer and the membership filter (RFC 0006). */
export { buildFilter, filterBytes, filterHas } from './filter.ts'
export type { Found, Layer, LayerCursor, Range } from './layer.ts'
