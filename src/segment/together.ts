/** Which ranges of a file are read as one: neighbours, HYDRATION_READ_BYTES of them at most, or one that is larger. Owns nothing. */
import { HYDRATION_GAP_BYTES, HYDRATION_READ_BYTES } from '../base/limits.ts'

export interface StoredRange {
  readonly offset: number
  readonly length: number
}

/** `rangeOf` the items, which come in the order of the file. */
export function* rangesTogether<T>(items: Iterable<T>, rangeOf: (item: T) => StoredRange): Generator<readonly T[]> {
  let together: T[] = []
  let from = 0
  let to = 0
  for (const item of items) {
    const { offset, length } = rangeOf(item)
    if (together.length > 0 && (offset + length - from > HYDRATION_READ_BYTES || offset - to > HYDRATION_GAP_BYTES)) {
      yield together
      together = []
    }
    if (together.length === 0) from = offset
    to = offset + length
    together.push(item)
  }
  if (together.length > 0) yield together
}
