/** Layers put together: tables of records, and images of many layers (RFC 0006). */
export { type BasePart, Image, type ImageParts, type SegmentLayer } from './image.ts'
export { LiveCursor, liveCursor } from './live.ts'
export { countImage, type Named, type OpenedSegments, openSegments, type Reused } from './open.ts'
export { RecordTable } from './table.ts'
export { TailTable } from './tail-table.ts'
