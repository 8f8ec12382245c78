/** A storage whose next manifests do not read back as they were written, and a store in it. */
import type { Manifest } from '../../src/format/index.ts'
import { SimulatedStorage } from '../../src/testing/index.ts'
import { type Block, Life, pseudoRandom } from './log-store.ts'

export const facts = (name: string) => ({ createdBy: 'tidemark test', random: pseudoRandom(name) })
export const block = (key: string): readonly Block[] => [[[key, '1']]]
export const next = (manifest: Manifest): Manifest => ({ ...manifest, number: manifest.number + 1 })

/** The next manifests are written with a hole in them, as by a device that reports more than it did. */
export class Lying extends SimulatedStorage {
  lies = 0

  override async createIfAbsent(path: string, bytes: Uint8Array): Promise<boolean> {
    if (!path.startsWith('manifest/') || this.lies === 0) return await super.createIfAbsent(path, bytes)
    this.lies--
    const spoiled = Buffer.from(bytes)
    spoiled.fill(0, 40, 60)
    return await super.createIfAbsent(path, spoiled)
  }
}

export async function store(): Promise<Lying> {
  const storage = new Lying()
  const life = await Life.open({ storage })
  await life.mustCommit(block('a'))
  await life.mustCommit(block('b'))
  await life.close()
  return storage
}
