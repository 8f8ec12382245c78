/**
 * Strings and bytes, by the fastest calls Node.js has. The sliced and written ranges are always checked by the caller.
 */

/** Methods every Buffer has had since Node.js 0.x; the documented `toString` and `write` end in them after parsing their arguments. */
interface FastBuffer {
  latin1Slice(start: number, end: number): string
  utf8Slice(start: number, end: number): string
  ucs2Slice(start: number, end: number): string
  latin1Write(text: string, offset: number, length: number): number
  utf8Write(text: string, offset: number, length: number): number
  ucs2Write(text: string, offset: number, length: number): number
}

/** The same Buffer, seen with its fast methods. */
export function fast(bytes: Buffer): FastBuffer {
  return bytes as unknown as FastBuffer
}

const wellFormed = (String.prototype as unknown as { isWellFormed(this: string): boolean }).isWellFormed

/** False when a surrogate stands alone: such text has no UTF-8. */
export function isWellFormed(text: string): boolean {
  return wellFormed.call(text)
}
