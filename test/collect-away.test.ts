/** The directory is away while the collector looks at what is kept for the first time: what it cannot see is not taken for dead since the run before. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type FoundManifest, filesOf, readManifest, readNewest } from '../src/manifest/index.ts'
import { systemError } from '../src/storage/index.ts'
import type { SimulatedStorage } from '../src/testing/index.ts'
import { SimulatedStore } from './support/simulated-store.ts'

/** Manifests are not there while `away.now`, which ends when they have been listed. */
function flapping(storage: SimulatedStorage, away: { now: boolean; looks: number }): SimulatedStorage {
  const isGone = (path: string): boolean => {
    const gone = away.now && path.startsWith('manifest')
    if (gone) away.looks++
    return gone
  }
  return new Proxy(storage, {
    get: (target, name) => {
      if (name === 'exists') return async (path: string) => !isGone(path) && (await target.exists(path))
      if (name === 'list') {
        return async (path: string) => {
          if (!isGone(path)) return await target.list(path)
          away.now = false
          return []
        }
      }
      if (name === 'open') {
        return async (path: string, mode: 'read') => {
          if (isGone(path)) throw systemError('ENOENT', 'open')
          return await target.open(path, mode)
        }
      }
      const own = Reflect.get(target, name)
      return typeof own === 'function' ? own.bind(target) : own
    },
  })
}

async function fold(world: SimulatedStore, epoch: number): Promise<void> {
  const map = world.store.map<number>('map')
  for (let at = 0; at < 60; at++) map.set(`${at}`, epoch)
  await world.checkpoint()
  await world.pass(5000)
}

for (const end of ['a sweep', 'a close'] as const) {
  test(`segments that kept points alone stand on outlive a first look at which their manifests were away (${end})`, async () => {
    const world = new SimulatedStore({ retention: { keepLast: 4, keepMs: 0 } })
    world.thresholds = { records: 50, graceMs: 100, fewTimes: 0, fanIn: 2 }
    await world.open()
    for (let epoch = 1; epoch <= 5; epoch++) await fold(world, epoch)
    await world.pass(60_000)
    await world.close()
    const { manifest } = (await world.run(readNewest(world.storage))) as FoundManifest
    const kept = new Set<string>()
    for (const { number } of manifest.retained) {
      for (const file of filesOf(await world.run(readManifest(world.storage, number)))) if (file.startsWith('segment/')) kept.add(file)
    }
    assert.ok([...kept].some(file => !filesOf(manifest).has(file)))
    const there = async (): Promise<string[]> => (await world.run(world.storage.list('segment'))).map(name => `segment/${name}`)
    const missing = async (): Promise<string[]> => {
      const files = new Set(await there())
      return [...kept].filter(file => !files.has(file))
    }
    assert.deepEqual(await missing(), [])
    const away = { now: false, looks: 0 }
    world.storage = flapping(world.storage, away)
    world.thresholds = { ...world.thresholds, graceMs: 600_000 }
    await world.open()
    away.now = true
    if (end === 'a sweep') await world.pass(3000)
    await world.close()
    assert.ok(away.looks > manifest.retained.length && !away.now)
    assert.deepEqual(await missing(), [])
  })
}
