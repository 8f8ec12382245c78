import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { SegmentEntry } from '../format/index.ts'
import { Density } from './density.ts'

test('what is left of what is folded is as the last fold that wrote something had it, within bounds', () => {
  const density = new Density()
  const segment = (bytes: number, rawBytes: number) => ({ bytes, rawBytes }) as SegmentEntry
  const after = (rawBytes: number, ...segments: SegmentEntry[]): [stored: number, left: number] => {
    density.folded(rawBytes, segments)
    return [density.stored, density.left]
  }
  assert.deepEqual(after(0, segment(1, 1)), [0.3, 1])
  assert.deepEqual(after(1000, segment(100, 300), segment(150, 200)), [0.25, 0.5])
  assert.deepEqual(after(1000), [0.25, 0.5])
  assert.deepEqual(after(1000, segment(1, 1)), [1 / 16, 1 / 16])
  assert.deepEqual(after(1000, segment(5000, 3000)), [1, 1])
})
