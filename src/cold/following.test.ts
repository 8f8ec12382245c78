import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Manifest } from '../format/index.ts'
import { FIRST_PLACE } from '../format/index.ts'
import { Image } from '../image/index.ts'
import { BlockCache } from '../segment/index.ts'
import { MemoryStorage } from '../storage/index.ts'
import { ColdState } from './cold-state.ts'
import { Following } from './following.ts'

test('a manifest of many ranges is followed in many turns', async () => {
  let turns = 0
  const scheduler = {
    immediate: (fn: () => void) => {
      turns++
      setImmediate(fn)
      return () => {}
    },
    after: () => () => {},
  }
  const first = { start: FIRST_PLACE, through: 0, layer: null }
  const state = new ColdState({ image: new Image({ tables: [], young: [], base: [first] }), segments: [] }, () => 0)
  const following = new Following({
    storage: new MemoryStorage(),
    scheduler,
    clock: { now: () => 0, monotonic: () => 0 },
    stalled: () => {},
    state,
    layers: { segments: [], cache: new BlockCache() },
    tail: { table: undefined, epoch: 0 },
    collections: () => [],
    renewed: () => {},
  })
  const base = Array.from({ length: 1000 }, (_, at) => ({
    start: at === 0 ? FIRST_PLACE : { collection: 1, key: at.toString(16).padStart(8, '0') },
    through: 1,
    segment: null,
  }))
  following.take({ number: 1, young: [], base, fold: { epoch: 1 } } as unknown as Manifest)
  while (state.version === 0 && following.lastError === undefined) await new Promise(setImmediate)
  assert.equal(following.lastError, undefined)
  assert.ok(turns >= 15, `${turns} turns`)
  await following.stop()
})
