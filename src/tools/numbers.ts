/**
 * Numbers of JSON that are others once they are read: JSON.parse rounds what no number is, and two keys become one. Owns no state. Invariant: what
 * JSON.stringify writes of a number passes, and so does a text of any form that says it exactly; of a fraction nobody writes all digits: it passes.
 */

/** Digits of which a bigint is made to show it. */
const DIGITS_MAX = 100

/** An integer that is not written as one, perhaps: few lines hold it, and only these are looked through. */
const NOT_PLAIN = /"key"\s*:\s*-?\d+[.e]/i

export interface Misread {
  /** As it stands in the text. */
  readonly source: string
  /** Of an integer that is not too long. */
  readonly exact: bigint | undefined
}

/** Whether `key`, which was read from the field `key` of the object in `text`, may be another number than the text says; undefined: it is that one. */
export function misread(text: string, key: number): Misread | undefined {
  if (Number.isFinite(key) && !Number.isInteger(key)) return undefined
  if (Number.isSafeInteger(key) && !NOT_PLAIN.test(text)) return undefined
  const source = sourceOf(text, 'key')
  if (says(source, key)) return undefined
  return { source, exact: /^-?\d+$/.test(source) && source.length <= DIGITS_MAX ? BigInt(source) : undefined }
}

/** Whether `number`, which was read from `source`, is the one that its decimal digits say; a fraction always is. */
export function says(source: string, number: number): boolean {
  if (!Number.isFinite(number)) return false
  if (!Number.isInteger(number)) return true
  const said = normal(source)
  return said !== undefined && (said === normal(String(number)) || said === normal(String(BigInt(number))))
}

/** Of the text of a number, the same for all that say the same; undefined: it is no decimal one. */
function normal(source: string): string | undefined {
  const form = /^([+-]?)(\d*)\.?(\d*)(?:e([+-]?\d+))?$/i.exec(source)
  if (form === null) return undefined
  const [, sign, whole = '', fraction = '', exponent = '0'] = form
  const digits = `${whole}${fraction}`.replace(/^0+/, '')
  const significant = digits.replace(/0+$/, '')
  if (significant === '') return '0'
  return `${sign === '-' ? '-' : ''}${significant}e${Number(exponent) - fraction.length + digits.length - significant.length}`
}

/** What stands in `text`, an object of JSON that was read without an error, as the value of a field; of several of this name the last, as JSON.parse has it. */
function sourceOf(text: string, name: string): string {
  let found = ''
  let field = ''
  let depth = 0
  /** Where the value of the field begins; 0: the name comes first. */
  let begin = 0
  for (let at = 0; at < text.length; at++) {
    const character = text[at] as string
    if (depth === 1 && begin > 0 && (character === ',' || character === '}')) {
      if (field === name) found = text.slice(begin, at).trim()
      begin = 0
    }
    if (character === '"') {
      const end = stringEnd(text, at)
      if (depth === 1 && begin === 0) field = JSON.parse(text.slice(at, end + 1)) as string
      at = end
    } else if (character === '{' || character === '[') depth++
    else if (character === '}' || character === ']') depth--
    else if (character === ':' && depth === 1) begin = at + 1
  }
  return found
}

/** Of the quote that ends the string which begins at `start`. */
function stringEnd(text: string, start: number): number {
  let at = start + 1
  while (text[at] !== '"') at += text[at] === '\\' ? 2 : 1
  return at
}
