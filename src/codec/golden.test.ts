/** The bytes of each kind of value, as they are stored: a change here is a new format and needs a new codec name. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ByteWriter } from '../base/bytes.ts'
import { assertExact, gaps } from './exact.test.ts'
import { forgetShapes, tideCodec } from './index.ts'

const error = Object.assign(new TypeError('m'), { stack: 's', code: 'E' })

test('golden bytes of values', () => {
  const golden: [unknown, string][] = [
    [undefined, 'c0'],
    [null, 'c1'],
    [false, 'c2'],
    [true, 'c3'],
    [0, '00'],
    [127, '7f'],
    [128, 'c48001'],
    [300, 'c4ac02'],
    [2147483647, 'c4ffffffff07'],
    [-1, 'c500'],
    [-2147483648, 'c5ffffffff07'],
    [2147483648, 'c6000000800000'],
    [1700000000123, 'c67b68e5cf8b01'],
    [-0, 'c700000080'],
    [1.5, 'c70000c03f'],
    [0.1, 'c89a9999999999b93f'],
    [Number.NaN, 'c8000000000000f87f'],
    [2 ** 60, 'c70000805d'],
    [0n, 'c900'],
    [255n, 'c901ff'],
    [-1n, 'ca00'],
    [-256n, 'ca01ff'],
    [2n ** 64n, 'c909000000000000000001'],
    ['', '80'],
    ['ada', '83616461'],
    [
      'x'.repeat(64),
      'cb4078787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878',
    ],
    ['é€', 'cc05c3a9e282ac'],
    ['\ud800', 'cd0200d8'],
    [[1, 'a'], 'd002018161'],
    [gaps([0, 1], 0), 'd102010101'],
    [{ a: 1, b: 2 }, 'd204816181620102'],
    [[{ a: 1 }, { a: 2 }], 'd002d202816101d30002'],
    [Object.assign(Object.create(null), { a: 1 }), 'd402816101'],
    [new Map([[1, 2]]), 'd6010102'],
    [new Set(['a']), 'd7018161'],
    [new Date(1), 'd8000000000000f03f'],
    [new Date(Number.NaN), 'd8000000000000f87f'],
    [/a/g, 'd98161816700'],
    [error, 'da0105816d8173d20584636f64658145'],
    [new Uint8Array([1, 2]).buffer, 'db020102'],
    [new DataView(new ArrayBuffer(1)), 'dc0100'],
    [Buffer.from('ab'), 'dd026162'],
    [new Uint8Array([1]), 'de010101'],
    [new Float64Array([1]), 'de0808000000000000f03f'],
    [new BigInt64Array([-1n]), 'de0908ffffffffffffffff'],
  ]
  forgetShapes()
  for (const round of ['new shapes', 'known shapes']) {
    for (const [value, hex] of golden) {
      const writer = new ByteWriter()
      tideCodec.encodeInto(writer, value)
      assert.equal(writer.view().toString('hex'), hex, `${round}: ${hex}`)
      const bytes = Buffer.from(hex, 'hex')
      assertExact(tideCodec.decode(bytes, 0, bytes.length), value)
    }
  }
})
