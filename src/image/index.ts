/** Layers put together: so far the table of records (RFC 0006). */
export { RecordTable } from './table.ts'
