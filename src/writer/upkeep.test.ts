import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { FoldNews } from '../fold/index.ts'
import type { Manifest } from '../format/index.ts'
import { firstManifest, Named } from '../manifest/index.ts'
import { SimulatedScheduler } from '../testing/index.ts'
import type { UpkeepMessage } from './contract.ts'
import { reporterOf } from './upkeep.ts'

const segment = { file: 'young', bytes: 10 }
const catalogue = [{ id: 1, kind: 'map' as const, name: 'many', codec: 'tide', entries: 1, bytes: 1 }]

test('who follows is sent what another manifest than the one before names, or a later fold point; nothing else, and nothing of it else', () => {
  const first = firstManifest('aa'.repeat(16), 'bb'.repeat(16), { writer: '01'.repeat(16), createdBy: 'test' })
  let manifest = {
    ...first,
    catalogue,
    retained: [{ number: 1, epoch: 1, timeMs: 1 }],
    young: [segment],
    base: [{ segment: null }],
    fold: { epoch: 3, catalogue },
  } as unknown as Manifest
  const sent: UpkeepMessage[] = []
  const send = (message: UpkeepMessage): void => void sent.push(message)
  const scheduler = new SimulatedScheduler()
  const report = reporterOf({ manifest: () => manifest, follow: true, written: () => 0, send, scheduler })
  const host = new Named()
  const none = undefined
  const told = (type: FoldNews['type'], next: Partial<Manifest>): unknown => {
    manifest = { ...manifest, ...next, number: manifest.number + 1 }
    const news = { type, manifest, files: 1, ms: 1, bytesWritten: 1, error: new Error('no') } as unknown as FoldNews
    report(news)
    const message = sent.at(-1) ?? assert.fail('nothing was sent')
    assert.deepEqual([message.did, message.segments, message.foldedEpoch], [type, manifest.young.length, manifest.fold?.epoch ?? 0])
    return message.named === undefined ? none : host.take(structuredClone(message.named))
  }
  const { young, base } = manifest
  assert.deepEqual(told('folded', {}), { young, base, fold: { epoch: 3 } })
  assert.equal(told('collected', {}), none)
  assert.equal(told('failed', {}), none)
  assert.equal(told('caughtUp', {}), none)
  assert.deepEqual(told('merged', { young: [] }), { young: [], base, fold: { epoch: 3 } })
  assert.deepEqual(
    told('failed', { base: [] }),
    { young: [], base: [], fold: { epoch: 3 } },
    'what failed may have come after the manifest',
  )
  assert.equal(told('collected', {}), none)
  assert.deepEqual(told('folded', { fold: { ...manifest.fold, epoch: 4 } as Manifest['fold'] }), {
    young: [],
    base: [],
    fold: { epoch: 4 },
  })
  assert.deepEqual(sent.at(-1)?.named?.base.come, [], 'only what is new')
  assert.deepEqual(told('merged', { fold: null }), { young: [], base: [], fold: null })
  const other = reporterOf({ manifest: () => manifest, follow: false, written: () => 0, send, scheduler })
  other({ type: 'folded', manifest, bytesWritten: 0, ms: 0 })
  assert.deepEqual([sent.at(-1)?.did, sent.at(-1)?.named], ['folded', undefined])
})

test('what cannot be sent for want of memory throws nothing, and is sent later, in order, with what came meanwhile', async () => {
  const first = firstManifest('aa'.repeat(16), 'bb'.repeat(16), { writer: '01'.repeat(16), createdBy: 'test' })
  const manifest = { ...first, young: [segment] } as unknown as Manifest
  const failures: Error[] = [1, 2].map(() => new DOMException('Data cannot be cloned, out of memory.', 'DataCloneError'))
  const sent: UpkeepMessage[] = []
  const send = (message: UpkeepMessage): void => {
    const failure = failures.shift()
    if (failure !== undefined) throw failure
    sent.push(message)
  }
  const scheduler = new SimulatedScheduler()
  let written = 100
  const report = reporterOf({ manifest: () => manifest, follow: true, written: () => written, send, scheduler })
  const pass = (): Promise<void> => scheduler.run(scheduler.clock.monotonic() + 5000)
  report({ type: 'folded', manifest, bytesWritten: 10, ms: 1 })
  written = 130
  report({ type: 'caughtUp' })
  assert.equal(sent.length, 0)
  await pass()
  const told = (): unknown =>
    sent.splice(0).map(({ did, bytesWritten, allBytes, named }) => [did, bytesWritten, allBytes, named?.sequence, named?.young.come])
  assert.deepEqual(told(), [
    ['folded', 10, 130, 1, [segment]],
    ['caughtUp', 0, 0, undefined, undefined],
  ])
  for (let times = 0; times < 1000; times++) failures.push(new RangeError('Array buffer allocation failed'))
  report({ type: 'caughtUp' })
  for (let files = 1; files < 999; files++) report({ type: 'collected', files })
  assert.equal(failures.length, 1)
  await pass()
  assert.equal(sent.shift()?.did, 'caughtUp', 'what is told of a state stays')
  assert.deepEqual(
    sent.splice(0).map(({ files }) => files),
    Array.from({ length: 63 }, (_, at) => 936 + at),
  )
  failures.push(new Error('another'))
  assert.throws(() => report({ type: 'collected', files: 1 }), /another/)
})
