import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { FileStorage, MemoryStorage, type Storage } from '../storage/index.ts'
import { SimulatedScheduler, SimulatedStorage, storageConformance } from './index.ts'

const home = mkdtempSync(join(tmpdir(), 'tidemark-conformance-'))
after(() => rmSync(home, { recursive: true, force: true }))

let made = 0
const root = (): string => join(home, `${made++}`, 'store')

const STORAGES: Readonly<Record<string, () => Promise<Storage>>> = {
  memory: async () => new MemoryStorage(),
  'file, sync': async () => new FileStorage(root(), { flavour: 'sync' }),
  'file, async': async () => new FileStorage(root()),
  simulated: async () => new SimulatedStorage(),
}

for (const [name, make] of Object.entries(STORAGES)) {
  describe(name, () => {
    for (const check of storageConformance(make)) test(check.name, check.run)
  })
}

describe('simulated, with latency', () => {
  const scheduler = new SimulatedScheduler({ seed: 3 })
  for (const check of storageConformance(async () => new SimulatedStorage({ scheduler }))) {
    test(check.name, () => scheduler.run(check.run()))
  }
})

test('the suite finds a storage that breaks the contract', async () => {
  class Careless extends MemoryStorage {
    override async createIfAbsent(path: string, bytes: Uint8Array): Promise<boolean> {
      await this.remove(path)
      return super.createIfAbsent(path, bytes)
    }
  }
  const failed: string[] = []
  for (const check of storageConformance(async () => new Careless())) await check.run().catch(() => failed.push(check.name))
  assert.deepEqual(failed, [
    'createIfAbsent makes a name once, with whole content',
    'createIfAbsent and open create respect each other’s names',
  ])
})
