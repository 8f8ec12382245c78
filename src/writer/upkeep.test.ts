import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { FoldNews } from '../fold/index.ts'
import type { Manifest } from '../format/index.ts'
import { messagesOf } from './upkeep.ts'

const segment = { file: 'young', bytes: 10 }

test('who follows is sent a manifest that names other segments, or a later fold point, than the one before; and no other', () => {
  let manifest = { number: 1, young: [segment], base: [{ segment: null }], fold: { epoch: 3 } } as unknown as Manifest
  const messageOf = messagesOf(
    () => manifest,
    true,
    () => 0,
  )
  const told = (type: FoldNews['type'], next: Partial<Manifest>): number | undefined => {
    manifest = { ...manifest, ...next, number: manifest.number + 1 }
    const news = { type, manifest, files: 1, ms: 1, bytesWritten: 1, error: new Error('no') } as unknown as FoldNews
    const message = messageOf(news)
    assert.deepEqual([message.did, message.segments, message.foldedEpoch], [type, manifest.young.length, manifest.fold?.epoch])
    return message.manifest?.number
  }
  assert.equal(told('folded', {}), 2)
  assert.equal(told('collected', {}), undefined)
  assert.equal(told('failed', {}), undefined)
  assert.equal(told('caughtUp', {}), undefined)
  assert.equal(told('merged', { young: [] }), 6)
  assert.equal(told('failed', { base: [] }), 7, 'what failed may have come after the manifest')
  assert.equal(told('collected', {}), undefined)
  assert.equal(told('folded', { fold: { ...manifest.fold, epoch: 4 } as Manifest['fold'] }), 9)
  assert.equal(
    messagesOf(
      () => manifest,
      false,
      () => 0,
    )({ type: 'folded', manifest, bytesWritten: 0, ms: 0 }).manifest,
    undefined,
  )
})
