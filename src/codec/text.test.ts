import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readUtf8 } from './text.ts'

test('UTF-8 of more bytes than the runtime reads at once is read in parts', () => {
  for (const text of ['', 'a', 'plain', 'éééé', 'a€b€c', '😀😀', 'aé€😀€éa', '\ufeffa\ufeff']) {
    const bytes = Buffer.from(`.${text}.`)
    for (let bytesMax = 4; bytesMax <= bytes.length; bytesMax++) {
      assert.equal(readUtf8(bytes, 1, bytes.length - 1, bytesMax), text, `${text} by ${bytesMax}`)
    }
  }
})

test('bytes that are no UTF-8 are read in parts, too, and to their end', () => {
  const bytes = Buffer.from([0x61, ...new Uint8Array(20).fill(0x80), 0x62])
  assert.match(readUtf8(bytes, 0, bytes.length, 4), /^a\ufffd+b$/)
})
