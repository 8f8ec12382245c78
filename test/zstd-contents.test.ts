/** What encoders make is decoded by our own decoder, whatever it holds, and nothing is left to the addon. */
import { test } from 'node:test'
import fc from 'fast-check'
import { ZSTD_OWN_BYTES_MAX } from '../src/format/index.ts'
import { assertDecodes, type Encode, encodersOf, FILLINGS, type Filling, numbers, sized } from './support/zstd-contents.ts'

const SIZES = [0, 1, 2, 3, 17, 63, 64, 255, 256, 257, 1023, 1024, 4097, 7000, 16_384, 65_446, 100_000, 131_071, ZSTD_OWN_BYTES_MAX]

test('what encoders make of contents of all kinds is decoded, nothing refused', () => {
  const encoders = encodersOf([1, 3, 19])
  const next = numbers(7)
  for (const [kind, fill] of Object.entries(FILLINGS)) {
    for (const size of SIZES) {
      const raw = fill(size, next)
      for (const [name, encode] of encoders) {
        // It takes its time.
        if (size % 1000 !== 0 && name.endsWith('19')) continue
        assertDecodes(sized(encode(raw), size), raw, `${kind}, ${size} bytes, ${name}`)
      }
    }
  }
})

test('what any level makes of any content is decoded', () => {
  const encoders = [...encodersOf(Array.from({ length: 19 }, (_, at) => at + 1)).values()]
  const size = fc.oneof({ weight: 6, arbitrary: fc.nat(9000) }, { weight: 1, arbitrary: fc.nat(ZSTD_OWN_BYTES_MAX) })
  fc.assert(
    fc.property(fc.constantFrom(...Object.keys(FILLINGS)), size, fc.nat(), fc.nat(), (kind, bytes, seed, which) => {
      const raw = (FILLINGS[kind] as Filling)(bytes, numbers(seed))
      const encode = encoders[which % (bytes > 30_000 ? 6 : encoders.length)] as Encode
      assertDecodes(sized(encode(raw), bytes), raw, kind)
    }),
    { numRuns: 100 },
  )
})
