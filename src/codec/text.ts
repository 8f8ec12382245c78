/**
 * Strings and bytes, by the fastest calls Node.js has. The sliced and written ranges are always checked by the caller.
 */
import { constants } from 'node:buffer'

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

/** The text of well-formed UTF-8. The runtime refuses more bytes than a string may have units, however few units they are. */
export function readUtf8(bytes: Buffer, start: number, end: number, bytesMax = constants.MAX_STRING_LENGTH): string {
  if (end - start <= bytesMax) return fast(bytes).utf8Slice(start, end)
  let text = ''
  let at = start
  while (at < end) {
    let next = Math.min(at + bytesMax, end)
    // Not within a character, which has three bytes at most behind its first.
    for (let back = 0; back < 3 && next < end && ((bytes[next] as number) & 0xc0) === 0x80; back++) next--
    text += fast(bytes).utf8Slice(at, next)
    at = next
  }
  return text
}

const wellFormed = (String.prototype as unknown as { isWellFormed(this: string): boolean }).isWellFormed

/** False when a surrogate stands alone: such text has no UTF-8. */
export function isWellFormed(text: string): boolean {
  return wellFormed.call(text)
}

/** Writes UTF-8 at `at` and gives its end, or -1 when a surrogate stands alone. Three bytes for each unit must be free. */
export function writeUtf8(bytes: Uint8Array, start: number, text: string): number {
  let at = start
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index)
    if (unit < 0x80) bytes[at++] = unit
    else if (unit < 0x800) {
      bytes[at++] = 0xc0 | (unit >> 6)
      bytes[at++] = 0x80 | (unit & 0x3f)
    } else if (unit < 0xd800 || unit > 0xdfff) {
      bytes[at++] = 0xe0 | (unit >> 12)
      bytes[at++] = 0x80 | ((unit >> 6) & 0x3f)
      bytes[at++] = 0x80 | (unit & 0x3f)
    } else {
      const point = text.codePointAt(index) as number
      if (point <= 0xffff) return -1
      index++
      bytes[at++] = 0xf0 | (point >> 18)
      bytes[at++] = 0x80 | ((point >> 12) & 0x3f)
      bytes[at++] = 0x80 | ((point >> 6) & 0x3f)
      bytes[at++] = 0x80 | (point & 0x3f)
    }
  }
  return at
}
